"""Jumps a Mersenne Twister (MT19937) ahead without drawing its numbers. Pure.

Each bit of the generator's words follows one linear recurrence over GF(2), with the characteristic
polynomial P of degree 19937. If x**n mod P has the terms x**i, then the words n places ahead are
the XOR of the words i places ahead. Polynomials are integers: bit i is the coefficient of x**i.

The formula of P: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), appendix A. The
method: Haramoto, Matsumoto et al., "Efficient Jump Ahead for F2-Linear Random Number Generators",
INFORMS Journal on Computing 20 (2008).
"""

from __future__ import annotations

import functools
from typing import Any

WORDS = 624
_MIDDLE = 397
_LOWER_BITS = 31
_WORD_BITS = 32
_MATRIX = 0x9908B0DF
_DEGREE = 19937
_SHORTEST_JUMP = 2  # blocks; the last ones are drawn, since a jump leaves 31 bits of a block open


def advance(words: Any, position: int, numbers: int) -> tuple[Any, int]:
    """Return the block of `WORDS` words and the position in it, `numbers` draws later."""
    blocks = max(0, numbers // WORDS - _SHORTEST_JUMP)
    if blocks:
        words = _jump(words, blocks)
    following = generator(words, position)
    following.random_raw(numbers - blocks * WORDS, output=False)
    state = following.state["state"]
    return state["key"], int(state["pos"])


def generator(words: Any, position: int) -> Any:
    """Return NumPy's generator in a state."""
    import numpy as np  # noqa: PLC0415 (heavy, and installed only with torch)

    result = np.random.MT19937()
    result.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": position}}
    return result


def _jump(words: Any, blocks: int) -> Any:
    import numpy as np  # noqa: PLC0415 (as above)

    following = _sequence(words, _DEGREE + WORDS)
    jumped = np.zeros(WORDS, dtype=np.uint32)
    for place in _terms(_power(blocks * WORDS)):
        jumped ^= following[place : place + WORDS]
    return jumped


def _sequence(words: Any, count: int) -> Any:
    """Return at least `count` words of the generator, from a block on, not tempered."""
    import numpy as np  # noqa: PLC0415 (as above)

    blocks = [words]
    following = generator(words, WORDS)
    for _ in range(count // WORDS):
        following.random_raw(WORDS, output=False)
        blocks.append(following.state["state"]["key"])
    return np.concatenate(blocks)


@functools.lru_cache(maxsize=16)
def _power(exponent: int) -> int:
    """Return x**`exponent` mod P."""
    result = 1
    for bit in f"{exponent:b}":
        square = int("0".join(f"{result:b}"), 2)  # over GF(2): a 0 between any two bits
        result = _remainder(square << int(bit))
    return result


def _remainder(value: int) -> int:
    """Return `value` mod P."""
    terms = _lower_terms()
    while value >> _DEGREE:
        upper = value >> _DEGREE
        value ^= upper << _DEGREE
        for term in terms:
            value ^= upper << term
    return value


@functools.lru_cache(maxsize=1)
def _lower_terms() -> tuple[int, ...]:
    """Return the exponents of P, but for the highest."""
    upper = [1]  # powers of t**624 + t**397, one for each upper bit of a word
    for _ in range(_WORD_BITS - _LOWER_BITS):
        upper.append(upper[-1] << WORDS ^ upper[-1] << _MIDDLE)
    products = [upper[-1]]  # times powers of t**623 + t**396, one for each lower bit
    for _ in range(_LOWER_BITS):
        products.append(products[-1] << WORDS - 1 ^ products[-1] << _MIDDLE - 1)
    descending = [*reversed(products), *reversed(upper[:-1])]
    polynomial = descending[0]
    for bit, product in enumerate(descending[1:]):
        if _MATRIX >> bit & 1:
            polynomial ^= product
    return _terms(polynomial)[:-1]


def _terms(polynomial: int) -> tuple[int, ...]:
    return tuple(place for place, bit in enumerate(reversed(bin(polynomial))) if bit == "1")
