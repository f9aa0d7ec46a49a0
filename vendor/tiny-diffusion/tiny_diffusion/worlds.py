"""The worlds that a prompt allows, and how likely each is at a guidance scale."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from tiny_diffusion.negative import leave_out
from tiny_diffusion.prompt import Prompt, Wish, parse
from tiny_diffusion.scene.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiny_diffusion.scene.world import Frame

TRUE = 14  # worlds that obey every word
LOOSE = 10  # worlds that disregard some
KEPT = 0.55  # the share of words that those regard
NATS = 1.0  # how much less likely each disregarded word makes a world, at scale 1
NEGATIVE_NATS = 2.0  # how much less likely each word of the negative prompt makes a world, likewise
UNLIKELY = -5.0


def worlds(
    text: str,
    width: float,
    height: float,
    scale: float,
    *,
    negative: str = "",
    frame: Callable[[Prompt], Frame | None] | None = None,
) -> list[tuple[World, float]]:
    """Give worlds with log priors: p(words | world)^scale, classifier guidance on a finite bank.

    With a negative prompt they are multiplied by p(its words | world)^(1 - scale), as in
    classifier-free guidance; so it has no effect at a scale of 1. `frame`
    gives the part of a picture into which a prompt's things are drawn, or None.
    """
    prompt = leave_out(parse(text), negative) if scale > 1 else parse(text)
    within = None if frame is None else frame(prompt)
    found = []
    for k in range(TRUE):
        world = make_world(prompt, width, height, f"{text}/{k}", within)
        if prompt.without:
            before = make_world(parse(text), width, height, f"{text}/{k}", within)
            world = replace(world, before=before)
        found.append((world, 0.0))
    for k in range(LOOSE):
        seed = f"{text}/loose {k}"
        r = Random(seed)  # noqa: S311 - reproducible, nothing secret
        loose, dropped = loosen(prompt, r)
        kept = tuple(names for names in prompt.without if r.random() < KEPT)
        forgotten = len(prompt.without) - len(kept)
        log = -NATS * scale * dropped - NEGATIVE_NATS * (scale - 1) * forgotten
        if dropped + forgotten and log > UNLIKELY:
            loose = replace(loose, without=kept)
            found.append((make_world(loose, width, height, seed, within), log))
    return found


def loosen(prompt: Prompt, r: Random) -> tuple[Prompt, int]:
    """Disregard about half of what a prompt says; give what is left and how much was dropped."""
    dropped = 0

    def keeps() -> bool:
        nonlocal dropped
        kept = r.random() < KEPT
        dropped += not kept
        return kept

    def some(wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
        kept = [w for w in wishes if keeps()]
        return tuple(replace(w, colour=None) if w.colour and not keeps() else w for w in kept)

    def maybe(value: str | None) -> str | None:
        return value if value is None or keeps() else None

    loose = Prompt(
        places=some(prompt.places),
        things=some(prompt.things),
        shapes=some(prompt.shapes),
        sights=some(prompt.sights),
        time=maybe(prompt.time),
        styles=tuple(s for s in prompt.styles if keeps()),
        background=maybe(prompt.background),
    )
    return loose, dropped
