"""Read a prompt: places, things with their colours, counts, sizes and sides, time, style.

A small grammar is enough: colours, counts and sizes wait for their noun; at the end of a clause
those that found none go to the noun before ("a house, red") or to the background ("on blue").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from tiny_diffusion import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 24  # things in one picture
CLAUSE_ENDS = r"[,.;:!?()\[\]\n|]+"
Meanings = list[tuple[str, str]]


_BRINGS_TIME = {"moon", "rainbow"}
_ADDED = _BRINGS_TIME | {"sun", "clouds", "birds", "flowers", "trees", "path"}
"""Sights that can be added to a picture."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A thing, shape, place or sight that was asked for; None was not mentioned."""

    kind: str
    name: str
    colour: str | None = None
    count: int | None = None
    size: float = 1.0
    side: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a prompt asks for."""

    places: tuple[Wish, ...] = ()
    things: tuple[Wish, ...] = ()
    shapes: tuple[Wish, ...] = ()
    sights: tuple[Wish, ...] = ()
    time: str | None = None
    styles: tuple[str, ...] = ()
    background: str | None = None
    without: tuple[frozenset[str], ...] = ()
    """What must not be there: for each word of a negative prompt the names of all that it means."""

    def rejects(self, *names: str | None) -> bool:
        """Whether one of the names must not be there: "tree", "red", or "red house"."""
        return any(name in rejected for rejected in self.without for name in names)

    @property
    def is_scene(self) -> bool:
        """Whether it asks for another scene, and not for things that a picture can be given."""
        if self.things or self.shapes:
            return False
        sights = {wish.name for wish in self.sights}
        brought = self.time is None or bool(sights & _BRINGS_TIME)
        return bool(self.places or self.background or not brought or sights - _ADDED)

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing."""
        return not (self.is_scene or self.things or self.shapes or self.sights)

    def sight(self, name: str) -> Wish | None:
        """Give the wish for a sight, such as "rainbow"."""
        return next((w for w in self.sights if w.name == name), None)

    def place(self, name: str) -> Wish | None:
        """Give the wish for a place, such as "lake"."""
        return next((w for w in self.places if w.name == name), None)


@dataclass(slots=True)
class Reader:
    """What has been read, and the adjectives that wait for their noun."""

    wishes: list[Wish] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    background: str | None = None
    colour: str | None = None
    count: int | None = None
    size: float = 1.0
    side: str | None = None
    preposition: str | None = None
    clause: int = 0

    def noun(self, kind: str, name: str, *, plural: bool) -> None:
        """Take a noun with all that waited for it."""
        count = self.count
        if plural and count in {None, 1}:
            count = 3
        self.wishes.append(Wish(kind, name, self.colour, count, self.size, self.side))
        self.colour, self.count, self.size, self.side = None, None, 1.0, None
        self.preposition = None

    def end_clause(self) -> None:
        """Give a colour without a noun to the background or to the noun before."""
        if self.colour is not None:
            last = self.wishes[-1] if self.wishes else None
            if self.preposition in vocabulary.SUPPORTS and last is not None:
                self.background = self.colour
            elif last is not None and last.colour is None:
                self.wishes[-1] = replace(last, colour=self.colour)
        self.colour, self.count, self.size, self.preposition = None, None, 1.0, None
        self.clause = len(self.wishes)

    def place_side(self, side: str, following: str) -> None:
        """Put the noun before on a side; "of" puts the next one on the other; or let it wait."""
        if len(self.wishes) == self.clause:
            self.side = side
            return
        self.wishes[-1] = replace(self.wishes[-1], side=side)
        if following == "of" and side != "middle":
            self.side = "right" if side == "left" else "left"


@cache
def _lexicon() -> dict[tuple[str, ...], Meanings]:
    return vocabulary.lexicon()


