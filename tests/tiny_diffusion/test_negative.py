"""What a negative prompt leaves out of a picture."""

import numpy as np
import pytest
from tiny_diffusion import diffusion, vocabulary
from tiny_diffusion.negative import leave_out
from tiny_diffusion.prompt import parse
from tiny_diffusion.scene.catalogue import THINGS
from tiny_diffusion.scene.colours import COLOURS
from tiny_diffusion.scene.compose import compose
from tiny_diffusion.scene.palette import without
from tiny_diffusion.scene.world import Mirror, World
from tiny_diffusion.worlds import worlds

from benchmarks.bundled_judge import colour_name
from tests.support.tiny_pictures import make, shares_of_colours

GUIDED = 7.5


def drawn(text: str, negative: str = "", scale: float = GUIDED) -> set[str]:
    """Return the names of all parts of all worlds, without their numbers."""
    found = worlds(text, 1.0, 1.0, scale, negative=negative)
    return {
        layer.name.rstrip("0123456789 ")
        for world, _ in found
        for layer in compose(world)
        if not isinstance(layer, Mirror)
    }


def worlds_of(text: str, negative: str, scale: float = GUIDED) -> list[World]:
    return [world for world, _ in worlds(text, 1.0, 1.0, scale, negative=negative)]


@pytest.mark.parametrize(
    ("text", "negative", "gone"),
    [
        ("a house by a lake with trees", "trees", "side tree, shore trees, far forest"),
        ("a pine and a palm", "tree", "pine, palm"),
        ("a cabin in a forest", "trees", "wood, side tree, far trees"),
        ("a beach", "palm trees", "beach palm"),
        ("a lake by day", "clouds, (sun:1.3)", "cloud, sun"),
        ("hills at night", "moon and stars", "moon, stars"),
        ("a cat and a dog in a meadow", "animals, flowers", "cat, dog, flowers"),
        ("a village with houses and a house", "houses", "village, house"),
        ("a city, castle", "buildings", "skyline, castle"),
        ("mountains, people", "person", "person"),
        ("sea by day", "birds", "birds"),
        ("storm", "lightning", "lightning"),
        ("a red heart and a star", "heart", "heart"),
    ],
)
def test_what_is_named_is_in_no_world(text: str, negative: str, gone: str) -> None:
    names = set(gone.split(", "))
    assert names & drawn(text) or "heart" in names
    assert not names & drawn(text, negative)
    for world in worlds_of(text, negative):
        assert not names & {wish.name for wish in (*world.prompt.things, *world.prompt.shapes)}


@pytest.mark.parametrize("name", THINGS)
def test_every_thing_can_be_left_out_and_the_rest_stays(name: str) -> None:
    phrase, other = vocabulary.THINGS[name].split(", ")[0], "tent"
    parts = drawn(f"a {phrase} and a tent and a car", phrase)
    assert name not in parts
    assert "car" in parts or name == "car"
    assert other in parts or name == other


@pytest.mark.parametrize("time", ["day", "sunset", "night", "storm"])
def test_a_time_of_day_can_be_left_out(time: str) -> None:
    assert time not in {world.light.time for world in worlds_of(f"mountains, {time}", time)}


@pytest.mark.parametrize("place", vocabulary.PLACES)
def test_a_place_can_be_left_out(place: str) -> None:
    phrase = vocabulary.PLACES[place].split(", ")[0]
    for text in ("", f"{phrase} and a house", "a boat"):
        assert not {place} & {name for w in worlds_of(text, phrase) for name in (w.base, *w.back)}


def test_dark_leaves_out_the_night_and_black_and_white_a_style() -> None:
    found = worlds_of("a lake, foggy, black and white", "dark, black and white, ugly")
    assert {world.light.time for world in found} <= {"day", "sunset"}
    assert {world.prompt.styles for world in found} == {("foggy",)}


def test_where_no_place_is_left_the_ground_is_plain() -> None:
    everywhere = ", ".join(phrases.split(", ")[0] for phrases in vocabulary.PLACES.values())
    assert {world.base for world in worlds_of("a cat", everywhere)} == {"plain"}


def test_a_rider_without_a_horse_is_an_astronaut() -> None:
    assert "astronaut" in drawn("an astronaut riding a horse", "horse")
    assert "horse" in drawn("an astronaut riding a horse", "people")


def test_a_coloured_noun_leaves_out_that_colour_only() -> None:
    prompt = leave_out(parse("a red house and a red boat on a red background"), "red house")
    assert [(wish.name, wish.colour) for wish in prompt.things] == [
        ("house", None),
        ("boat", "red"),
    ]
    prompt = leave_out(parse("a circle on a blue background"), "blue background")
    assert prompt.background is None


@pytest.mark.parametrize("negative", ["", "ugly, deformed, 6 fingers, (worst quality:1.4)", "--"])
def test_nothing_that_is_understood_changes_nothing(negative: str) -> None:
    prompt = parse("a lake with trees")
    assert leave_out(prompt, negative) == prompt
    assert (make("a lake", steps=2, negative=negative) == make("a lake", steps=2)).all()


def test_guidance_decides_how_strictly_it_is_obeyed() -> None:
    assert drawn("a meadow", "flowers", scale=1.0) == drawn("a meadow", scale=1.0)
    assert "flowers" in drawn("a meadow", "flowers", scale=1.5)
    assert "flowers" not in drawn("a meadow", "flowers", scale=5.0)


@pytest.mark.parametrize("name", sorted(COLOURS.keys() - {"gold"}))
def test_a_palette_has_no_colour_that_is_left_out(name: str) -> None:
    replaced = without({name})
    for colour in COLOURS.values():
        seen = colour_name(replaced(colour))
        assert seen != name
        if colour_name(colour) not in {name, "brown"}:
            assert replaced(colour) == pytest.approx(colour)


def test_a_colour_is_left_out_of_the_pixels() -> None:
    before = make("a red house in a meadow by day", seed=1)[0]
    after = make("a red house in a meadow by day", seed=1, negative="red, green")[0]
    assert shares_of_colours(before)["green"] > 0.2
    assert {"red", "green"}.isdisjoint(
        name for name, share in shares_of_colours(after).items() if share > 0.004
    )


def test_the_rest_of_the_picture_stays() -> None:
    before, after = (
        make("a house by a lake with trees and mountains, day", seed=1, negative=negative)[0]
        for negative in ("", "trees")
    )
    same = (np.abs(before.astype(int) - after) < 24).all(-1)
    assert same[:96].mean() > 0.9
    assert 0.5 < same.mean() < 0.99


def test_image_to_image_takes_it_too() -> None:
    source = make("hills by day", seed=2)[0]
    pictures = [
        diffusion.image_to_image(
            None, ["a red heart on a white background"], source, steps=20, strength=0.9, scale=5.0,
            eta=0.0, rng=np.random.default_rng(0), negative=negative,
        )[0]
        for negative in ("", "red")
    ]  # fmt: skip
    before, after = map(shares_of_colours, pictures)
    assert before["red"] > 0.05 > after.get("red", 0)
