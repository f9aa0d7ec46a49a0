"""Which segments and chunks of JPEG, WebP and GIF files decide about the picture."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from tests.support.picture_files import COLOUR, prepared, refusal


def jpeg(*segments: bytes, **options: object) -> bytes:
    """Return a JPEG with segments behind its first one, which is JFIF's."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), COLOUR).save(buffer, "JPEG", quality=95, **options)
    content = buffer.getvalue()
    return content[:20] + b"".join(segments) + content[20:]


def segment(marker: int, data: bytes, length: int | None = None) -> bytes:
    length = len(data) + 2 if length is None else length
    return struct.pack(">BBH", 0xFF, marker, length) + data


PREVIEW = jpeg()


SEGMENTS = {
    "none": b"",
    "EXIF of garbage": segment(0xE1, b"Exif\0\0garbage" * 9),
    "EXIF without data": segment(0xE1, b"Exif\0\0"),
    "EXIF with values outside": segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 60),
    "XMP of garbage": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0\xff\xfe<<<"),
    "ICC without a number": segment(0xE2, b"ICC_PROFILE\0"),
    "ICC of garbage": segment(0xE2, b"ICC_PROFILE\0\1\1garbage"),
    "ICC of a missing part": segment(0xE2, b"ICC_PROFILE\0\1\2" + bytes(200)),
    "ICC twice the same part": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200)) * 2,
    "MPF of garbage": segment(0xE2, b"MPF\0garbage"),
    "MPF without data": segment(0xE2, b"MPF\0"),
    "short FlashPix": segment(0xE2, b"FPXR\0"),
    "short JFIF": segment(0xE0, b"JFIF\0"),
    "short Adobe": segment(0xEE, b"Adobe"),
    "Photoshop that is cut": segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed"),
    "Photoshop without a name": segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
    "resolution that is cut": segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x02\0\0"),
    "empty comment": segment(0xFE, b""),
    "comment of 64 KiB": segment(0xFE, b"x" * 65_000),
    "every APPn": b"".join(segment(0xE0 + number, b"?") for number in range(16)),
    "a length of 0": segment(0xE1, b"Exif\0\0??", 0),
    "a length that is too short": segment(0xE1, b"Exif\0\0" + b"?" * 90, 12),
    "a length that is too long": segment(0xE1, b"Exif\0\0" + b"?" * 9, 90),
    "a length beyond the end": segment(0xE1, b"Exif\0\0" + b"?" * 9, 65_535),
    "a preview, whose length is wrong": segment(0xE1, b"Exif\0\0" + PREVIEW, 65_535),
    "fill bytes": b"\xff\xff\xff" + segment(0xFE, b"x"),
}


@pytest.mark.parametrize("case", SEGMENTS)
@pytest.mark.parametrize("progressive", [False, True])
def test_segments_of_metadata_never_decide(
    tmp_path: Path,
    case: str,
    progressive: bool,
) -> None:
    plain = prepared(tmp_path, jpeg(progressive=progressive)).tobytes()

    made = prepared(tmp_path, jpeg(SEGMENTS[case], progressive=progressive))

    assert made.size == (16, 8)
    assert made.tobytes() == plain


@pytest.mark.parametrize("damage", ["no scan", "no tables", "a cut scan"])
def test_jpegs_without_their_pixels_are_refused(tmp_path: Path, damage: str) -> None:
    content = jpeg()
    scan = content.index(b"\xff\xda")
    table = content.index(b"\xff\xdb")
    broken = {
        "no scan": content[:scan],
        "no tables": content[:table] + content[scan:],
        "a cut scan": content[: scan + 14],
    }

    assert refusal(tmp_path, broken[damage]).startswith("Is ")


def test_the_first_picture_of_an_mpo_counts(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    first = Image.new("RGB", (16, 8), COLOUR)
    gain = Image.new("L", (4, 2), 90).convert("RGB")
    first.save(buffer, "MPO", save_all=True, append_images=[gain], exif=exif, quality=95)

    made = prepared(tmp_path, buffer.getvalue())

    assert made.size == (8, 16)
    assert max(ImageChops.difference(made, Image.new("RGB", (8, 16), COLOUR)).tobytes()) <= 3


def webp(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), COLOUR).save(buffer, "WEBP", lossless=True, **options)
    return buffer.getvalue()


WEBPS = {
    "EXIF of garbage": webp(exif=b"Exif\0\0garbage"),
    "ICC of garbage": webp(icc_profile=b"garbage"),
    "XMP of garbage": webp(xmp=b"\xff\xfe<<<"),
    "XMP that is cut": webp(xmp=b"<x>" * 40)[:-50],
    "a length beyond the end": webp(exif=b"?" * 40).replace(b"EXIF(\0\0\0", b"EXIF\xff\xff\0\0"),
    "an unknown chunk": webp(xmp=b"x" * 8).replace(b"XMP ", b"abcd"),
    "garbage behind the end": webp() + b"garbage",
}


@pytest.mark.parametrize("case", WEBPS)
def test_chunks_of_metadata_never_decide(tmp_path: Path, case: str) -> None:
    assert prepared(tmp_path, WEBPS[case]).getcolors() == [(128, COLOUR)]


def gif(extension: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.new("P", (8, 8), 1).save(buffer, "GIF", palette=bytes((0, 0, 0, *COLOUR)))
    content = buffer.getvalue()
    start = content.index(b",\0\0\0\0")
    return content[:start] + extension + content[start:]


@pytest.mark.parametrize(
    "extension",
    [
        b"!\xf9\x00",
        b"!\xf9\x01\x00\x00",
        b"!\xf9\x02\x01\x00\x00",
        b"!\xfe\x03abc\x00",
        b"!\xfe\x00",
        b"!\xff\x0bNETSCAPE2.0\x00",
        b"!\xff\x0bXMP DataXMP\x03<x>\x00",
        b"!\x01\x01x\x00",
        b"!\x77\x02ab\x00",
    ],
    ids=["no control", "short control", "control of 2", "comment", "no comment", "short loop",
         "XMP", "text", "unknown"],
)  # fmt: skip
def test_extensions_of_gifs_never_decide(tmp_path: Path, extension: bytes) -> None:
    assert prepared(tmp_path, gif(extension)).getcolors() == [(64, COLOUR)]
