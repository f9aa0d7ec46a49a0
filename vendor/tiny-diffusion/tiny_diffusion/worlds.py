"""The worlds that a prompt allows, and how likely each is at a guidance scale."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tiny_diffusion.prompt import Prompt, Wish, parse
from tiny_diffusion.scene.world import World, make_world

TRUE = 14  # worlds that obey every word
LOOSE = 10  # worlds that disregard some
NATS = 1.0  # how much less likely each disregarded word makes a world, at scale 1
UNLIKELY = -5.0


def worlds(text: str, width: float, height: float, scale: float) -> list[tuple[World, float]]:
    """Give worlds with log priors: p(words | world)^scale, classifier guidance on a finite bank."""
    prompt = parse(text)
    found = [(make_world(prompt, width, height, f"{text}/{k}"), 0.0) for k in range(TRUE)]
    for k in range(LOOSE):
        seed = f"{text}/loose {k}"
        loose, dropped = loosen(prompt, Random(seed))  # noqa: S311 - reproducible, nothing secret
        log = -NATS * scale * dropped
        if dropped and log > UNLIKELY:
            found.append((make_world(loose, width, height, seed), log))
    return found


def loosen(prompt: Prompt, r: Random) -> tuple[Prompt, int]:
    """Disregard about half of what a prompt says; give what is left and how much was dropped."""
    dropped = 0

    def keeps() -> bool:
        nonlocal dropped
        kept = r.random() < 0.55
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
