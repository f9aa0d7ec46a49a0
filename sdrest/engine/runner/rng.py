"""Counts the random numbers that torch's CPU generator returned, and advances it by as many.

Building a model fills its weights with random numbers before the checkpoint replaces them. A script
that sets the seed before takes its noise from the numbers after those. If the model is cached, the
generator is advanced by the numbers that building the model consumed.

The generator is the Mersenne Twister (mt19937). Its state in torch is `CPUGeneratorImplState` of
`aten/src/ATen/CPUGeneratorImpl.cpp`: the seed (8 bytes), left (4), seeded (4), next (8), 624 words
(8 each), then the normal number that is left over from a pair, with a flag.
"""

from __future__ import annotations

import struct
from typing import Any

_WORDS = 624
_SIZE = 5056
_LEFT, _NEXT, _STATE = 8, 16, 24
_TAIL = _STATE + 8 * _WORDS
_DOUBLE_IS_VALID, _FLOAT_IS_VALID = _TAIL + 24, _TAIL + 36
_CHUNK = 1000  # blocks of 624 numbers compared at once

MAX_BLOCKS = 5_000_000
"""Limit of the search: 3e9 numbers, three times what building the real model consumes."""


class UnknownStateError(Exception):
    """The generator's state cannot be advanced."""


def count_draws(before: bytes, after: bytes, *, blocks: int = MAX_BLOCKS) -> int:
    """Return how many 32-bit numbers lie between two states of a generator.

    Raises `UnknownStateError` if the second state does not follow the first within `blocks` blocks
    of 624 numbers.
    """
    import numpy as np  # noqa: PLC0415 (heavy, and installed only with torch)

    if len(before) != _SIZE or len(after) != _SIZE:
        raise UnknownStateError("The state has another size.")
    if struct.unpack_from("<i", after, _DOUBLE_IS_VALID)[0] or after[_FLOAT_IS_VALID]:
        raise UnknownStateError("Half a pair of normal numbers is left over.")
    start, wanted = _words(before), _words(after)
    first, last = _position(before), _position(after)
    if (start == wanted).all() and last >= first:
        return last - first
    generator = _twister(start, _WORDS)
    next_block = _twister(wanted, 0).random_raw(_WORDS)
    done = 0
    while done < blocks:
        numbers = generator.random_raw(_CHUNK * _WORDS).reshape(_CHUNK, _WORDS)
        hits = np.flatnonzero((numbers == next_block).all(axis=1))
        if hits.size:
            return (_WORDS - first) + (done + int(hits[0])) * _WORDS + last
        done += _CHUNK
    raise UnknownStateError("The states are not of one sequence.")


def advance(state: bytes, numbers: int) -> bytes:
    """Return the state `numbers` draws after `state`."""
    if numbers == 0:
        return state
    generator = _twister(_words(state), _position(state))
    generator.random_raw(numbers, output=False)
    twister = generator.state["state"]
    position = int(twister["pos"])
    moved = bytearray(state)
    struct.pack_into("<i", moved, _LEFT, _WORDS + 1 - position)
    struct.pack_into("<Q", moved, _NEXT, position)
    moved[_STATE:_TAIL] = twister["key"].astype("<u8").tobytes()
    struct.pack_into("<i", moved, _DOUBLE_IS_VALID, 0)
    moved[_FLOAT_IS_VALID] = 0
    return bytes(moved)


def _words(state: bytes) -> Any:
    import numpy as np  # noqa: PLC0415 (as above)

    return np.frombuffer(state, dtype="<u8", count=_WORDS, offset=_STATE).astype(np.uint32)


def _position(state: bytes) -> int:
    """Return how many numbers of the block are used; after seeding all of them are."""
    (left,) = struct.unpack_from("<i", state, _LEFT)
    (following,) = struct.unpack_from("<Q", state, _NEXT)
    return _WORDS if left == 1 else int(following)


def _twister(words: Any, position: int) -> Any:
    import numpy as np  # noqa: PLC0415 (as above)

    generator = np.random.MT19937()
    generator.state = {
        "bit_generator": "MT19937",
        "state": {"key": words, "pos": position},
    }
    return generator
