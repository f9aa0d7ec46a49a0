"""The denoiser: the posterior mean over a bank of drawings, in windows that shrink with the noise.

See docs/bundled-engine.md for the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion.bank import Bank, Layer, Reflection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiny_diffusion.guide import Guide
    from tiny_diffusion.scene.world import World

    Cells = NDArray[np.float32]

EVIDENCE = 3.0  # nats by which a window may tell versions apart in strong noise
CHOICE = 3.0  # nats by which one standard deviation of noise prefers a world
SPREAD = 0.04  # how far pictures lie from their drawings
COARSE = 2  # cells along each side of one when worlds are compared
LARGEST_GRID = 96 * 96


def posterior(
    distances: NDArray[np.float64],
    spread: float,
    noise: float,
    prior: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Give the weights of candidates at squared `distances` from the noisy latent.

    `noise` is the standard deviation of the noise beside a picture of full strength, `spread` the
    mean squared distance of the candidates from their mean. Exact Bayes is exp(-d / 2 noise²);
    where that would tell candidates apart by more than some nats, fewer cells are looked at.
    """
    exact = 1 / (2 * noise * noise)
    evidence = EVIDENCE * (1 + 0.5 / (noise + 0.05))
    windowed = evidence / max(float(np.sqrt(spread**2 + 4 * noise**2 * spread)), 1e-9)
    logs = prior - min(exact, windowed) * (distances - distances.min())
    return _softmax(logs)


