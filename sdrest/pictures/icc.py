"""Builds ICC profiles of RGB spaces from chromaticities and a curve. Pure.

The layout is that of ICC.1:2010 (version 4.3), the adaptation to its white point Bradford's.
"""

import struct
from collections.abc import Sequence

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue, in the order of PNG's cHRM."""

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

SRGB: Chromaticities = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
DISPLAY_P3: Chromaticities = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
BT_2020: Chromaticities = (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)

_D50: Vector = (0.96422, 1.0, 0.82521)
_BRADFORD: Matrix = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)
_HEADER = 128


def power_curve(exponent: float) -> bytes:
    """Return the curve of linear light = value ** exponent."""
    return b"para\0\0\0\0\0\0\0\0" + _fixed(exponent)


SRGB_CURVE = b"para\0\0\0\0\0\x03\0\0" + struct.pack(
    ">5i", *(round(each * 65536) for each in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


def profile(chromaticities: Chromaticities, curve: bytes) -> bytes | None:
    """Return the profile of an RGB space, or None if the chromaticities are invalid."""
    primaries_in_d50 = _adapted_primaries(chromaticities)
    if primaries_in_d50 is None:
        return None
    tags = [(b"wtpt", _xyz(_D50))]
    tags += [
        (name, _xyz(each))
        for name, each in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries_in_d50, strict=True)
    ]
    curve += b"\0" * (-len(curve) % 4)
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    offset = _HEADER + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += content
    header = struct.pack(
        ">I4sI4s4s4s12s4s28s12s48x",
        offset + len(data), b"", 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp", b"",
        b"".join(map(_fixed, _D50)),
    )  # fmt: skip
    return header + table + data


def _adapted_primaries(chromaticities: Chromaticities) -> Matrix | None:
    """Return XYZ of full red, green and blue, adapted to D50."""
    points = [(chromaticities[at], chromaticities[at + 1]) for at in range(0, 8, 2)]
    if any(x < 0 or y <= 0 or x + y > 1 for x, y in points):
        return None
    white, *primaries = [(x / y, 1.0, (1 - x - y) / y) for x, y in points]
    inverse = _inverse(_transposed(primaries))
    if inverse is None:
        return None
    amounts = _times(inverse, white)
    if min(amounts) <= 0:  # white is not a mixture of the primaries
        return None
    seen, wanted = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    back = _inverse(_BRADFORD)
    if back is None or min(seen) <= 0:
        return None
    scale = _vector([new / old for new, old in zip(wanted, seen, strict=True)])
    adapted: list[Vector] = []
    for amount, primary in zip(amounts, primaries, strict=True):
        cones = _times(_BRADFORD, _vector([amount * each for each in primary]))
        adapted.append(_times(back, _vector([a * b for a, b in zip(cones, scale, strict=True)])))
    return adapted[0], adapted[1], adapted[2]


def _vector(values: Sequence[float]) -> Vector:
    x, y, z = values
    return x, y, z


def _transposed(rows: Sequence[Vector]) -> Matrix:
    x, y, z = (_vector(column) for column in zip(*rows, strict=True))
    return x, y, z


def _times(matrix: Matrix, vector: Vector) -> Vector:
    return _vector([sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix])


def _inverse(matrix: Matrix) -> Matrix | None:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) < 1e-6:  # noqa: PLR2004 (the primaries are collinear)
        return None
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    x, y, z = (_vector([each / determinant for each in row]) for row in rows)
    return x, y, z


def _fixed(value: float) -> bytes:
    return struct.pack(">i", max(-(2**31), min(2**31 - 1, round(value * 65536))))


def _xyz(vector: Vector) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, vector))
