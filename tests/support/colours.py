"""Colour profiles and chunks, for the tests of colours."""

import struct

from PIL import Image, ImageCms

from sdrest.pictures import icc

P3 = icc.profile(icc.DISPLAY_P3, icc.SRGB_CURVE) or b""


ADOBE_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


SRGB = icc.profile(icc.SRGB, icc.SRGB_CURVE) or b""


RED = (200, 60, 60)


def colour(picture: Image.Image) -> tuple[int, ...]:
    found = picture.getpixel((1, 1))
    assert isinstance(found, tuple)
    return found


def near(one: tuple[int, ...], other: tuple[int, ...], most: int = 1) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= most


def grey_profile(curve: bytes) -> bytes:
    """Return an ICC profile of grey: a header, a white point and a curve."""
    tags = [
        (b"wtpt", b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)),
        (b"kTRC", curve),
    ]
    offset, table, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += content
    colour = bytearray(P3[:128])
    colour[16:20] = b"GRAY"
    colour[:4] = struct.pack(">I", offset + len(data))
    return bytes(colour) + table + data


def cmyk_profile() -> bytes:
    """Return an ICC profile of CMYK: a table of two steps, in which ink is lightness and hue."""
    lab = []
    for cyan in (0, 1):
        for magenta in (0, 1):
            for yellow in (0, 1):
                for black in (0, 1):
                    light = max(0.0, 100 - 40 * cyan - 40 * magenta - 10 * yellow) * (1 - black)
                    lab += [
                        light,
                        60.0 * (magenta - cyan) * (1 - black),
                        70.0 * yellow * (1 - black),
                    ]
    steps = [
        round(value / 100 * 0xFF00) if at % 3 == 0 else round((value + 128) * 256)
        for at, value in enumerate(lab)
    ]
    table = (
        b"mft2\0\0\0\0" + bytes((4, 3, 2, 0))
        + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
        + struct.pack(">2H", 2, 2)
        + struct.pack(">8H", *(0, 65535) * 4)
        + struct.pack(f">{len(steps)}H", *steps)
        + struct.pack(">6H", *(0, 65535) * 3)
    )  # fmt: skip
    head = bytearray(P3[:128])
    head[8:12] = b"\x02\x40\0\0"
    head[12:24] = b"prtrCMYKLab "
    head[:4] = struct.pack(">I", 128 + 4 + 12 + len(table))
    return bytes(head) + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def lut_profile() -> bytes:
    """Return an ICC profile of RGB that is a table alone: it swaps red and blue."""
    values = [part for r in (0, 1) for g in (0, 1) for b in (0, 1) for part in _lab(b, g, r)]
    table = (
        b"mft2\0\0\0\0" + bytes((3, 3, 2, 0))
        + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
        + struct.pack(">2H", 2, 2)
        + struct.pack(">6H", *(0, 65535) * 3)
        + struct.pack(f">{len(values)}H", *values)
        + struct.pack(">6H", *(0, 65535) * 3)
    )  # fmt: skip
    head = bytearray(P3[:128])
    head[8:12] = b"\x02\x40\0\0"
    head[20:24] = b"Lab "
    head[:4] = struct.pack(">I", 144 + len(table))
    return bytes(head) + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def _lab(*rgb: int) -> tuple[int, int, int]:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    made = ImageCms.applyTransform(
        Image.new("RGB", (1, 1), tuple(255 * part for part in rgb)), transform
    )
    assert made is not None
    light, green, blue = made.tobytes()
    return light * 256, ((green + 128) % 256) * 256, ((blue + 128) % 256) * 256
