"""The rows of the comparison and their goals."""

from dataclasses import dataclass

from benchmarks.stats import Better, Goal

CONNECTIONS = (1, 16, 64)
FASTER = Goal(Better.HIGHER, 1)
NO_HIGHER = Goal(Better.LOWER, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A goal in `x` is about the ratio, another about sdrest's figure."""

    what: str
    unit: str
    goal: Goal | None = None
    connections: int | None = None


@dataclass(frozen=True, slots=True)
class LoadRows:
    """The lines of one kind of request: its rate and its latencies, for a number of connections.

    `goal` is the rate's, with `only` for one number of connections.
    """

    what: str
    goal: Goal
    p99: Goal | None = None
    only: int | None = None

    def rate(self, connections: int) -> Row:
        """Return the line of answers per second."""
        goal = self.goal if self.only in {None, connections} else None
        return Row(self.what, "/s", goal, connections)

    def latency(self, percent: int, connections: int) -> Row:
        """Return the line of a percentile (50 or 99) of latency."""
        goal = self.p99 if percent == 99 else None  # noqa: PLR2004 (p99)
        return Row(f"{self.what}, p{percent}", "ms", goal, connections)

    def cpu(self, connections: int) -> Row:
        """Return the line of processor time for an answer, which a busy machine changes least."""
        return Row(f"{self.what}, processor time", "ms", None, connections)


STATUS = LoadRows("GET status", FASTER, p99=NO_HIGHER)
PICTURE = LoadRows("GET of a 400 kB PNG", Goal(Better.HIGHER, 1.2))
KNOWN = LoadRows("POST of a known request", FASTER, p99=NO_HIGHER)
NEW = LoadRows("POST of new requests", Goal(Better.HIGHER, 0.6), only=16)

SYNC = Row("one sync of the disk, p50", "ms")
BEYOND_SYNC = Row("POST of new requests, p50 beyond one sync", "ms", Goal(Better.LOWER, 1, "ms"), 1)

IDLE = Row("memory, idle", "MB", NO_HIGHER)
WAITING = Row("memory per waiting job", "kB", Goal(Better.LOWER, 1, "kB"))
BAR_P50 = Row("a bar's bytes to a client, p50", "ms")
BAR_P99 = Row("a bar's bytes to a client, p99", "ms", Goal(Better.LOWER, 20, "ms"))