def singular(word: str) -> str:
    """Return the singular of a noun, or the word itself."""
    if word in vocabulary.IRREGULAR:
        return vocabulary.IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "uses")) and not word.endswith("houses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _longest(words: list[str], at: int) -> tuple[int, Meanings, bool]:
    """Give the longest phrase that starts at a word: its length, meanings, and if it is plural."""
    for length in range(min(5, len(words) - at), 0, -1):
        phrase = tuple(words[at : at + length])
        if phrase in _lexicon():
            return (
                length,
                _lexicon()[phrase],
                phrase[-1] in vocabulary.IRREGULAR and phrase[-1] != singular(phrase[-1]),
            )
        single = (*phrase[:-1], singular(phrase[-1]))
        if single != phrase and single in _lexicon():
            return length, _lexicon()[single], True
    return 1, [], False


def parse(text: str) -> Prompt:
    """Read a prompt; words that are not understood are ignored."""
    reader = Reader()
    for clause in re.split(rf"{CLAUSE_ENDS}|\b(?:and also|while)\b", text.lower()):
        read_clause(reader, words_of(clause))
        reader.end_clause()
    return _understand(reader)


def words_of(clause: str) -> list[str]:
    """Return the words of a clause in lower case."""
    return re.findall(r"[^\W_]+", clause.replace("-", " ").replace("'s", ""))


def read_clause(reader: Reader, words: list[str]) -> None:
    """Read words; the reader holds what still waits for its noun."""
    at = 0
    while at < len(words):
        at += _read(reader, words, at)


def _read(reader: Reader, words: list[str], at: int) -> int:
    """Read the phrase that starts at a word; give its length."""
    length, meanings, plural = _longest(words, at)
    word = words[at]
    following = words[at + length] if at + length < len(words) else ""
    if not meanings:
        _read_small(reader, word, following)
        return 1
    kinds = dict(meanings)
    if "colour" in kinds and not (word == "rose" and following == ""):
        reader.colour = reader.colour or kinds["colour"]
        return length
    if word in {"star", "stars"} and length == 1:
        bare = word == "stars" and reader.colour is None and reader.count is None
        kinds, plural = {"sight": "stars"} if bare else {"shape": "star"}, word == "stars"
    if kinds.get("sight") == "snow" and following in {"mountains", "mountain", "peaks", "alps"}:
        kinds = {"sight": "snowcaps"}
    for kind, name in kinds.items():
        if kind == "time":
            reader.times.append(name)
        elif kind == "style":
            reader.styles.append(name)
        elif name in {"snow", "snowcaps", "autumn"}:
            reader.wishes.append(Wish(kind, name))
        else:
            reader.noun(kind, name, plural=plural)
    return length


def _read_small(reader: Reader, word: str, following: str) -> None:
    """Read a word outside the lexicon: a count, a size, a side, a background."""
    if word in vocabulary.COUNTS:
        reader.count = vocabulary.COUNTS[word] if reader.count in {None, 1} else reader.count
    elif word.isdecimal() and 1 <= int(word) <= 12:
        reader.count = int(word)
    elif word in vocabulary.SIZES:
        reader.size = vocabulary.SIZES[word]
    elif word in vocabulary.SIDES:
        reader.place_side(vocabulary.SIDES[word], following)
    elif word in vocabulary.GROUNDS and reader.colour is not None:
        reader.background = reader.colour
        reader.colour, reader.count = None, None
    elif word in vocabulary.PREPOSITIONS:
        if reader.colour is not None:
            keep = reader.side
            reader.end_clause()
            reader.side = keep
        reader.preposition = word


def _understand(reader: Reader) -> Prompt:
    """Sort what was read; the same place or sight twice counts once."""

    def of(kind: str) -> tuple[Wish, ...]:
        chosen: dict[str, Wish] = {}
        for wish in reader.wishes:
            if wish.kind == kind:
                chosen.setdefault(wish.name, wish)
        return tuple(chosen.values())

    time = next((t for t in ("storm", "night", "sunset", "day") if t in reader.times), None)
    sights = of("sight")
    names = {w.name for w in sights}
    if time is None and names & {"moon", "stars", "aurora"}:
        time = "night"
    if time is None and "lightning" in names:
        time = "storm"
    if time is None and names & {"rainbow"}:
        time = "day"
    return Prompt(
        places=of("place"),
        things=_first(w for w in reader.wishes if w.kind == "thing"),
        shapes=_first(w for w in reader.wishes if w.kind == "shape"),
        sights=sights,
        time=time,
        styles=tuple(dict.fromkeys(reader.styles)),
        background=reader.background,
    )


def _first(wishes: Iterable[Wish]) -> tuple[Wish, ...]:
    """Give as many as there is room for in a picture."""
    found: list[Wish] = []
    room = MOST
    for wish in wishes:
        if room <= 0:
            break
        found.append(replace(wish, count=min(wish.count, room)) if wish.count else wish)
        room -= wish.count or 1
    return tuple(found)
