"""Running the bundled engine's scripts, and reading what the fork's scripts were recorded to do."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "vendor/tiny-diffusion"
CAPTURES = ROOT / "tests/data/captures"
PATIENCE = 60

_BAR = re.compile(
    r"(?P<down>\n*)\r(?P<name>[A-Za-z ]+: +)?(?:\d+%\|[^|]*\| *)?"
    r"(?P<done>\d+)(?:/(?P<total>\d+)|it) \[[^\]]*\](?P<up>(?:\x1b\[A)*)"
)
_FOREIGN = (
    "COLUMNS",
    "LINES",
    "PYTHONPATH",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "COVERAGE_PROCESS_CONFIG",  # the engine is no part of what coverage measures
)


def command(script: str, *args: str | Path) -> list[str]:
    """Return the command line of a script."""
    return [sys.executable, str(ENGINE / "scripts" / script), *map(str, args)]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment that the server gives to scripts."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **changes}


def run(script: str, *args: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, in the checkout."""
    return run_command(command(script, *args), **changes)


def run_command(argv: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in the checkout."""
    done = subprocess.run(
        argv,
        cwd=ENGINE,
        env=environment(**changes),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    return subprocess.CompletedProcess(
        argv, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@contextmanager
def started(script: str, *args: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a script that can be interrupted; give it with a raw pipe from its stderr."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # not ignored, if we must
    try:
        process = subprocess.Popen(
            command(script, *args),
            cwd=ENGINE,
            env=environment(),
            stderr=subprocess.PIPE,
            bufsize=0,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            process.kill()


def run_seeded(
    seed: int, script: str, *args: str | Path, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a script after seeding NumPy, as the server does for inpaint.py."""
    _, path, *rest = command(script, *args)
    prepare = f"import numpy, runpy, sys; numpy.random.seed({seed}); sys.argv = sys.argv[1:]; "
    start = prepare + "runpy.run_path(sys.argv[0], run_name='__main__')"
    return run_command([sys.executable, "-c", start, path, *rest], **changes)


def picture(path: Path) -> NDArray[np.uint8]:
    """Return the pixels of a complete picture."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def files(folder: Path) -> list[str]:
    """Return the paths of all files in a folder, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True, slots=True)
class Capture:
    """One recorded run of the fork."""

    stdout: str
    stderr: str
    pictures: list[str]
    status: int
    options: list[str]

    @classmethod
    def read(cls, name: str) -> "Capture":
        """Read `name`.jsonl."""
        with (CAPTURES / f"{name}.jsonl").open() as file:
            head, *lines, end = map(json.loads, file)
        complete = {line["png"] for line in lines if line.get("state") == "complete"}
        return cls(
            stdout=_text(lines, "stdout").replace(head["outdir"], "OUTDIR"),
            stderr=_text(lines, "stderr"),
            pictures=sorted(complete),
            status=end["exit"],
            options=head["argv"][2:],
        )


def _text(lines: list[dict[str, Any]], stream: str) -> str:
    data = [line["data"] for line in lines if line.get("stream") == stream and "data" in line]
    return "".join(data).encode("latin-1").decode()


def bars(stderr: str) -> list[str]:
    """Return the skeleton of all bars: first draws as they are, last ones by name and total.

    What depends on speed is left out: times, rates, steps in between, whether an end is drawn once
    or twice, and how many line feeds are left between an end and the next first draw.
    """
    drawn: list[str] = []
    for text in _draws(stderr):
        if not drawn or drawn[-1] != text:
            drawn.append(text)
    return drawn


def _draws(stderr: str) -> Iterator[str]:
    for bar in _BAR.finditer(stderr):
        name, done, total = bar["name"] or "", int(bar["done"]), bar["total"]
        if done == 0 and total != "0":
            yield re.sub(r"^\n+", "\n", bar[0])
        elif total is None or done == int(total):
            yield f"{name.rstrip()} {done}/{total}"
