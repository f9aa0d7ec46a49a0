"""Every drawing that a word can ask for."""

from random import Random

import numpy as np
import pytest
from tiny_diffusion import vocabulary
from tiny_diffusion.prompt import parse
from tiny_diffusion.render import to_bytes
from tiny_diffusion.scene.canvas import Canvas
from tiny_diffusion.scene.catalogue import THINGS
from tiny_diffusion.scene.compose import compose
from tiny_diffusion.scene.shapes import OUTLINES
from tiny_diffusion.scene.style import STYLES, Style
from tiny_diffusion.scene.world import Mirror, Part, make_world

from benchmarks.bundled_judge import Figure, colour_name, drawing, figure

NIGHT_AND_SNOW = (" by day", " at night", " in winter", " in autumn at sunset")


def parts_of(text: str, seed: str = "0", size: tuple[float, float] = (1.0, 1.0)) -> list[Part]:
    layers = compose(make_world(parse(text), *size, seed))
    return [layer for layer in layers if not isinstance(layer, Mirror)]


def cover(part: Part) -> float:
    """Give how much of the picture the first version of a part covers."""
    canvas = Canvas(96, 96)
    part.draw(canvas, Random(1))
    pixels, _, _ = canvas.pixels()
    return float(pixels[..., 3].sum() / 96**2) if pixels.size else 0.0


@pytest.mark.parametrize("when", NIGHT_AND_SNOW)
@pytest.mark.parametrize("name", THINGS)
def test_every_thing_is_drawn(name: str, when: str) -> None:
    phrase = vocabulary.THINGS[name].split(", ")[0]
    parts = [p for p in parts_of(f"a {phrase}{when}") if p.name.rpartition(" ")[0] == name]
    assert [0.002 < cover(p) < 0.6 for p in parts] == [True]


@pytest.mark.parametrize("place", vocabulary.PLACES)
@pytest.mark.parametrize("time", vocabulary.TIMES)
def test_every_place_fills_the_picture_at_every_time(place: str, time: str) -> None:
    text = f"{place}, {time}, trees, path, rain, snowfall, clouds, birds, foggy"
    for seed in ("1", "2"):
        parts = parts_of(text, seed)
        assert max(cover(p) for p in parts) > 0.99
        assert len({p.name for p in parts}) == len(parts)


@pytest.mark.parametrize(
    "sight", sorted(vocabulary.SIGHTS.keys() - {"sky", "snow", "snowcaps", "autumn", "trees"})
)
def test_every_sight_is_drawn(sight: str) -> None:
    where = "" if sight == "galaxy" else "over hills"
    phrase = vocabulary.SIGHTS[sight].split(", ")[0]
    found = [
        cover(part)
        for part in parts_of(f"{phrase} {where}")
        if part.name.startswith((sight.removesuffix("s"), sight))
    ]
    assert found
    assert 0.0005 < min(found) <= max(found) < 0.95


def mean_colour(part: Part) -> str:
    canvas = Canvas(64, 64)
    part.draw(canvas, Random(1))
    pixels, _, _ = canvas.pixels()
    return colour_name((pixels[..., :3].sum((0, 1)) / pixels[..., 3].sum() * 255).tolist())


@pytest.mark.parametrize(
    ("text", "part", "colour"),
    [
        ("pink sky over hills", "sky", "pink"),
        ("black sky over hills", "sky", "black"),
        ("a red sky at night over hills", "sky", "red"),
        ("purple mountains by day", "range 2", "purple"),
        ("red hills by day", "ground", "red"),
        ("blue desert by day", "dune 3", "blue"),
        ("green sea by day", "sea", "green"),
        ("mountains in winter by day", "ground", "white"),
    ],
)
def test_places_take_their_colour(text: str, part: str, colour: str) -> None:
    assert [mean_colour(p) for p in parts_of(text) if p.name == part] == [colour]


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("flowers", {"meadow"}),
        ("a boat", {"sea", "lake"}),
        ("a boat and mountains", {"lake"}),
        ("a cactus", {"desert"}),
        ("a galaxy", {"space"}),
        ("snow", {"forest", "mountains", "hills", "lake"}),
        ("trees", {"forest", "hills", "meadow"}),
        ("a red heart", {"plain"}),
        ("a cat on a blue background", {"plain"}),
    ],
)
def test_what_is_asked_for_is_where_it_is_at_home(text: str, bases: set[str]) -> None:
    assert {make_world(parse(text), 1.0, 1.0, str(k)).base for k in range(40)} == bases


def test_an_empty_canvas_has_no_pixels() -> None:
    assert Canvas(16, 16).pixels()[0].size == 0


def test_what_is_not_a_number_is_black() -> None:
    assert to_bytes(np.full((2, 2, 3), np.nan, dtype=np.float32)).max() == 0


@pytest.mark.parametrize("name", OUTLINES)
def test_every_shape_differs_from_every_other(name: str) -> None:
    for seed in range(3):
        text = f"a red {name} on a white background"
        assert figure(drawing(text, seed)) == Figure(name, "red", "white")


def test_a_ring_has_a_hole() -> None:
    picture = drawing("a black ring on a white background", 0)
    rows, columns = np.nonzero(picture.mean(-1) < 128)
    assert picture[round(rows.mean()), round(columns.mean())].min() > 200


@pytest.mark.parametrize("colour", ["red", "orange", "yellow", "green", "blue", "purple", "pink",
                                    "white", "black", "gray", "cyan"])  # fmt: skip
def test_every_colour_is_its_own(colour: str) -> None:
    ground = "blue" if colour != "blue" else "yellow"
    seen = figure(drawing(f"a {colour} square on a {ground} background", 1))
    assert (seen.colour, seen.background) == (colour, ground)


@pytest.mark.parametrize("name", STYLES)
def test_a_style_of_a_layer_over_another_is_the_style_of_the_picture(name: str) -> None:
    rng = np.random.default_rng(0)
    behind = np.concatenate([rng.random((8, 8, 3)), np.ones((8, 8, 1))], 2).astype(np.float32)
    alpha = rng.random((8, 8, 1))
    layer = np.concatenate([rng.random((8, 8, 3)) * alpha, alpha], 2).astype(np.float32)
    style = Style([name])
    styled = style.apply(layer) + (1 - layer[..., 3:]) * style.apply(behind)
    assert styled == pytest.approx(style.apply(layer + (1 - layer[..., 3:]) * behind), abs=1e-5)


def test_things_do_not_cover_each_other() -> None:
    canvas, total = Canvas(96, 96), 0.0
    for part in parts_of("four red hearts and three blue stars on a white background"):
        if part.name.startswith("shape"):
            total += cover(part)
            part.draw(canvas, Random(1))
    pixels, _, _ = canvas.pixels()
    assert pixels[..., 3].sum() / 96**2 == pytest.approx(total, rel=0.1)
