"""Read a negative prompt: what a picture must be without.

Each word stands for all that it includes: "trees" for every kind of tree, the forest and the trees
that a landscape has of its own. A colour rejects all that has it, "red house" only red houses.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tiny_diffusion import vocabulary
from tiny_diffusion.prompt import CLAUSE_ENDS, Prompt, Reader, Wish, read_clause, singular, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SEPARATORS = rf"{CLAUSE_ENDS}|(?<!black )\band\b|\bor\b|\bwith\b"
_COLOURED = vocabulary.THINGS.keys() | vocabulary.SHAPES.keys() | {"flowers", "sky"}
"""What can be rejected in one colour."""
_COLOURLESS = {"tree", "pine", "palm", "cactus"}
_INSTEAD = {"rider": ("astronaut", "horse")}


def leave_out(prompt: Prompt, negative: str) -> Prompt:
    """Return a prompt without what a negative prompt names, which its `without` holds."""
    without = tuple(rejected for clause in _clauses(negative) if (rejected := _read(clause)))
    if not without:
        return prompt
    prompt = replace(prompt, without=without)
    ground = prompt.background
    return replace(
        prompt,
        places=_accepted(prompt, prompt.places),
        things=_accepted(prompt, prompt.things),
        shapes=_accepted(prompt, prompt.shapes),
        sights=_accepted(prompt, prompt.sights),
        time=None if prompt.rejects(prompt.time) else prompt.time,
        styles=tuple(style for style in prompt.styles if not prompt.rejects(style)),
        background=None if prompt.rejects(ground, f"{ground} background") else ground,
    )


def _accepted(prompt: Prompt, wishes: Iterable[Wish]) -> tuple[Wish, ...]:
    found = []
    for wish in wishes:
        names = (wish.name, *_INSTEAD.get(wish.name, ()))
        name = next((name for name in names if not prompt.rejects(name)), None)
        if name is not None:
            colour = wish.colour
            if prompt.rejects(colour, f"{colour} {name}"):
                colour = None
            found.append(replace(wish, name=name, colour=colour))
    return tuple(found)


def _clauses(text: str) -> Iterator[list[str]]:
    return map(words_of, re.split(_SEPARATORS, text.lower()))


def _read(words: list[str]) -> frozenset[str]:
    """Return the names of all that a clause means."""
    grouped = vocabulary.GROUPS.get(" ".join([*words[:-1], *map(singular, words[-1:])]))
    if grouped is not None:
        return _with_included(grouped.split(", "))
    reader = Reader()
    read_clause(reader, words)
    colour = reader.colour
    names = [name for wish in reader.wishes for name in _names(wish)]
    names += [*reader.times, *reader.styles]
    if reader.background is not None:
        names.append(f"{reader.background} background")
    elif colour is not None:
        names.append(colour)
    return _with_included(names)


def _names(wish: Wish) -> list[str]:
    if wish.colour is not None and wish.name in _COLOURED - _COLOURLESS:
        return [f"{wish.colour} {wish.name}"]
    return [wish.name]


def _with_included(names: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += vocabulary.INCLUDED.get(name, "").split(", ")
    return frozenset(found - {""})
