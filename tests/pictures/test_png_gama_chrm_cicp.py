"""Colours that PNG chunks declare: gAMA, cHRM, cICP, sRGB, iCCP."""

import struct
import zlib
from pathlib import Path

import pytest

from sdrest.pictures import icc
from tests.support.colours import ADOBE_PRIMARIES, P3, RED, SRGB, colour, near
from tests.support.picture_files import prepared
from tests.support.pngs import chunk, flat, header, pixels, png


def gama(exponent: float) -> bytes:
    return chunk(b"gAMA", round(exponent * 100_000).to_bytes(4, "big"))


def chrm(chromaticities: icc.Chromaticities) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(each * 100_000) for each in chromaticities)))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"a name\0\0" + zlib.compress(profile))


@pytest.mark.parametrize(
    "chunks",
    [
        gama(0.45455),
        gama(0.45),
        gama(0.45455) + chrm(icc.SRGB),
        chunk(b"sRGB", b"\0"),
        chunk(b"sRGB", b"\0") + gama(1.0),
        gama(1.0) + chunk(b"sRGB", b"\1"),
        chunk(b"sRGB", b"\0") + gama(1.0) + chrm(icc.BT_2020),
        iccp(SRGB) + gama(1.0),
        chunk(b"cICP", b"\1\x0d\0\1") + iccp(P3),
        chunk(b"cICP", b"\1\x0d\0\1") + gama(1.0),
        chrm(icc.DISPLAY_P3),
        gama(0),
        gama(0.00001),
        gama(40_000),
        gama(0.45455) + chunk(b"cHRM", bytes(32)),
        gama(0.45455) + chrm((0.9, 0.9, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)),
        gama(0.45455) + chrm((0.31, 0.33) * 4),
    ],
    ids=range(17),
)
def test_chunks_that_say_srgb_or_nothing_of_use_change_nothing(
    tmp_path: Path, chunks: bytes
) -> None:
    assert colour(prepared(tmp_path, flat(bytes(RED), chunks))) == RED


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (gama(1.0), (229, 133, 133)),
        (gama(1 / 1.8), (210, 77, 77)),
        (gama(1.0) + chrm(icc.SRGB), (229, 133, 133)),
        (gama(1.0) + chunk(b"cHRM", bytes(32)), (229, 133, 133)),
        (gama(1.0) + iccp(b"garbage"), (229, 133, 133)),
        (iccp(P3) + gama(1.0) + chunk(b"sRGB", b"\0"), (217, 42, 52)),
        (chunk(b"cICP", b"\x0c\x0d\0\1") + chunk(b"sRGB", b"\0"), (217, 42, 52)),
        (chunk(b"cICP", b"\x0c\x0d\0\1") + iccp(SRGB), (217, 42, 52)),
        (chunk(b"cICP", b"\x09\x10\0\1") + iccp(P3), (217, 42, 52)),  # PQ
        (chunk(b"cICP", b"\1\x08\0\1"), (229, 133, 133)),
        (gama(256 / 563) + chrm(ADOBE_PRIMARIES), (231, 57, 57)),
    ],
    ids=range(11),
)
def test_chunks_of_colours_count_in_their_order(
    tmp_path: Path, chunks: bytes, expected: tuple[int, ...]
) -> None:
    assert near(colour(prepared(tmp_path, flat(bytes(RED), chunks))), expected)


def test_gamma_of_every_kind_of_pixels(tmp_path: Path) -> None:
    linear, light = 60, 133
    grey = bytes((linear,))
    wide = struct.pack(">H", linear * 257)
    contents = {
        "grey": flat(grey, gama(1.0), colour_type=0),
        "grey of 16 bits": flat(wide, gama(1.0), colour_type=0, depth=16),
        "grey with alpha": flat(grey + b"\xff", gama(1.0), colour_type=4),
        "grey with alpha of 16 bits": flat(wide + b"\xff\xff", gama(1.0), colour_type=4, depth=16),
        "RGB of 16 bits": flat(wide * 3, gama(1.0), depth=16),
        "RGB with alpha": flat(grey * 3 + b"\xff", gama(1.0), colour_type=6),
        "palette": png(
            header((8, 8), 8, 3), gama(1.0), chunk(b"PLTE", grey * 3),
            chunk(b"IDAT", pixels([bytes(8)] * 8)),
        ),
        "a transparent colour that is none of the pixels'": flat(
            grey * 3, gama(1.0) + chunk(b"tRNS", struct.pack(">3H", light, light, light))
        ),
    }  # fmt: skip
    for name, content in contents.items():
        assert colour(prepared(tmp_path, content)) == (light,) * 3, name


def test_gamma_keeps_the_shadows_of_16_bits(tmp_path: Path) -> None:
    dark = [flat(struct.pack(">H", v), gama(1.0), colour_type=0, depth=16) for v in (40, 90)]

    assert [colour(prepared(tmp_path, each))[0] for each in dark] == [2, 5]
