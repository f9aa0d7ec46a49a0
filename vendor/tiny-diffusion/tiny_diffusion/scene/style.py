"""Styles: affine maps of colour, so they can be laid over a layer as well as over a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_GRAY = np.array([[0.3, 0.59, 0.11]] * 3)
_SEPIA = np.array([[0.36, 0.70, 0.17], [0.31, 0.61, 0.15], [0.24, 0.48, 0.12]])
_EYE = np.eye(3)


def _affine(
    saturation: float, contrast: float, towards: tuple[float, float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    matrix = (_GRAY + saturation * (_EYE - _GRAY)) * contrast
    return matrix, np.array(towards) * (1 - contrast)


STYLES: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {
    "vivid": _affine(1.4, 1.1, (0.42, 0.42, 0.42)),
    "pastel": _affine(0.85, 0.52, (1.0, 0.97, 0.95)),
    "monochrome": _affine(0.0, 1.08, (0.5, 0.5, 0.5)),
    "fantasy": _affine(1.12, 1.0, (0.0, 0.0, 0.0)),
    "foggy": _affine(0.7, 0.5, (0.84, 0.86, 0.88)),
    "sepia": (_SEPIA, np.array([0.03, 0.02, 0.0])),
}


class Style:
    """The styles of a picture, one after the other."""

    def __init__(self, names: Iterable[str]) -> None:
        """Combine named styles."""
        self._matrix, self._offset = _EYE, np.zeros(3)
        for name in names:
            matrix, offset = STYLES[name]
            self._matrix, self._offset = matrix @ self._matrix, matrix @ self._offset + offset

    def apply(self, layer: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map a premultiplied layer (…, 4), values 0 … 1; opacity stays."""
        out = np.empty_like(layer)
        matrix, offset = self._matrix.astype(np.float32), self._offset.astype(np.float32)
        for i in range(3):  # no BLAS: the same bytes on any number of cores
            out[..., i] = (
                layer[..., 0] * matrix[i, 0]
                + layer[..., 1] * matrix[i, 1]
                + layer[..., 2] * matrix[i, 2]
                + layer[..., 3] * offset[i]
            )
        out[..., 3] = layer[..., 3]
        return out
