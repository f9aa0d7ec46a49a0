"""Counts the random numbers that torch's CPU generator returned, and advances it by as many.

Building a model fills its weights with random numbers before the checkpoint replaces them. A script
that sets the seed before takes its noise from the numbers after those. If the model is cached, or
built without random numbers, the generator is advanced by the numbers that building it consumes.

The generator is the Mersenne Twister (mt19937). Its state in torch is `CPUGeneratorImplState` of
`aten/src/ATen/CPUGeneratorImpl.cpp`: the seed (8 bytes), left (4), seeded (4), next (8), 624 words
(8 each), then the normal number that is left over from a pair, with a flag.
"""

from __future__ import annotations

import random
import struct
import sys
from typing import Any

from . import mt19937

_SIZE = 5056
_LEFT, _NEXT, _STATE = 8, 16, 24
_TAIL = _STATE + 8 * mt19937.WORDS
_DOUBLE_IS_VALID, _FLOAT_IS_VALID = _TAIL + 24, _TAIL + 36
_CHUNK = 1000  # blocks compared at once

MAX_BLOCKS = 5_000_000
"""Limit of the search: 3e9 numbers, three times what building the real model consumes."""


class UnknownStateError(Exception):
    """The generator's state cannot be advanced."""


class RandomStates:
    """The states of the random generators now: torch's for the CPU, Python's and NumPy's."""

    def __init__(self) -> None:
        self.torch: bytes = sys.modules["torch"].get_rng_state().numpy().tobytes()
        self._python = random.getstate()
        self._numpy = sys.modules["numpy"].random.get_state()  # torch needs NumPy as well

    @property
    def others(self) -> Any:
        """The states of Python's and NumPy's generators, to compare."""
        return self._python, self._numpy[1].tobytes(), self._numpy[2:]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RandomStates):
            return NotImplemented
        return (self.torch, self.others) == (other.torch, other.others)

    __hash__ = None  # type: ignore[assignment]  # as for any class with __eq__

    def restore(self) -> None:
        """Bring the generators into these states."""
        set_torch_state(self.torch)
        random.setstate(self._python)
        sys.modules["numpy"].random.set_state(self._numpy)


def set_torch_state(state: bytes) -> None:
    """Bring torch's generator for the CPU into a state."""
    torch = sys.modules["torch"]
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def count_draws(before: bytes, after: bytes, *, guess: int = 0, blocks: int = MAX_BLOCKS) -> int:
    """Return how many 32-bit numbers lie between two states of a generator.

    A `guess` that is right to within 312 saves the search. Raises `UnknownStateError` if the second
    state does not follow the first within `blocks` blocks of 624 numbers.
    """
    if len(before) != _SIZE or len(after) != _SIZE:
        raise UnknownStateError("The state has another size.")
    if struct.unpack_from("<i", after, _DOUBLE_IS_VALID)[0] or after[_FLOAT_IS_VALID]:
        raise UnknownStateError("Half a pair of normal numbers is left over.")
    start, wanted = _words(before), _words(after)
    first, last = _position(before), _position(after)
    if (start == wanted).all() and last >= first:
        return last - first
    half = mt19937.WORDS // 2
    near = guess + (last - first - guess + half) % mt19937.WORDS - half
    if near > 0 and _is_reached(start, first, near, (wanted, last)):
        return near
    return _search(start, wanted, blocks) + last - first


def advance(state: bytes, numbers: int) -> bytes:
    """Return the state `numbers` draws after `state`."""
    if numbers == 0:
        return state
    words, position = mt19937.advance(_words(state), _position(state), numbers)
    moved = bytearray(state)
    struct.pack_into("<i", moved, _LEFT, mt19937.WORDS + 1 - position)
    struct.pack_into("<Q", moved, _NEXT, position)
    moved[_STATE:_TAIL] = words.astype("<u8").tobytes()
    struct.pack_into("<i", moved, _DOUBLE_IS_VALID, 0)
    moved[_FLOAT_IS_VALID] = 0
    return bytes(moved)


def _is_reached(start: Any, first: int, numbers: int, wanted: tuple[Any, int]) -> bool:
    words, position = mt19937.advance(start, first, numbers)
    return position == wanted[1] and bool((words == wanted[0]).all())


def _search(start: Any, wanted: Any, blocks: int) -> int:
    """Return how many numbers the start of one block lies after that of another."""
    import numpy as np  # noqa: PLC0415 (heavy, and installed only with torch)

    generator = mt19937.generator(start, mt19937.WORDS)
    next_block = mt19937.generator(wanted, 0).random_raw(mt19937.WORDS)
    done = 0
    while done < blocks:
        numbers = generator.random_raw(_CHUNK * mt19937.WORDS).reshape(_CHUNK, mt19937.WORDS)
        hits = np.flatnonzero((numbers == next_block).all(axis=1))
        if hits.size:
            return (done + int(hits[0]) + 1) * mt19937.WORDS
        done += _CHUNK
    raise UnknownStateError("The states are not of one sequence.")


def _words(state: bytes) -> Any:
    import numpy as np  # noqa: PLC0415 (as above)

    words = np.frombuffer(state, dtype="<u8", count=mt19937.WORDS, offset=_STATE)
    return words.astype(np.uint32)


def _position(state: bytes) -> int:
    """Return how many numbers of the block are used; after seeding all of them are."""
    (left,) = struct.unpack_from("<i", state, _LEFT)
    (following,) = struct.unpack_from("<Q", state, _NEXT)
    return mt19937.WORDS if left == 1 else int(following)
