"""Numbers from numbers. Pure."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from statistics import median


def percentile(values: Collection[float], percent: float) -> float:
    """Return the smallest value that `percent` of all are not above (nearest rank)."""
    ranked = sorted(values)
    if not ranked:
        raise ValueError("A percentile needs at least one value.")
    return ranked[max(math.ceil(percent / 100 * len(ranked)), 1) - 1]


@unique
class Better(StrEnum):
    """Which way a figure should go."""

    HIGHER = "≥"
    LOWER = "≤"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound, e.g. `≥ 2 x` (of the other's figure) or `≤ 20 ms` (absolute)."""

    better: Better
    bound: float
    unit: str = "x"

    def met(self, value: float) -> bool:
        """Tell whether the value is within the bound."""
        return value >= self.bound if self.better is Better.HIGHER else value <= self.bound

    def __str__(self) -> str:
        return f"{self.better} {self.bound:g} {self.unit}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of each round, which drift of the machine leaves alone."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))
