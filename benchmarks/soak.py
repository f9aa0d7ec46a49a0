"""`python -m benchmarks.soak`: what a warm host's memory does over many jobs of all types."""

import sys
from collections.abc import Sequence
from itertools import cycle, islice

from benchmarks import chosen, document, jobs, report, uploads
from benchmarks.client import LoadError
from benchmarks.engine import FIELDS, JOB_SECONDS
from benchmarks.servers import SDREST, Server, running, sdrest_program
from benchmarks.stats import Better, Goal
from sdrest.job_types import JobType

JOBS = 200
WARM = 20
"""After so many jobs nothing should be new to the runner."""

GROWTH = Goal(Better.LOWER, 1.05)

_PAUSE = 0.05
_MIB = 2**20


def main() -> int:
    """Measure what the arguments ask for and return the exit status."""
    parser = chosen.parser("benchmarks.soak", __doc__)
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"default {JOBS}, at least {WARM}")
    options = parser.parse_args()
    if options.jobs < WARM:
        parser.error(f"--jobs should be at least {WARM}.")
    program = sdrest_program("--keep-alive", "-1")
    with (
        chosen.chosen(options) as place,
        running(SDREST, place.scene, program, output=place.folder / "output") as server,
    ):
        sizes = _soak(server, options.jobs)
    head = document.heading(options.name)
    document.publish(chosen.section("soak", options), f"{head}\n\n{render(sizes)}", dry=options.dry)
    return 0


def _soak(server: Server, count: int) -> list[int]:
    """Return the runner's memory in bytes after each job. Raises `LoadError` if it is replaced."""
    sizes: list[int] = []
    first: list[int] = []
    for number, job_type in enumerate(islice(cycle(JobType), count), start=1):
        request = uploads.request(job_type, {**FIELDS[job_type], "seed": number})
        jobs.complete(server.port, request, seconds=JOB_SECONDS, pause=_PAUSE)
        runners = server.runners()
        pids = [runner.pid for runner in runners]
        first = first or pids
        if len(pids) != 1 or pids != first:
            raise LoadError(f"After {number} jobs the hosts are {pids}, not {first}.")
        sizes.append(runners[0].memory_info().rss)
        document.log(f"job {number}, {job_type}: {sizes[-1] / _MIB:,.0f} MiB")
    return sizes


def render(sizes: Sequence[int]) -> str:
    """Return the table of the runner's memory, in bytes after each of at least `WARM` jobs."""
    count = len(sizes)
    warm = sizes[WARM - 1]
    marks = sorted({1, WARM, *range(50, count, 50), count})
    lines = [(str(mark), f"{sizes[mark - 1] / _MIB:,.0f} MiB") for mark in marks]
    growth = sizes[-1] / warm
    return (
        f"{report.table(('after job', 'memory of the runner'), lines)}\n"
        f"All {count} jobs ran in one host. After the last one it held {growth:.3f} times what it "
        f"held after job {WARM} (goal {GROWTH}: {report.verdict(GROWTH, growth)}).\n"
    )


if __name__ == "__main__":
    sys.exit(main())
