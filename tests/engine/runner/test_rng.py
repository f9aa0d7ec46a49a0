import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdrest.engine.runner import rng


def state(seed: int, drawn: int) -> bytes:
    """Return the state of a generator like torch's, seeded, after some numbers."""
    twister = np.random.MT19937()
    twister._legacy_seeding(seed)  # as torch seeds its own
    if drawn:
        twister.random_raw(drawn, output=False)
    position = twister.state["state"]["pos"]
    left, following = (1, 0) if drawn == 0 else (625 - position, position)
    head = struct.pack("<QiiQ", seed, left, 1, following)
    return head + twister.state["state"]["key"].astype("<u8").tobytes() + bytes(40)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    first=st.integers(0, 2000),
    more=st.one_of(st.integers(0, 2000), st.integers(700_000, 900_000)),
)
def test_consumed_random_numbers_are_counted_and_skipped(seed: int, first: int, more: int) -> None:
    before, after = state(seed, first), state(seed, first + more)
    assert rng.count_draws(before, after) == more
    assert rng.advance(before, more) == after


def test_the_count_holds_for_other_seeds() -> None:
    count = rng.count_draws(state(1, 0), state(1, 3000))
    assert rng.advance(state(2, 0), count) == state(2, 3000)


@pytest.mark.parametrize(
    "after",
    [
        b"short",
        state(1, 10)[:5040] + b"\1" + bytes(15),  # half a pair of doubles
        state(1, 10)[:5048] + bytes(4) + b"\1" + bytes(3),  # half a pair of floats
    ],
)
def test_rng_states_that_cannot_be_advanced(after: bytes) -> None:
    with pytest.raises(rng.UnknownStateError):
        rng.count_draws(state(1, 0), after)


def test_states_of_two_sequences() -> None:
    with pytest.raises(rng.UnknownStateError, match="one sequence"):
        rng.count_draws(state(1, 0), state(2, 10), blocks=2000)
