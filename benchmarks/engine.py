"""`python -m benchmarks.engine`: a job through sdrest against the bare script, cold and warm.

A job's time is that from its first POST to COMPLETE seen; the script's is its process's.
`--full` measures loading and memory as well, for a checkpoint of full size (`full.py`).
"""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import chosen, document, full, jobs, report, uploads
from benchmarks.bare import Bare
from benchmarks.rows import Row
from benchmarks.servers import SDREST, Server, running, sdrest_program
from benchmarks.stats import Better, Goal
from sdrest.job_types import JobType

BARE = "bare script"
AS_THE_SCRIPT = ("--no-metadata", "--attention", "exact")
"""Flags with which images are byte for byte what the script writes."""

KINDS = {"cold": (*AS_THE_SCRIPT, "--keep-alive", "0"), "warm": AS_THE_SCRIPT}
"""What a server is given besides: images as the script wrote them, and how long it stays."""

GOALS = {"cold": Goal(Better.LOWER, 1.05), "warm": Goal(Better.LOWER, 0.35)}

Values = Mapping[str, Any]

FIELDS: Mapping[JobType, Values] = {
    JobType.TEXT_TO_IMAGE: {"prompt": "A mountain", "width": 256, "height": 256, "steps": 8},
    JobType.IMAGE_TO_IMAGE: {"prompt": "A mountain", "steps": 8},
    JobType.INPAINT_IMAGE: {"steps": 8},
}
"""The jobs; uploads are 256 x 256 pixels."""

JOB_SECONDS = 1800
_LOOKS = 100


@dataclass(slots=True)
class Comparison:
    """Figures as they come in: seconds, and how many results were byte for byte the script's."""

    bare: Bare
    figures: dict[Row, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    identical: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)

    def measure(self, servers: dict[str, Server], job_type: JobType, *, seed: int) -> None:
        """Run one job in the bare script and on each server."""
        values = {**FIELDS[job_type], "seed": seed}
        script, images = self.bare.run(job_type, values)
        pause = script / _LOOKS  # few looks: a client that asks all the time slows the job down
        for name, server in servers.items():
            seconds, answered = run_job(server, job_type, values, pause=pause)
            row = Row(f"{job_type}, {name}", "s", GOALS[name])
            self.figures[row][BARE].append(script)
            self.figures[row][SDREST].append(seconds)
            self.compared[row.what] += 1
            self.identical[row.what] += answered == images
            document.log(f"{row.what}: {script:.2f} s bare, {seconds:.2f} s through {SDREST}")

    def render(self) -> str:
        """Return the table and what the PNGs were."""
        same = ", ".join(
            f"{self.identical[what]} of {total} ({what})" for what, total in self.compared.items()
        )
        return (
            f"{report.comparison(self.figures, theirs=BARE)}\n"
            f"PNGs byte for byte those of the bare script: {same}. "
            "(inpaint.py takes no seed: the random generators are seeded before it runs.)\n"
        )


def run_job(
    server: Server, job_type: JobType, values: Values, *, pause: float
) -> tuple[float, list[bytes]]:
    """Return how many seconds a job took, and its PNGs; look for them every `pause` seconds."""
    request = uploads.request(job_type, values)
    start = time.monotonic()
    urls = jobs.complete(server.port, request, seconds=JOB_SECONDS, pause=pause)
    seconds = time.monotonic() - start
    return seconds, jobs.fetch(server.port, urls)


def main() -> int:
    """Measure what the arguments ask for and return the exit status."""
    parser = chosen.parser("benchmarks.engine", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--full", action="store_true", help="times and memory of a large model")
    parser.add_argument("--steps", type=int, default=8, help="with --full (default 8)")
    parser.add_argument("--size", type=int, default=512, help="with --full: pixels (default 512)")
    options = parser.parse_args()
    if options.full:
        return full.main(options)
    with chosen.chosen(options) as place, ExitStack() as stack:
        comparison = Comparison(Bare(place.repository, place.folder))
        servers = {
            kind: stack.enter_context(
                running(kind, place.scene, sdrest_program(*flags), output=place.folder / kind)
            )
            for kind, flags in KINDS.items()
        }
        for job_type in JobType:
            run_job(servers["warm"], job_type, {**FIELDS[job_type], "seed": 0}, pause=0.1)
        for number in range(1, options.rounds + 1):
            for job_type in JobType:
                comparison.measure(servers, job_type, seed=number)
    head = document.heading(f"{options.name}, medians of {options.rounds} rounds")
    document.publish(
        chosen.section("engine", options), f"{head}\n\n{comparison.render()}", dry=options.dry
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
