"""Stands in for `python3.11`, `python` of an environment, and `git`, by the name of its copy.

It does in milliseconds what they take minutes for. Where FAKE_PAUSE names what it is about to do,
it does half of that, writes its pid into the FIFO at FAKE_FIFO and waits to be killed.
Its pip appends the arguments of each installation to `pip.log` beside that FIFO.
"""

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")
SELF = Path(__file__)


def pause(point: str) -> None:
    if os.environ.get("FAKE_PAUSE") == point:
        Path(os.environ["FAKE_FIFO"]).write_text(f"{os.getpid()}\n")
        signal.pause()


def git() -> None:
    target = Path(sys.argv[-1])
    target.mkdir()
    pause("clone")
    target.rmdir()
    real = os.environ["REAL_GIT"]
    os.execv(real, [real, *sys.argv[1:]])


def venv(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    shutil.copy(SELF, folder / "bin/python")
    pause("venv")
    (folder / "installed.json").write_text("{}")


def pip(arguments: list[str]) -> None:
    listed = SELF.parent.parent / "installed.json"
    installed = json.loads(listed.read_text())
    if "list" in arguments:
        rows = [{"name": name, "version": version} for name, version in installed.items()]
        sys.stdout.write(json.dumps(rows))
    if "install" in arguments:
        with Path(os.environ["FAKE_FIFO"]).with_name("pip.log").open("a") as log:
            log.write(json.dumps(arguments) + "\n")
        if os.environ.get("FAKE_NO_CPU_BUILD") and "cpu" in arguments[-1]:
            sys.exit("No matching distribution found for torch==2.9.1+cpu")
        pins = PIN.findall(Path(arguments[-1]).read_text())
        for name, version in pins:
            installed[name] = version
            listed.write_text(json.dumps(installed))
            pause("install")


def hub(program: str) -> None:
    model = re.findall(r"from_pretrained\('(.+)'\)", program)[0]
    cache = Path(os.environ["HF_HOME"], "hub", f"models--{model.replace('/', '--')}")
    snapshot = cache / "snapshots/1"
    snapshot.mkdir(parents=True, exist_ok=True)
    (snapshot / "config.json").write_text("{}")
    pause("hub")
    for name in ("vocab.json", "merges.txt", "preprocessor_config.json", "pytorch_model.bin"):
        (snapshot / name).write_text("{}")


def main() -> None:
    arguments = sys.argv[1:]
    if SELF.name == "git":
        git()
    elif arguments[:2] == ["-m", "venv"]:
        venv(Path(arguments[-1]))
    elif arguments[:2] == ["-m", "pip"]:
        pip(arguments[2:])
    elif "ensurepip" in arguments[1]:
        sys.stdout.write("3.11")
    else:
        hub(arguments[1])


main()
