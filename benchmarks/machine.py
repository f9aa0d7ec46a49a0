"""What kind of machine this is, without saying which."""

import os
import platform
import subprocess
from pathlib import Path


def describe() -> str:
    """Return the processor, its cores and the system, e.g. `Apple M1 Pro, 10 cores, macOS 15.1`."""
    return f"{_processor()}, {os.cpu_count()} cores, {_system()}"


def _processor() -> str:
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
