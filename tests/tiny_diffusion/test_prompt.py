"""What is understood of a prompt."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_diffusion.prompt import MOST, Prompt, Wish, parse
from tiny_diffusion.worlds import loosen, worlds

README = (
    "A digital illustration of a beautiful mountain landscape, detailed, thom tenerys, "
    "epic composition, 4k, trending on artstation, fantasy vivid colors"
)

NOUNS = ["house", "boat", "lake"]
OTHERS = ["a", "two", "red", "blue", ",", "and", "on", "the", "left", "of", "big"]


def things(text: str) -> list[tuple[str, str | None, int | None, str | None]]:
    return [(w.name, w.colour, w.count, w.side) for w in parse(text).things]


def test_colours_belong_to_their_nouns() -> None:
    prompt = parse("a red house and a white boat on a lake at sunset, snowy mountains")
    assert [(w.name, w.colour) for w in prompt.things] == [("house", "red"), ("boat", "white")]
    assert [w.name for w in prompt.places] == ["lake", "mountains"]
    assert prompt.time == "sunset"
    assert prompt.sight("snowcaps")
    assert not prompt.sight("snow")


def test_the_readme_prompt_is_a_fantasy_of_mountains_in_vivid_colours() -> None:
    prompt = parse(README)
    assert [w.name for w in prompt.places] == ["mountains"]
    assert prompt.styles == ("fantasy", "vivid")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two black cats", [("cat", "black", 2, None)]),
        ("3 Kittens", [("cat", None, 3, None)]),
        ("sheep", [("sheep", None, None, None)]),
        ("a hot air balloon", [("balloon", None, 1, None)]),
        ("a house, blue", [("house", "blue", 1, None)]),
        ("a crimson cottage that is old", [("house", "red", 1, None)]),
        ("a cat on the left", [("cat", None, 1, "left")]),
        ("on the right a dog", [("dog", None, 1, "right")]),
        ("a tree to the left of a house", [("tree", None, 1, "left"), ("house", None, 1, "right")]),
        ("an astronaut riding a horse", [("rider", None, 1, None)]),
        ("two lighthouses", [("lighthouse", None, 2, None)]),
        ("three snowmen", [("snowman", None, 3, None)]),
        ("flibbertigibbet", []),
    ],
)
def test_counts_sides_plurals_and_synonyms(
    text: str, expected: list[tuple[str, str | None, int | None, str | None]]
) -> None:
    assert things(text) == expected


def test_sizes() -> None:
    tiny, huge = parse("a tiny house and a huge tree").things
    assert tiny.size < 0.6
    assert huge.size > 1.5


@pytest.mark.parametrize(
    "text", ["a red circle on a blue background", "blue background, red circle", "red disc on blue"]
)
def test_plain_shapes(text: str) -> None:
    prompt = parse(text)
    assert [(w.name, w.colour) for w in prompt.shapes] == [("circle", "red")]
    assert prompt.background == "blue"


def test_stars_are_in_the_sky_unless_they_have_a_colour_or_a_count() -> None:
    assert parse("stars").sight("stars")
    assert parse("stars").time == "night"
    assert parse("three yellow stars").shapes == (Wish("shape", "star", "yellow", 3),)
    assert parse("a star").shapes == (Wish("shape", "star", None, 1),)


@pytest.mark.parametrize(
    ("text", "time"),
    [("dusk", "sunset"), ("midnight", "night"), ("thunderstorm", "storm"), ("lightning", "storm"),
     ("sunny day", "day"), ("rainbow", "day"), ("full moon", "night"), ("mountains", None)],
)  # fmt: skip
def test_times(text: str, time: str | None) -> None:
    assert parse(text).time == time


def test_nothing_is_asked_for_by_an_empty_prompt() -> None:
    assert parse("") == Prompt()


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(parse(text), Prompt)


@given(st.lists(st.sampled_from(NOUNS + OTHERS)))
def test_any_order_of_known_words_is_read(words: list[str]) -> None:
    prompt = parse(" ".join(words))
    named = words.count("house") + words.count("boat")
    assert len(prompt.things) == named or sum(w.count or 1 for w in prompt.things) == MOST


def test_there_is_room_for_so_many_things_only() -> None:
    crowd = parse("twelve cats, twelve dogs, twelve cows" * 1000)
    assert [(w.name, w.count) for w in crowd.things] == [("cat", 12), ("dog", 12)]


def test_worlds_disregard_words_only_at_a_low_scale() -> None:
    text = "a yellow house in the hills at night"
    obedient = worlds(text, 1.0, 1.0, 7.5)
    assert all(world.prompt == parse(text) for world, _ in obedient)
    loose = worlds(text, 1.0, 1.0, 1.0)
    assert {log for _, log in loose} > {0.0}
    assert any(world.prompt != parse(text) for world, _ in loose)


@given(st.randoms(use_true_random=False))
def test_loosening_counts_what_it_drops(r: random.Random) -> None:
    prompt = parse("a red house at night, foggy")
    loose, dropped = loosen(prompt, r)
    assert (dropped == 0) == (loose == prompt)
