"""Masks as the programs of other makers write them, and what is repainted of each.

In each case a square is painted, or cut out, in the middle of the mask.
"""

from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

SIDE = 96
SQUARE = (32, 32, 64, 64)
CLEAR = (0, 0, 0, 0)
Colour = int | tuple[int, ...]


def photo(mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture of dull colours, all lightnesses and soft edges."""
    ramp = Image.linear_gradient("L").resize((SIDE, SIDE))
    other = Image.radial_gradient("L").resize((SIDE, SIDE)).rotate(seed)
    third = Image.blend(ramp.rotate(90), other, 0.5)
    return Image.merge("RGB", (ramp, Image.blend(ramp, other, 0.4), third)).convert(mode)


def square(ground: Colour, ink: Colour, mode: str = "RGB") -> Image.Image:
    picture = Image.new(mode, (SIDE, SIDE), ground)
    picture.paste(ink, SQUARE)
    return picture


def hole(picture: Image.Image, alpha: int = 0) -> Image.Image:
    """Cut the square out; the colour below stays."""
    opacity = Image.new("L", picture.size, 255)
    opacity.paste(alpha, SQUARE)
    picture = picture.copy()
    picture.putalpha(opacity)
    return picture


def brush(colour: tuple[int, int, int], alpha: int = 255, below: Colour = CLEAR) -> Image.Image:
    """Paint the square on a clear canvas."""
    return square(below, (*colour, alpha), "RGBA")


def layers(ground: Image.Image, colour: tuple[int, int, int], alpha: int) -> Image.Image:
    """Paint the square on a picture, with a brush that is not opaque."""
    return Image.alpha_composite(ground.convert("RGBA"), brush(colour, alpha)).convert("RGB")


def blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(3))


def stroke(ground: Colour, ink: Colour, mode: str = "RGB", width: int = 9) -> Image.Image:
    """Paint the square's outline and fill with a round brush, at the edge of several pixels."""
    large = Image.new(mode, (SIDE * 4, SIDE * 4), ground)
    left, top, right, bottom = (4 * each for each in SQUARE)
    ImageDraw.Draw(large).rectangle((left, top, right - 1, bottom - 1), fill=ink, width=width)
    return large.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def cut(picture: Image.Image) -> Image.Image:
    """Clear the upper part."""
    picture = picture.convert("RGBA")
    picture.paste(CLEAR, (0, 0, SIDE, 20))
    return picture


def veiled(picture: Image.Image, alpha: int) -> Image.Image:
    """Make the whole mask half transparent."""
    picture = picture.copy()
    picture.putalpha(alpha)
    return picture


def where(mask: Image.Image | None) -> str:
    """Say in a word what is repainted; two pixels around the square's edge do not matter."""
    if mask is None:
        return "nothing"
    left, top, right, bottom = SQUARE
    inner = set(mask.crop((left + 2, top + 2, right - 2, bottom - 2)).tobytes())
    outer = mask.copy()
    outer.paste(outer.crop((0, 0, 1, 1)).resize((36, 36)), (left - 2, top - 2))
    words = {(255, 0): "square", (0, 255): "rest", (255, 255): "all"}
    values = (*inner, *outer.tobytes())
    assert set(values) <= {0, 255}
    uniform = len(inner) == 1 and len(set(outer.tobytes())) == 1
    return words.get((values[0], values[-1]), "mixed") if uniform else "mixed"


RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 160, 0)
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (100, 100, 100)

