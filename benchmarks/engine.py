"""`python -m benchmarks.engine`: a job through sdrest against the bare script, cold and warm.

A job's time is that from its first POST to COMPLETE seen; the script's is its process's.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import document, jobs, report, uploads
from benchmarks.bare import Bare
from benchmarks.client import Connection, LoadError, Request
from benchmarks.rows import Row
from benchmarks.servers import SDREST, Scene, Server, end_on_signals, running, sdrest_program
from benchmarks.stats import Better, Goal
from sdrest.engine.base import Task
from sdrest.engine.repository import bundled_root, locate
from sdrest.params import JobType, validate
from sdrest.settings import FLAGS, Settings

BARE = "bare script"
GOALS = {"cold": Goal(Better.LOWER, 1.0), "warm": Goal(Better.LOWER, 0.35)}

Values = Mapping[str, Any]

FIELDS: Mapping[JobType, Values] = {
    JobType.TEXT_TO_IMAGE: {"prompt": "A mountain", "width": 256, "height": 256, "steps": 8},
    JobType.IMAGE_TO_IMAGE: {"prompt": "A mountain", "steps": 8},
    JobType.INPAINT_IMAGE: {"steps": 8},
}
"""The jobs; inputs are 256 x 256 pixels, the least that the fork's scripts take."""

_JOB_SECONDS = 1800
_LOOKS = 100


@dataclass(slots=True)
class Comparison:
    """Figures as they come in: seconds, and how many results were byte for byte the script's."""

    folder: Path
    bare: Bare
    figures: dict[Row, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    identical: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)

    def measure(self, servers: dict[str, Server], job_type: JobType, *, seed: int) -> None:
        """Run one job in the bare script and on each server."""
        values = {**FIELDS[job_type], "seed": seed}
        task = self._task(job_type, values)
        script, images = self.bare.run(task)
        pause = script / _LOOKS  # few looks: a client that asks all the time slows the job down
        for name, server in servers.items():
            seconds, answered = run_job(server, job_type, values, pause=pause)
            row = Row(f"{job_type}, {name}", "s", GOALS[name])
            self.figures[row][BARE].append(script)
            self.figures[row][SDREST].append(seconds)
            if images is not None:
                self.compared[row.what] += 1
                self.identical[row.what] += answered == images
            document.tell(f"{row.what}: {script:.2f} s bare, {seconds:.2f} s through {SDREST}")

    def render(self) -> str:
        """Return the table and what the PNGs were."""
        same = ", ".join(
            f"{self.identical[what]} of {total} ({what})" for what, total in self.compared.items()
        )
        return (
            f"{report.comparison(self.figures, theirs=BARE)}\n"
            f"PNGs byte for byte those of the bare script: {same}. "
            "(inpaint.py takes no seed, so two bare runs differ already.)\n"
        )

    def _task(self, job_type: JobType, values: Values) -> Task:
        params = validate(job_type, values)
        workdir = Path(tempfile.mkdtemp(dir=self.folder))
        return Task(
            id=workdir.name,
            params=params,
            seed=int(values["seed"]),
            workdir=workdir,
            **uploads.write(job_type, workdir),
        )


def run_job(
    server: Server, job_type: JobType, values: Values, *, pause: float
) -> tuple[float, list[bytes]]:
    """Return how many seconds a job took, and its PNGs; look for them every `pause` seconds."""
    urls: list[str] = []

    def complete(state: dict[str, Any]) -> bool:
        urls[:] = state.get("imageUrls", [])
        return bool(state["status"] == "COMPLETE")

    request = uploads.request(job_type, values)
    start = time.monotonic()
    job = jobs.submit(server.port, request)
    jobs.follow(server.port, job, complete, seconds=_JOB_SECONDS, pause=pause)
    seconds = time.monotonic() - start
    with Connection(server.port) as connection:
        return seconds, [connection.ask(Request(url)) for url in urls]


def main() -> int:
    """Measure what the arguments ask for and return the exit status."""
    options = _parse()
    end_on_signals()
    flags: dict[str, Any] = {name: str(path) for name, path in _flags(options).items()}
    repository = locate(Settings(**flags, given=frozenset(flags)))
    words = tuple(word for name, text in flags.items() for word in (_option(name), text))
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as name, ExitStack() as stack:
            folder = Path(name)
            scene = Scene(folder, words)
            comparison = Comparison(folder, Bare(repository))
            servers = {
                kind: stack.enter_context(
                    running(kind, scene, sdrest_program(*_flags_of(kind)), output=folder / kind)
                )
                for kind in GOALS
            }
            for job_type in JobType:
                run_job(servers["warm"], job_type, {**FIELDS[job_type], "seed": 0}, pause=0.1)
            for number in range(1, options.rounds + 1):
                for job_type in JobType:
                    comparison.measure(servers, job_type, seed=number)
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    head = document.heading(f"{options.name}, medians of {options.rounds} rounds")
    document.publish("engine", f"{head}\n\n{comparison.render()}", dry=options.dry)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--repository", type=Path, help="default: the bundled engine")
    parser.add_argument("--python", type=Path, help="default: that of the repository's venv")
    parser.add_argument("--text-to-image-model", type=Path)
    parser.add_argument("--inpaint-image-model", type=Path)
    parser.add_argument("--name", default="the bundled engine", help="what the results call it")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    return parser.parse_args()


def _flags(options: argparse.Namespace) -> dict[str, Path]:
    """Return the settings that choose the engine, as absolute paths."""
    names = ("repository", "python", "text_to_image_model", "inpaint_image_model")
    given = {name: getattr(options, name).absolute() for name in names if getattr(options, name)}
    if "repository" in given:
        return given
    return {"repository": bundled_root(), "python": Path(sys.executable), **given}


def _flags_of(kind: str) -> list[str]:
    """Return a server's flags: the script's bytes as they are; a warm one is the default."""
    known = any(flag.name == "keep_alive" for flag in FLAGS)
    return ["--no-metadata", *(["--keep-alive", "0"] if known and kind == "cold" else [])]


def _option(name: str) -> str:
    return next(flag.option for flag in FLAGS if flag.name == name)


if __name__ == "__main__":
    sys.exit(main())
