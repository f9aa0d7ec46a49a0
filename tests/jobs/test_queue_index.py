"""Who waits, in order."""

from hypothesis import given
from hypothesis import strategies as st

from sdrest.jobs.queue_index import QueueIndex

NUMBERS = st.integers(1, 12)


@given(st.lists(NUMBERS, unique=True).map(sorted), st.lists(st.tuples(st.booleans(), NUMBERS)))
def test_a_queue_position_is_the_index_among_the_sorted_numbers(
    first: list[int], steps: list[tuple[bool, int]]
) -> None:
    line, waiting = QueueIndex(), set(first)
    line.reset(first)
    for joins, number in steps:
        (line.join if joins else line.leave)(number)
        (waiting.add if joins else waiting.discard)(number)
    ranks = {
        number: queue_position for queue_position, number in enumerate(sorted(waiting), start=1)
    }
    assert {number: line.queue_position(number) for number in range(14)} == {
        number: ranks.get(number) for number in range(14)
    }
