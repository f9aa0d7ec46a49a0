"""Detect an NVIDIA GPU without torch."""

import shutil
from pathlib import Path

from sdrest.commands.programs import output_of

_DRIVER = Path("/proc/driver/nvidia")
_WSL_PROGRAM = "/usr/lib/wsl/lib/nvidia-smi"
_SECONDS = 10.0


def has_nvidia_gpu(driver: Path = _DRIVER) -> bool:
    """Whether the driver's folder or nvidia-smi lists a GPU."""
    if any((driver / "gpus").glob("*")):
        return True
    programs = (shutil.which("nvidia-smi"), shutil.which(_WSL_PROGRAM))
    return any(
        "GPU " in (output_of([program, "-L"], seconds=_SECONDS) or "")
        for program in programs
        if program
    )
