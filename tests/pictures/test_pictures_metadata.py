"""Metadata never decide whether a file is a picture, however large, odd or damaged they are."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from PIL import Image

from sdrest.pictures.orientation import orientation
from tests.support.paths import DATA
from tests.support.picture_files import COLOUR, prepared, refusal
from tests.support.pngs import chunk, flat, header, pixels, png

CASES = DATA / "cases"


MIB = 1024 * 1024


DAMAGED = "Is a damaged or incomplete image."


def two_idats(between: bytes) -> bytes:
    data = pixels([bytes(COLOUR) * 8] * 8)
    return png(header((8, 8)), chunk(b"IDAT", data[:9]), between, chunk(b"IDAT", data[9:]))


def bomb(size: int) -> bytes:
    """Compress zeros to about a thousandth."""
    compressor = zlib.compressobj(9)
    block = bytes(MIB)
    parts = [compressor.compress(block) for _ in range(size // MIB)]
    return b"".join([*parts, compressor.flush()])


TEXT = zlib.compress(b"workflow " * 400_000)


ANCILLARY = {
    "no ancillary chunk": flat(),
    "zTXt of 3 MiB": flat(before=chunk(b"zTXt", b"workflow\0\0" + TEXT)),
    "iTXt of 3 MiB": flat(before=chunk(b"iTXt", b"workflow\0\1\0\0\0" + TEXT)),
    "zTXt behind the pixels": flat(after=chunk(b"zTXt", b"workflow\0\0" + TEXT)),
    "tEXt of 3 MiB": flat(before=chunk(b"tEXt", b"workflow\0" + b"x" * 3 * MIB)),
    "100 MiB of texts": flat(before=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(MIB))) * 100),
    "zTXt of an unknown method": flat(before=chunk(b"zTXt", b"a\0\x07" + TEXT[:50])),
    "iTXt of an unknown method": flat(before=chunk(b"iTXt", b"a\0\1\x07\0\0" + TEXT[:50])),
    "iTXt that is no UTF-8": flat(before=chunk(b"iTXt", b"a\0\0\0\0\0\xff\xfe\xfd")),
    "iTXt without its fields": flat(before=chunk(b"iTXt", b"a")),
    "zTXt that is cut": flat(before=chunk(b"zTXt", b"workflow\0\0" + TEXT[:50])),
    "texts without a keyword": flat(before=chunk(b"tEXt") + chunk(b"zTXt") + chunk(b"iTXt")),
    "iCCP of 3 MiB": flat(before=chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3 * MIB)))),
    "iCCP of garbage": flat(before=chunk(b"iCCP", b"p\0\0garbage")),
    "iCCP of an unknown method": flat(before=chunk(b"iCCP", b"p\0\x09" + TEXT[:50])),
    "iCCP without a name": flat(before=chunk(b"iCCP", b"\0\0" + zlib.compress(b"x"))),
    "empty iCCP": flat(before=chunk(b"iCCP")),
    **{
        f"{kind.decode()} of {size} bytes": flat(before=chunk(kind, bytes(size)))
        for kind in (b"gAMA", b"cHRM", b"pHYs", b"tIME", b"sRGB", b"cICP", b"eXIf", b"bKGD")
        for size in (0, 1, 3, 5, 33)
        if (kind, size) != (b"sRGB", 1)
    },
    **{
        f"{kind.decode()} with a wrong checksum": flat(
            before=chunk(kind, b"Software\0paint", crc=1)
        )
        for kind in (
            b"tEXt",
            b"zTXt",
            b"iTXt",
            b"eXIf",
            b"iCCP",
            b"gAMA",
            b"tRNS",
            b"acTL",
            b"prVt",
        )
    },
    "a wrong checksum behind the pixels": flat(after=chunk(b"tEXt", b"a\0b", crc=1)),
    "a length that is too short": flat(before=chunk(b"tEXt", b"a\0" + b"b" * 40, length=9)),
    "a length that is too long": flat(before=chunk(b"tEXt", b"a\0b", length=30)),
    "a length beyond the end": flat(before=chunk(b"tEXt", b"a\0b", length=2**32 - 1)),
    "a length that is too long at last": flat(after=chunk(b"tEXt", b"a\0b", length=2000)),
    "unknown chunks": flat(before=chunk(b"prVt", b"x" * 99), after=chunk(b"vpAg", b"y")),
    "tIME and text between IDATs": two_idats(chunk(b"tIME", bytes(7)) + chunk(b"tEXt", b"a\0b")),
    "a wrong checksum between IDATs": two_idats(chunk(b"tEXt", b"a\0b", crc=1)),
    "a wrong length between IDATs": two_idats(chunk(b"tEXt", b"a\0b", length=99)),
    "empty IDATs": two_idats(chunk(b"IDAT") * 3),
    "garbage behind IEND": flat() + b"garbage" * 99,
    "a second PNG behind IEND": flat() + flat(b"\0\0\0"),
    "gAMA, iCCP and tRNS behind the pixels": flat(
        after=chunk(b"gAMA", (100_000).to_bytes(4, "big"))
        + chunk(b"iCCP", b"p\0\0x")
        + chunk(b"tRNS", struct.pack(">3H", *COLOUR))
    ),
    "tRNS of a wrong length": flat(before=chunk(b"tRNS", b"\0")),
    "acTL of no frames": flat(before=chunk(b"acTL", bytes(8))),
    "short acTL, fcTL and fdAT": flat(
        before=chunk(b"acTL", b"1") + chunk(b"fcTL", b"2"), after=chunk(b"fdAT", b"3")
    ),
    "fcTL out of order and larger than the picture": flat(
        before=chunk(b"acTL", struct.pack(">2I", 2, 0))
        + chunk(b"fcTL", struct.pack(">5I2H2B", 7, 99, 99, 9, 9, 1, 1, 0, 0))
    ),
    "100000 chunks": flat(before=chunk(b"prVt") * 100_000),
}


@pytest.mark.parametrize("case", ANCILLARY)
def test_ancillary_chunks_never_decide(tmp_path: Path, case: str) -> None:
    made = prepared(tmp_path, ANCILLARY[case])

    assert made.size == (8, 8)
    assert made.getcolors() == [(64, COLOUR)]


@pytest.mark.parametrize("case", sorted(CASES.glob("kind-*.png")), ids=lambda path: path.stem)
def test_files_that_people_have(tmp_path: Path, case: Path) -> None:
    assert prepared(tmp_path, case.read_bytes()).getcolors() == [(60_000, COLOUR)]


def test_an_animated_png_is_its_default_image(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (COLOUR, "blue", "green")]
    for first in (False, True):
        buffer = io.BytesIO()
        frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], default_image=first)

        assert prepared(tmp_path, buffer.getvalue()).getcolors() == [(64, COLOUR)]


SOUND = flat()


IDAT = SOUND.index(b"IDAT")


PALETTE = chunk(b"PLTE", bytes(COLOUR))


INDEXED = chunk(b"IDAT", pixels([bytes(8)] * 8))


CRITICAL = {
    "IHDR with a wrong checksum": SOUND[:29] + b"\0\0\0\0" + SOUND[33:],
    "IHDR of 12 bytes": png(chunk(b"IHDR", SOUND[16:28]), SOUND[33:]),
    "no IHDR": png(SOUND[33:]),
    "IDAT with a wrong checksum": png(
        header((8, 8)), chunk(b"IDAT", pixels([bytes(COLOUR) * 8] * 8), crc=1)
    ),
    "IDAT with a wrong byte": SOUND[: IDAT + 8] + b"\x55" + SOUND[IDAT + 9 :],
    "IDAT with a wrong length": SOUND[: IDAT - 1] + b"\x05" + SOUND[IDAT:],
    "no IDAT": png(header((8, 8))),
    "fdAT alone": png(header((8, 8)), chunk(b"fdAT", bytes(4) + pixels([bytes(24)] * 8))),
    "no IEND": SOUND[:-12],
    "half of IEND": SOUND[:-5],
    "cut in IDAT": SOUND[: IDAT + 9],
    "PLTE with a wrong checksum": png(
        header((8, 8), 8, 3), chunk(b"PLTE", bytes(COLOUR), crc=1), INDEXED
    ),
    "no PLTE": png(header((8, 8), 8, 3), INDEXED),
    "empty PLTE": png(header((8, 8), 8, 3), chunk(b"PLTE"), INDEXED),
    "a type that is none": png(header((8, 8)), chunk(b"\0\0\0\0"), SOUND[33:]),
    "a colour type that is none": png(header((8, 8), 8, 5), SOUND[33:]),
}


@pytest.mark.parametrize("case", CRITICAL)
def test_damaged_critical_chunks_are_refused(tmp_path: Path, case: str) -> None:
    assert prepared(tmp_path, png(header((8, 8), 8, 3), PALETTE, INDEXED)).size == (8, 8)
    assert refusal(tmp_path, CRITICAL[case]) == DAMAGED


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_what_is_compressed_costs_no_memory(tmp_path: Path, kind: bytes) -> None:
    head = {b"zTXt": b"Raw profile type exif\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0"}
    content = flat(before=chunk(kind, head.get(kind, b"p\0\0") + bomb(512 * MIB)))

    tracemalloc.start()
    try:
        made = prepared(tmp_path, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert made.getcolors() == [(64, COLOUR)]
    assert peak < 40 * MIB


def test_searching_for_the_next_chunk_has_an_end(tmp_path: Path) -> None:
    lures = struct.pack(">I4s", 3 * MIB, b"IDAT") * 400_000
    content = flat(before=chunk(b"tEXt", lures, length=2**32 - 1))

    assert refusal(tmp_path, content) == DAMAGED


def png_transparency() -> dict[str, bytes]:
    key = struct.pack(">3H", *COLOUR)
    wide = bytes(value for part in COLOUR for value in (part, 7))
    return {
        "RGB": flat(before=chunk(b"tRNS", key)),
        "RGB of 16 bits": flat(wide, chunk(b"tRNS", wide), depth=16),
        "grey": flat(b"\x50", chunk(b"tRNS", b"\0\x50"), colour_type=0),
        "grey of 16 bits": flat(b"\x50\x01", chunk(b"tRNS", b"\x50\x01"), colour_type=0, depth=16),
        "grey of 4 bits": flat(
            b"\x33", chunk(b"tRNS", b"\0\3"), size=(8, 8), colour_type=0, depth=4
        ),
        "grey of 2 bits": flat(b"\xaa", chunk(b"tRNS", b"\0\2"), colour_type=0, depth=2),
        "grey of 1 bit": flat(b"\0", chunk(b"tRNS", b"\0\0"), colour_type=0, depth=1),
        "palette": flat(b"\0", PALETTE + chunk(b"tRNS", b"\0"), colour_type=3),
        "palette, tRNS first": flat(b"\0", chunk(b"tRNS", b"\0") + PALETTE, colour_type=3),
    }


@pytest.mark.parametrize("case", png_transparency())
def test_trns_decides_about_transparency(tmp_path: Path, case: str) -> None:
    made = prepared(tmp_path, png_transparency()[case])

    assert made.getpixel((0, 0)) == (255, 255, 255)


def turned(orientation: int) -> bytes:
    """EXIF data with an orientation and nothing else."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


PROFILE = b"\nexif\n      26\n" + turned(6).hex().encode() + b"\n"


TURNED = {
    "eXIf": chunk(b"eXIf", turned(6)),
    "eXIf with a head": chunk(b"eXIf", b"Exif\0\0" + turned(6)),
    "ImageMagick's text": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE)),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "compressed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
}


@pytest.mark.parametrize("case", TURNED)
@pytest.mark.parametrize("behind", [False, True])
def test_orientation_of_pngs(tmp_path: Path, case: str, behind: bool) -> None:
    content = flat(before=TURNED[case], size=(8, 4))
    if behind:
        content = flat(after=TURNED[case], size=(8, 4))

    assert prepared(tmp_path, content).size == (4, 8)


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_damaged_exif_is_no_orientation_or_the_right_one(length: int) -> None:
    assert orientation(turned(6)[:length] + b"\xff" * 9) in {1, 6}
    assert orientation(turned(6)[:-4] + b"\xff" * 4) == 6
    assert orientation(turned(9)) == 1
