"""As much of torch as a sampler needs: tensors that are NumPy's arrays, and a generator."""

from typing import Any

import numpy as np

_generator = np.random.RandomState(0)


class Tensor(np.ndarray[Any, Any]):
    """An array with the methods of a tensor that the runner uses."""

    def to(self, other: "Tensor") -> "Tensor":
        return self.astype(other.dtype).view(Tensor)

    def new_full(self, shape: tuple[int, ...], value: int) -> "Tensor":
        return np.full(shape, value, self.dtype).view(Tensor)


def manual_seed(seed: int) -> None:
    _generator.seed(seed & 0xFFFFFFFF)


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    return array.view(Tensor)


def randn_like(tensor: Tensor) -> Tensor:
    return from_numpy(_generator.standard_normal(tensor.shape))
