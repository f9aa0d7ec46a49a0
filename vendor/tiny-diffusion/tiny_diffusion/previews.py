"""The place where a program that runs a script can see the pictures while they are sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


def show(estimate: Callable[[], NDArray[np.float32]], index: int) -> None:
    """Offer the estimate after a step, of which `index` more follow; replaced from outside.

    `estimate` returns the expected pictures, small: (n, h, w, 3), about 0 … 1.
    """
