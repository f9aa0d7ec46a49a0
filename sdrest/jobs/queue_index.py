"""The order of the waiting jobs: gives a job's queue position without reading the table."""

from bisect import bisect_left
from collections.abc import Iterable


class QueueIndex:
    """The numbers of the waiting jobs, in ascending order."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __len__(self) -> int:
        """Return how many jobs are waiting."""
        return len(self._numbers)

    def reset(self, numbers: Iterable[int] = ()) -> None:
        """Replace all numbers by these, which ascend."""
        self._numbers = list(numbers)

    def join(self, number: int) -> None:
        """Add a number, if it is not there."""
        if self.queue_position(number) is None:
            self._numbers.insert(bisect_left(self._numbers, number), number)

    def leave(self, number: int) -> None:
        """Remove a number, if it is there."""
        position = self.queue_position(number)
        if position is not None:
            del self._numbers[position - 1]

    def queue_position(self, number: int) -> int | None:
        """Return 1 for the lowest number, 2 for the next; None if the number is not there."""
        index = bisect_left(self._numbers, number)
        found = self._numbers[index : index + 1]
        return index + 1 if found == [number] else None
