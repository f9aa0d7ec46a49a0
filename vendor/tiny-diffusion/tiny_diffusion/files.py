"""What the scripts leave on disk: numbered pictures and a grid, named as the fork names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID_PADDING = 2


class OutputFolder:
    """`OUTDIR/samples/00000.png ...` and `OUTDIR/grid-0000.png`.

    Numbers go on from the count of what is there when the folder is opened.
    """

    def __init__(self, outdir: str) -> None:
        self.path = Path(outdir)
        self._samples = self.path / "samples"
        self._samples.mkdir(parents=True, exist_ok=True)
        self._sample_count = len(list(self._samples.iterdir()))
        self._grid_count = len(list(self.path.iterdir())) - 1

    def save_sample(self, picture: NDArray[np.uint8]) -> None:
        """Write the next picture, (H, W, 3)."""
        Image.fromarray(picture).save(self._samples / f"{self._sample_count:05}.png")
        self._sample_count += 1

    def save_grid(self, pictures: NDArray[np.uint8], columns: int) -> None:
        """Write pictures (n, H, W, 3) as one."""
        Image.fromarray(grid(pictures, columns)).save(self.path / f"grid-{self._grid_count:04}.png")


def grid(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Return pictures (n, H, W, 3) side by side in rows of `columns`, with black lines between.

    A lone picture gets no frame. The measures are those of torchvision's `make_grid`.
    """
    count, height, width, channels = pictures.shape
    if count == 1:
        return np.asarray(pictures[0])
    columns = min(columns, count)
    rows = -(-count // columns)
    cell_height, cell_width = height + GRID_PADDING, width + GRID_PADDING
    sheet = np.zeros(
        (rows * cell_height + GRID_PADDING, columns * cell_width + GRID_PADDING, channels),
        np.uint8,
    )
    for index, picture in enumerate(pictures):
        top = index // columns * cell_height + GRID_PADDING
        left = index % columns * cell_width + GRID_PADDING
        sheet[top : top + height, left : left + width] = picture
    return sheet
