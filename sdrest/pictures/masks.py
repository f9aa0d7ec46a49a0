"""Decides which pixels of a mask are repainted.

Masks come from different programs. `classify` distinguishes them by shares of pixels:

| See-through pixels | The other pixels | Repainted |
|---|---|---|
| none | greys, or colours other than a brush on black | what is light: 128 or more |
| none | black and a brush of any saturated colour | what the brush painted |
| none | one saturated colour alone | everything |
| at most three quarters | those of the image itself | the hole: what is see-through |
| some | nothing: the mask is empty | nothing |
| less than three quarters of the rim | black alone | the hole |
| most of the rim | black alone | nothing |
| some | black and white, with few greys between | what is light; what is see-through is kept |
| some | mostly black, and a brush of any saturated colour | what the brush painted |
| most of the rim | white, one grey, or saturated colours | what is painted |
| little of the rim | white, one grey, or saturated colours | the hole |
| some | a picture: many greys or dull colours | the hole |

See-through pixels have an alpha below 128, whatever colour lies below it. An inverted mask cannot
be recognised, and is taken as it is.
"""

from dataclasses import dataclass
from enum import Enum, auto

from PIL import Image, ImageChops, ImageFilter

from sdrest.pictures.decoding import Size

THRESHOLD = 128
"""Mask pixels from this value on are repainted; inpaint.py uses 0.5 of 255."""

EMPTY = (
    "Has nothing to repaint. White parts of a mask are repainted, black parts are kept; "
    "a transparent hole in an image counts as white."
)

_FAINTEST = 26
"""If no pixel has an alpha of 128, pixels from this alpha on count as painted."""

_DARK, _WHITE = 48, 208
"""Black is below the first in all channels, white from the second on."""

_SHORTEST_RAMP = 4
"""Pixels of the shortest ramp for thin parts of a soft mask."""

_BRUSH_THRESHOLD = 64
"""Brightest channel from which on a coloured brush counts: it may be semi-transparent."""

_FLAT = 32
_COPY, _SAMPLE = 8.0, 512

_SOME, _FEW, _MUCH, _MOST, _ALL = 0.01, 0.02, 0.25, 0.75, 0.995
_GROUND, _COVERED = 0.05, 0.95
_RIM = 0.45
_HALF = 0.5


class MaskKind(Enum):
    """Which pixels of a mask are repainted."""

    LIGHT = auto()
    """Those that are light, on black."""

    BRUSH = auto()
    """Those that are light in any channel, on black."""

    HOLE = auto()
    """Those that are see-through."""


@dataclass(frozen=True, slots=True)
class MaskStatistics:
    """Measurements of a mask; shares are from 0 to 1.

    `see_through` and `rim_see_through` are of all pixels and of those at the edge; the others are
    of those that are not see-through, each of which is dark, white, saturated or between.
    """

    see_through: float = 0.0
    rim_see_through: float = 0.0
    dark: float = 0.0
    white: float = 0.0
    saturated: float = 0.0
    between: float = 0.0
    flat: bool = False
    """Whether the others have about the same lightness."""

    faint: bool = False
    """Whether no pixel is more than half opaque."""

    copy: bool = False
    """Whether the others equal those of the image."""


def classify(stats: MaskStatistics) -> MaskKind:
    """Return which pixels are repainted: the table of this module's docstring as rules."""
    pure = stats.saturated + stats.white
    painted = pure >= _MOST or stats.flat
    few_greys = stats.between <= _MUCH
    brush = stats.saturated > _FEW * (1 - stats.dark) and stats.between <= min(_MUCH, pure)
    on_clear = stats.saturated >= _MUCH or (stats.faint and stats.white >= _MOST)
    opaque = not stats.see_through
    rules = (
        (opaque and brush and stats.dark >= _GROUND, MaskKind.BRUSH),
        (opaque and stats.flat and stats.saturated >= _COVERED, MaskKind.BRUSH),
        (opaque, MaskKind.LIGHT),
        (stats.copy and stats.see_through <= _MOST, MaskKind.HOLE),
        (not stats.dark + pure + stats.between, MaskKind.LIGHT),
        (stats.dark >= _ALL and stats.rim_see_through < _MOST, MaskKind.HOLE),
        (stats.dark >= _ALL, MaskKind.LIGHT),
        (brush and stats.dark >= _HALF, MaskKind.BRUSH),
        (few_greys and stats.dark >= _SOME and stats.saturated <= _FEW, MaskKind.LIGHT),
        (not painted or stats.rim_see_through < _RIM, MaskKind.HOLE),
        (on_clear, MaskKind.BRUSH),
    )
    return next((each for applies, each in rules if applies), MaskKind.LIGHT)


def repainted_pixels(picture: Image.Image, image: Image.Image | None = None) -> Image.Image:
    """Return a mask of mode L from a picture: pixels of `THRESHOLD` or more are repainted.

    `image` is the picture to repaint, if known. A mask in white on black stays unchanged.
    """
    transparent = picture.has_transparency_data
    if not transparent and picture.mode in {"1", "L"}:
        return picture.convert("L")
    mode = "RGBA" if transparent else "RGB"
    colours = picture if picture.mode == mode else picture.convert(mode)
    alpha = colours.getchannel("A") if transparent else None
    channels = _Channels(colours)
    match classify(_measure(channels, alpha, image)):
        case MaskKind.HOLE if alpha is not None:
            return ImageChops.invert(alpha)
        case MaskKind.BRUSH:
            return _brush_mask(channels.high, alpha)
        case _:
            return _flatten_on_black(colours).convert("L") if transparent else picture.convert("L")


