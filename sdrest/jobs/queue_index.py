"""Who waits, in order: tells a job's rank without a look at the table."""

from bisect import bisect_left
from collections.abc import Iterable


class QueueIndex:
    """The numbers of the waiting jobs. Joins and leaves are mostly at the ends, and cheap."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return len(self._numbers)

    def reset(self, numbers: Iterable[int] = ()) -> None:
        """Take these numbers, which ascend, for the whole line."""
        self._numbers = list(numbers)

    def join(self, number: int) -> None:
        """Add a number in its place; harmless if it is there."""
        place = bisect_left(self._numbers, number)
        if not self._is_at(place, number):
            self._numbers.insert(place, number)

    def leave(self, number: int) -> None:
        """Remove a number; harmless if it is not there."""
        place = bisect_left(self._numbers, number)
        if self._is_at(place, number):
            del self._numbers[place]

    def queue_position(self, number: int) -> int | None:
        """Return 1 for the first in line, 2 for the next; None for who is not in it."""
        place = bisect_left(self._numbers, number)
        return place + 1 if self._is_at(place, number) else None

    def _is_at(self, place: int, number: int) -> bool:
        return place < len(self._numbers) and self._numbers[place] == number
