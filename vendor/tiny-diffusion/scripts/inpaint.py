"""Inpainting: fill what a white mask marks in each picture of a folder.

Options, bars, printed lines, file names and exit codes are those of the fork's script of this name.
Like that, it takes no seed: who wants the same pictures again seeds NumPy before.
"""

from __future__ import annotations

import argparse
import os
import sys
from glob import glob
from pathlib import Path

# Many small matrix products: handing each to several threads takes longer than doing it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.append(str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image
from tiny_diffusion.checkpoint import default_path, load
from tiny_diffusion.inpainting import inpaint
from tiny_diffusion.seeding import generator_from_numpy
from tqdm import tqdm

CONFIG = "models/ldm/inpainting_big/config.yaml"
CHECKPOINT = "models/ldm/inpainting_big/last.ckpt"
WHITE = 128


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--indir",
        nargs="?",
        help="folder of pictures and masks (`example.png` and `example_mask.png`)",
    )
    parser.add_argument("--outdir", nargs="?", help="folder to write results to")
    parser.add_argument("--steps", type=int, default=50, help="number of sampling steps")
    opt = parser.parse_args()

    masks = sorted(glob(os.path.join(opt.indir, "*_mask.png")))  # noqa: PTH118, PTH207 - "[" in the folder's name matches nothing, as in the fork
    images = [mask.replace("_mask.png", ".png") for mask in masks]
    print(f"Found {len(masks)} inputs.")

    checkpoint = load(default_path(CHECKPOINT), default_path(CONFIG))
    rng = generator_from_numpy()
    outdir = Path(opt.outdir)
    outdir.mkdir(parents=True, exist_ok=True)
    for image_path, mask_path in tqdm(zip(images, masks, strict=True)):
        image = np.asarray(Image.open(image_path).convert("RGB"))
        mask = np.asarray(Image.open(mask_path).convert("L")) >= WHITE
        filled = inpaint(checkpoint, image, mask, steps=opt.steps, rng=rng)
        Image.fromarray(filled).save(outdir / Path(image_path).name)


if __name__ == "__main__":
    main()