CASES: dict[str, tuple[Callable[[], Image.Image], str]] = {
    # white on black, as documented
    "white on black": (lambda: square(0, 255, "L"), "square"),
    "white on black, RGB": (lambda: square(BLACK, WHITE), "square"),
    "white on black, 1 bit": (lambda: square(0, 1, "1"), "square"),
    "white on black, palette": (lambda: square(BLACK, WHITE).convert("P"), "square"),
    "white on black, grey with alpha": (lambda: square(0, 255, "L").convert("LA"), "square"),
    "white on black, opaque alpha": (lambda: square(BLACK, WHITE).convert("RGBA"), "square"),
    "white on black, 16 bits": (lambda: square(0, 65535, "I;16"), "square"),
    "white on black, soft": (lambda: blurred(square(0, 255, "L")), "square"),
    "light grey on black": (lambda: square(0, 200, "L"), "square"),
    "black on white is not turned": (lambda: square(255, 0, "L"), "rest"),
    "all white": (lambda: square(255, 255, "L"), "all"),
    "red on white is not turned": (lambda: square(WHITE, RED), "rest"),
    # nothing to repaint
    "all black": (lambda: square(0, 0, "L"), "nothing"),
    "all black with alpha": (lambda: square(BLACK, BLACK).convert("RGBA"), "nothing"),
    "all grey": (lambda: square(100, 100, "L"), "nothing"),
    "dark grey on black": (lambda: square(0, 100, "L"), "nothing"),
    "all clear": (lambda: Image.new("RGBA", (SIDE, SIDE), CLEAR), "nothing"),
    "all clear over white": (lambda: Image.new("RGBA", (SIDE, SIDE), (*WHITE, 0)), "nothing"),
    "black brush on clear": (lambda: brush(BLACK), "nothing"),
    "all red": (lambda: square(RED, RED), "all"),
    "grey brush on clear": (lambda: brush(GREY), "nothing"),
    # a coloured brush
    "red on black": (lambda: square(BLACK, RED), "square"),
    "blue on black": (lambda: square(BLACK, BLUE), "square"),
    "dark green on black": (lambda: square(BLACK, GREEN), "square"),
    "magenta on black": (lambda: square(BLACK, (255, 0, 255)), "square"),
    "purple on black": (lambda: square(BLACK, (90, 10, 120)), "square"),
    "red on black, palette": (lambda: square(BLACK, RED).convert("P"), "square"),
    "red on black, soft": (lambda: blurred(square(BLACK, RED)), "square"),
    "red on black, smooth edges": (lambda: stroke(BLACK, RED), "square"),
    "red of 50 % on black": (lambda: layers(square(BLACK, BLACK), RED, 128), "square"),
    "blue of 30 % on black": (lambda: layers(square(BLACK, BLACK), BLUE, 77), "square"),
    "red on black with alpha": (lambda: square(BLACK, RED).convert("RGBA"), "square"),
    "red on clear": (lambda: brush(RED), "square"),
    "blue on clear": (lambda: brush(BLUE), "square"),
    "red on clear, white below": (lambda: brush(RED, below=(*WHITE, 0)), "square"),
    "red of 50 % on clear": (lambda: brush(RED, 127), "square"),
    "blue of 30 % on clear": (lambda: brush(BLUE, 77), "square"),
    "red on clear, palette": (lambda: brush(RED).quantize(4), "square"),
    "white on clear": (lambda: brush(WHITE), "square"),
    "white on clear, white below": (lambda: brush(WHITE, below=(*WHITE, 0)), "square"),
    "white on clear, grey with alpha": (lambda: brush(WHITE).convert("LA"), "square"),
    "white of 40 % on clear": (lambda: brush(WHITE, 102), "square"),
    "light grey on clear": (lambda: brush((200, 200, 200)), "square"),
    # a transparent hole
    "hole in black": (lambda: hole(square(BLACK, BLACK)), "square"),
    "hole in white": (lambda: hole(square(WHITE, WHITE)), "square"),
    "hole in black, white below": (lambda: hole(square(BLACK, WHITE)), "square"),
    "hole in white, black below": (lambda: hole(square(WHITE, BLACK)), "square"),
    "hole in grey": (lambda: hole(square(GREY, GREY)), "square"),
    "hole in red": (lambda: hole(square(RED, RED)), "square"),
    "hole in black, grey with alpha": (lambda: hole(square(0, 0, "L")), "square"),
    "hole in white, grey with alpha": (lambda: hole(square(255, 255, "L")), "square"),
    "hole in a photo": (lambda: hole(photo()), "square"),
    "hole in a grey photo": (lambda: hole(photo("L")), "square"),
    "hole in a photo, palette": (lambda: hole(photo()).quantize(64), "square"),
    "half transparent hole in a photo": (lambda: hole(photo(), 100), "square"),
    "soft hole in a photo": (
        lambda: Image.merge("RGBA", (*photo().split(), blurred(hole(photo()).getchannel("A")))),
        "square",
    ),
    # black and white with alpha stays an ordinary mask
    "white on black, some black clear": (lambda: cut(square(BLACK, WHITE)), "square"),
    "white on black, 60 % opaque": (lambda: veiled(square(BLACK, WHITE), 153), "square"),
    "red on black, some black clear": (lambda: cut(square(BLACK, RED)), "square"),
}
