"""As much of the fork's attention as says which one was computed."""

from types import SimpleNamespace
from typing import Any


class Tensor:
    """Takes part in any computation and stays as it is."""

    def __init__(self, device: str) -> None:
        self.device = SimpleNamespace(type=device)

    def unflatten(self, *_: object) -> "Tensor":
        return self

    transpose = flatten = unflatten


class CrossAttention:
    heads = 1

    def to_q(self, x: Any) -> Any:
        return x

    to_k = to_v = to_out = to_q

    def forward(self, x: Any, context: Any = None, mask: Any = None) -> Any:
        return x, context, mask