def resize_to(mask: Image.Image, size: Size) -> Image.Image:
    """Return a mask in the image's size: 255 where pixels are repainted, else 0."""
    return mask.resize(size, Image.Resampling.BILINEAR).point(_threshold)


def is_empty(mask: Image.Image) -> bool:
    """Whether a mask of mode L repaints nothing."""
    return _max_value(mask) < THRESHOLD


def soften(mask: Image.Image, ramp: int) -> Image.Image:
    """Return a mask of 0 and 255 whose white parts rise to 255 within `ramp` pixels of their edge.

    Black stays 0. Parts that are too thin rise within half of that, and so on; those that are too
    thin for `_SHORTEST_RAMP` stay 255.
    """
    if not ramp:
        return mask
    window = ImageFilter.BoxBlur(ramp)
    average = mask.filter(window)  # at a straight edge (ramp + 1) / (2 * ramp + 1) of 255
    lowest = 255 * ramp / (2 * ramp + 1)
    least = 255 // (ramp + 1)
    rising = average.point(
        [max(least, round((value - lowest) / (255 - lowest) * 255)) for value in range(256)]
    )
    inner = average.point([0] * 255 + [255])
    thick = inner.filter(window).point(lambda value: 255 * (value > 0))
    thin = mask if ramp <= _SHORTEST_RAMP else soften(mask, max(ramp // 2, _SHORTEST_RAMP))
    return ImageChops.darker(mask, Image.composite(rising, thin, thick))


class _Channels:
    """The brightest and the darkest channel of each pixel."""

    def __init__(self, colours: Image.Image) -> None:
        red, green, blue = (colours.getchannel(name) for name in "RGB")
        self.colours = colours
        self.high = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        self.low = ImageChops.darker(ImageChops.darker(red, green), blue)


def _measure(
    channels: _Channels, alpha: Image.Image | None, image: Image.Image | None
) -> MaskStatistics:
    high, low = channels.high, channels.low
    see_through = rim = 0.0
    faint = copy = False
    visible = Image.new("L", high.size, 255)
    if alpha is not None:
        clear = alpha.point(lambda value: 255 * (value < THRESHOLD))
        see_through, rim = _share(clear), _rim_share(clear)
        faint = _max_value(alpha) < THRESHOLD
        least = _FAINTEST if faint else THRESHOLD
        visible = alpha.point(lambda value: 255 * (value >= least))
        copy = (
            bool(see_through) and image is not None and _is_copy(channels.colours, image, visible)
        )
    total = visible.histogram()[255]
    if not total:
        return MaskStatistics(see_through, rim, faint=faint)
    dark = sum(high.histogram(visible)[:_DARK])
    white = sum(low.histogram(visible)[_WHITE:])
    saturation = ImageChops.subtract(
        ImageChops.subtract(high, low), high.point(lambda v: (v - 1) // 2)
    )
    painted = ImageChops.darker(visible, high.point(lambda value: 255 * (value >= _DARK)))
    saturated = sum(saturation.histogram(painted)[1:])
    return MaskStatistics(
        see_through,
        rim,
        dark / total,
        white / total,
        saturated / total,
        (total - dark - white - saturated) / total,
        flat=_is_flat(high, visible),
        faint=faint,
        copy=copy,
    )


def _brush_mask(high: Image.Image, alpha: Image.Image | None) -> Image.Image:
    painted = high if alpha is None else ImageChops.multiply(high, alpha)
    threshold = max(1.0, min(_BRUSH_THRESHOLD, _max_value(painted) / 2))
    return painted.point([min(255, int(value * THRESHOLD / threshold)) for value in range(256)])


def _flatten_on_black(picture: Image.Image) -> Image.Image:
    flat = Image.new("RGB", picture.size, "black")
    flat.paste(picture, mask=picture)
    return flat


def _is_copy(colours: Image.Image, image: Image.Image, visible: Image.Image) -> bool:
    """Whether the visible pixels are the image's: a mean difference of at most `_COPY`, sampled."""
    if colours.size != image.size:
        return False
    width, height = (min(side, _SAMPLE) for side in image.size)
    mine, theirs, counted = (
        each.resize((width, height), Image.Resampling.NEAREST) for each in (colours, image, visible)
    )
    apart = ImageChops.difference(mine.convert("RGB"), theirs.convert("RGB")).convert("L")
    counts = apart.histogram(counted)
    return sum(value * count for value, count in enumerate(counts)) <= _COPY * sum(counts)


def _is_flat(channel: Image.Image, visible: Image.Image) -> bool:
    """Whether all but a few values lie within `_FLAT`."""
    counts = channel.histogram(visible)
    few = _FEW * sum(counts)
    least, greatest = 0, len(counts) - 1
    while sum(counts[: least + 1]) <= few:
        least += 1
    while sum(counts[greatest:]) <= few:
        greatest -= 1
    return greatest - least <= _FLAT


def _rim_share(clear: Image.Image) -> float:
    """Return the share of the pixels at the edges that are 255."""
    width, height = clear.size
    edges = (
        (0, 0, width, 1),
        (0, height - 1, width, height),
        (0, 0, 1, height),
        (width - 1, 0, width, height),
    )
    counts = [clear.crop(edge).histogram() for edge in edges]
    return sum(each[255] for each in counts) / sum(map(sum, counts))


def _share(picture: Image.Image) -> float:
    counts = picture.histogram()
    return counts[255] / sum(counts)


def _max_value(picture: Image.Image) -> int:
    return max(value for value, count in enumerate(picture.histogram()) if count)


def _threshold(value: int) -> int:
    return 255 if value >= THRESHOLD else 0
