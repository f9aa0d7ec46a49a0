"""From a bar's bytes to a client that sees it."""

import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import jobs

_IMAGES = 2
_SECONDS = 120.0

Moment = tuple[int, int, float]
"""Image (from 1), percent, and the monotonic time."""


def latencies(port: int) -> list[float]:
    """Run a job that draws a bar for each percent; return each bar's milliseconds to a client.

    The client asks again as soon as it has an answer.
    """
    seen: list[Moment] = []

    def look(state: dict[str, Any]) -> bool:
        now = time.monotonic()
        if state["status"] == "COMPLETE":
            seen.append((_IMAGES + 1, 0, now))
            return True
        if progress := state.get("progress"):
            percent = round(progress["currentImageProgress"] * 100)
            seen.append((progress["currentImageIndex"], percent, now))
        return False

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "bars.txt")
        wanted = jobs.request(f"bars {log}", iterations=_IMAGES, steps=100)
        job = jobs.submit(port, wanted)
        jobs.follow(port, job, look, seconds=_SECONDS, pause=0)
        drawn = read(log)
    return [1000 * delay for delay in delays(drawn, seen)]


def delays(drawn: Iterable[Moment], seen: Sequence[Moment]) -> list[float]:
    """Return for each bar how long after it a client first saw it, or a later one. Pure.

    Both are in the order of time.
    """
    result = []
    position = 0
    for image, percent, start in drawn:
        while seen[position][:2] < (image, percent):
            position += 1
        result.append(seen[position][2] - start)
    return result


def read(log: Path) -> list[Moment]:
    """Return the bars that the stand-in's script has drawn, in the order of time."""
    return [_moment(line) for line in log.read_text(encoding="ascii").splitlines()]


def _moment(line: str) -> Moment:
    image, percent, seconds = line.split()
    return int(image), int(percent), float(seconds)
