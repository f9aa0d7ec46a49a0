"""The sizes that the fork's network can take, and so the sizes that the scripts can."""

from __future__ import annotations

from itertools import pairwise

HALVINGS = 3


def check_latent(rows: int, columns: int) -> None:
    """Raise RuntimeError, in the fork's words, for a latent that its network cannot take.

    The network halves the latent three times, rounding up, and on the way back joins what it has
    doubled with what it had before. So the sides must be multiples of 8 cells: of 64 pixels for
    txt2img and img2img, whose cells are 8 pixels wide, of 32 for inpainting, whose cells are 4.
    """
    for side in (rows, columns):
        before = [side]
        while len(before) <= HALVINGS:
            before.append(-(-before[-1] // 2))
        for size, half in reversed(list(pairwise(before))):
            if 2 * half != size:
                raise RuntimeError(
                    "Sizes of tensors must match except in dimension 1. "
                    f"Expected size {2 * half} but got size {size}"
                )