def _softmax(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


class SceneDenoiser:
    """Denoises one picture: chooses its world at the first, noisiest step, then every layer."""

    def __init__(
        self,
        worlds: Sequence[tuple[World, float]],
        rows: int,
        columns: int,
        source: Guide | None = None,
    ) -> None:
        """Take worlds with their log priors; x begins as noise, or as a noised `source`."""
        self._worlds = worlds
        self._shrink = _shrink(rows, columns)
        self._rows, self._columns = rows // self._shrink, columns // self._shrink
        self.source = source
        self.bank: Bank | None = None
        self.weights: list[NDArray[np.float64]] = []
        self.drawn: Cells = np.zeros((4, rows, columns), dtype=np.float32)

    def __call__(self, x: Cells, alpha_bar: float) -> Cells:
        """Give the expected clean latent (4, h, w) behind `x` at noise 1 - ᾱ."""
        noise = ((1 - alpha_bar) / alpha_bar) ** 0.5
        full = x / np.float32(alpha_bar**0.5)
        seen = _pool(full, self._shrink)
        others, share = np.zeros_like(seen), 1.0
        if self.bank is None:
            others, share = self._choose_world(seen, noise / self._shrink)
            self._sweep(seen, noise / self._shrink)
        elif self.source is not None:
            seen = _pool(full - self.source.outliving(self.drawn), self._shrink)
        expected = self._sweep(seen, noise / self._shrink)
        expected = others + np.float32(share) * expected
        self.drawn = grown = _grow(expected, self._shrink)
        if self.source is not None:
            return grown + self.source.outliving(grown)
        keep = np.float32(SPREAD**2 / (SPREAD**2 + noise**2))
        return grown + keep * (full - grown)

    def _choose_world(self, seen: Cells, noise: float) -> tuple[Cells, float]:
        """Choose the likeliest world; give the others' part of the mean, and its own weight."""
        seen, noise = _pool(seen, COARSE), noise / COARSE
        worlds = [world for world, _ in self._worlds]
        scenes = _scenes(worlds, *seen.shape[1:])
        prior = np.array([log for _, log in self._worlds])
        directions = scenes - scenes.mean(0)
        norms = _energy(directions)
        if self.source is None:
            if any(world.before for world in worlds):
                before = _scenes([world.before or world for world in worlds], *seen.shape[1:])
                directions = before - before.mean(0)
                norms = _energy(directions)
            # Pure noise holds no picture: by its angle to each, no world is likelier than another.
            towards = (seen * directions).sum((1, 2, 3)) / (noise * np.sqrt(norms + 1e-9))
            weights = _softmax(prior + CHOICE * towards)
        else:
            weights = posterior(_energy(seen - scenes), float(norms.mean()), noise, prior)
        best = int(weights.argmax())
        self.bank = Bank(self._worlds[best][0], self._rows, self._columns)
        self.weights = [_uniform(layer) for layer in self.bank.layers]
        share = float(weights[best])
        weights[best] = 0
        return _grow(_mix(weights, scenes), COARSE), share

    def _sweep(self, seen: Cells, noise: float) -> Cells:
        """Weigh the versions of each layer, back to front, the others as expected so far."""
        assert self.bank is not None  # noqa: S101 - chosen by the first call
        layers = self.bank.layers
        fronts = self._fronts()
        behind = np.zeros((4, self._rows, self._columns), dtype=np.float32)
        for index, layer in enumerate(layers):
            if isinstance(layer, Reflection):
                behind = layer.over(behind)
                continue
            if len(self.weights[index]) > 1:
                rows, columns = layer.box
                front = fronts[index][:, rows, columns]
                box = (slice(None), rows, columns)
                self.weights[index] = _weigh(layer.cells, behind[box], front, seen[box], noise)
            behind = over(behind, layer, self.weights[index])
        return behind

    def _fronts(self) -> list[Cells]:
        """Give what is expected before each layer: premultiplied, and what shines through."""
        assert self.bank is not None  # noqa: S101 - chosen by the first call
        front = np.zeros((5, self._rows, self._columns), dtype=np.float32)
        front[4] = 1
        found: list[Cells] = []
        for layer, weights in zip(reversed(self.bank.layers), reversed(self.weights), strict=True):
            found.append(front)
            front = front.copy()
            if isinstance(layer, Reflection):
                front[4, layer.row :] = 0
                continue
            rows, columns = layer.box
            mean = _mix(weights, layer.cells)
            through = front[4, rows, columns].copy()
            front[:4, rows, columns] += through * mean[:4]
            front[4, rows, columns] = through * (1 - mean[4])
        return found[::-1]


def _scenes(worlds: Sequence[World], rows: int, columns: int) -> Cells:
    """Give the latent of one picture of each world."""
    banks = (Bank(world, rows, columns, [index]) for index, world in enumerate(worlds))
    return np.stack([composite(bank.layers) for bank in banks])


def over(behind: Cells, layer: Layer, weights: NDArray[np.float64]) -> Cells:
    """Lay the expected layer over a picture (4, rows, columns)."""
    mean = _mix(weights, layer.cells)
    out = behind.copy()
    rows, columns = layer.box
    out[:, rows, columns] = mean[:4] + (1 - mean[4]) * behind[:, rows, columns]
    return out


def composite(layers: Sequence[Layer | Reflection]) -> Cells:
    """Give the latent of a picture, each layer at the mean of its versions."""
    rows = max(layer.box[0].stop for layer in layers if isinstance(layer, Layer))
    columns = max(layer.box[1].stop for layer in layers if isinstance(layer, Layer))
    picture = np.zeros((4, rows, columns), dtype=np.float32)
    for layer in layers:
        picture = (
            layer.over(picture)
            if isinstance(layer, Reflection)
            else over(picture, layer, _uniform(layer))
        )
    return picture


def _weigh(
    cells: Cells, behind: Cells, front: Cells, seen: Cells, noise: float
) -> NDArray[np.float64]:
    """Weigh the versions of a layer between what is expected behind and before it."""
    pictures = front[:4] + front[4] * (cells[:, :4] + (1 - cells[:, 4:]) * behind)
    spread = float(_energy(pictures - pictures.mean(0)).mean())
    if spread < 1e-6:
        return np.full(len(cells), 1 / len(cells))
    return posterior(_energy(seen - pictures), spread, noise)


def _energy(x: Cells) -> NDArray[np.float64]:
    return np.asarray(np.square(x, dtype=np.float64).sum((1, 2, 3)))


def _mix(weights: NDArray[np.float64], items: Cells) -> Cells:
    total = np.zeros(items.shape[1:], dtype=np.float32)
    for weight, item in zip(weights, items, strict=True):
        if weight > 1e-4:
            total += np.float32(weight) * item
    return total


def _uniform(layer: Layer | Reflection) -> NDArray[np.float64]:
    count = len(layer.cells) if isinstance(layer, Layer) else 1
    return np.full(count, 1 / count)


def _shrink(rows: int, columns: int) -> int:
    """Give by how much the grid is pooled, so that the bank of a huge picture stays small."""
    factor = 1
    while rows * columns > LARGEST_GRID * factor**2 and factor < 8:
        factor *= 2
    return factor


def _pool(x: Cells, factor: int) -> Cells:
    channels, rows, columns = x.shape
    blocks = x.reshape(channels, rows // factor, factor, columns // factor, factor)
    return np.asarray(blocks.mean((2, 4)), dtype=np.float32)


def _grow(x: Cells, factor: int) -> Cells:
    return x.repeat(factor, 1).repeat(factor, 2)
