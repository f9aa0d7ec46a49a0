"""`python -m benchmarks.cancel`: jobs cancelled while a process starts, and the jobs after them.

At each delay a job is cancelled so long after its request that the process is amid its imports, its
loading or its first steps; the next job then has to come out with the bare script's bytes. It ends
its process, so that the next delay finds a cold one.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import chosen, document, jobs, report, uploads
from benchmarks.bare import Bare
from benchmarks.client import Connection, LoadError, Request
from benchmarks.engine import AS_THE_SCRIPT, FIELDS, JOB_SECONDS
from benchmarks.servers import SDREST, Server, running, sdrest_program
from sdrest.job_types import JobType

_PAUSE = 0.05
_SEED = 7
_LONG = {"steps": 200, "seed": 1}


@dataclass(frozen=True, slots=True)
class Round:
    """A delay in seconds, how long the cancellation took, and what became of the next job."""

    delay: float
    cancelled: float
    kept: bool
    right: bool


def delays(rounds: int, longest: float) -> list[float]:
    """Return `rounds` delays at equal distances from 0 to `longest` seconds."""
    return [longest * number / max(rounds - 1, 1) for number in range(rounds)]


def main() -> int:
    """Measure what the arguments ask for; exit with 1 if a result is wrong."""
    parser = chosen.parser("benchmarks.cancel", __doc__)
    parser.add_argument("--rounds", type=int, default=20, help="default 20")
    parser.add_argument("--longest", type=float, default=5.0, help="seconds, default 5")
    options = parser.parse_args()
    with chosen.chosen(options) as place:
        bare = Bare(place.repository, place.folder)
        wanted = {kind: bare.run(kind, _values(kind))[1] for kind in JobType}
        program = sdrest_program(*AS_THE_SCRIPT)
        output = place.folder / "output"
        with running(SDREST, place.scene, program, output=output) as server:
            done = [
                _round(server, number, delay, wanted)
                for number, delay in enumerate(delays(options.rounds, options.longest))
            ]
    head = document.heading(options.name, f"{len(done)} delays")
    text = f"{head}\n\n{render(done)}"
    document.publish(chosen.section("cancel", options), text, dry=options.dry)
    return int(not all(one.right for one in done))


def render(done: Sequence[Round]) -> str:
    """Return the table, and the delays at which the next job came out wrong."""
    right = sum(one.right for one in done)
    rows = [
        ("Jobs after a cancelled one: PNGs as the bare script's", f"{right} of {len(done)}"),
        ("Cancelled jobs whose process stayed", f"{sum(one.kept for one in done)}"),
        ("Longest cancellation", f"{max(one.cancelled for one in done):.2f} s"),
    ]
    wrong = "".join(f"- after {one.delay:.2f} s\n" for one in done if not one.right)
    return f"{report.table(('What', ''), rows)}\n{wrong and chr(10)}{wrong}"


def _round(server: Server, number: int, delay: float, wanted: dict[JobType, list[bytes]]) -> Round:
    """Cancel a job after `delay` seconds, then run another one."""
    kinds = [*JobType]
    path = jobs.submit(server.port, _long(kinds[number % 3], number))
    time.sleep(delay)
    start = time.monotonic()
    with Connection(server.port) as connection:
        connection.ask(Request(f"{path}/cancel", b"{}", expect=200))
    cancelled = time.monotonic() - start
    before = {host.pid for host in server.runners()}
    kind = kinds[number // 3 % 3]
    try:
        urls = jobs.complete(server.port, _next(kind, number), seconds=JOB_SECONDS, pause=_PAUSE)
        right = jobs.fetch(server.port, urls) == wanted[kind]
    except LoadError as error:
        document.log(str(error))
        right = False
    kept = bool(before)
    document.log(f"{delay:.2f} s: cancelled in {cancelled:.2f} s, {'right' if right else 'WRONG'}")
    while server.runners():
        time.sleep(_PAUSE)
    return Round(delay, cancelled, kept, right)


def _values(kind: JobType) -> dict[str, Any]:
    return {**FIELDS[kind], "seed": _SEED}


def _long(kind: JobType, number: int) -> Request:
    """Return the request of a job that takes longer than any delay."""
    return uploads.request(kind, {**FIELDS[kind], **_LONG, "seed": number + 1})


def _next(kind: JobType, number: int) -> Request:
    """Return the request of a job whose process ends with it.

    The spelling of its `keepAlive` makes it another job each time, with the same pictures.
    """
    return uploads.request(kind, {**_values(kind), "keepAlive": f"0.{'0' * (number + 1)}s"})


if __name__ == "__main__":
    sys.exit(main())
