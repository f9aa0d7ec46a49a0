"""Image to image: move a picture towards a prompt.

Options, bars, printed lines, file names and exit codes are those of the fork's script of this name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Many small matrix products: handing each to several threads takes longer than doing it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.append(str(Path(__file__).resolve().parent.parent))

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tiny_diffusion import options
from tiny_diffusion.checkpoint import load_model
from tiny_diffusion.diffusion import image_to_image
from tiny_diffusion.files import OutputFolder
from tiny_diffusion.latent import CELL
from tiny_diffusion.schedule import Schedule
from tiny_diffusion.seeding import seed_everything
from tiny_diffusion.shapes import check_latent
from tqdm import tqdm, trange

if TYPE_CHECKING:
    from numpy.typing import NDArray

MULTIPLE = 32


def main() -> None:
    """Run the script."""
    parser = options.parser(outdir="outputs/img2img-samples", n_samples=2, scale=5.0)
    parser.add_argument("--init-img", nargs="?", help="the picture to start from")
    parser.add_argument(
        "--strength",
        type=float,
        default=0.75,
        help="how much noise to add to the picture: 0 changes nothing, 1 leaves nothing of it",
    )
    parser.add_argument(
        "--mask", help="repaint only what is white in this picture (not in the fork)"
    )
    opt = parser.parse_args()

    rng = seed_everything(opt.seed)
    checkpoint = load_model(opt.ckpt, opt.config)
    if opt.plms:
        raise NotImplementedError("PLMS sampler not (yet) supported")
    folder = OutputFolder(opt.outdir)
    data = options.prompt_batches(opt)
    image = load_image(opt.init_img)
    Schedule.ddim(opt.ddim_steps, opt.ddim_eta)  # a bad number of steps fails before any bar
    if not 0.0 <= opt.strength <= 1.0:
        raise ValueError("can only work with strength in [0.0, 1.0]")
    print(f"target t_enc is {int(opt.strength * opt.ddim_steps)} steps")

    batches = []
    for _ in trange(opt.n_iter, desc="Sampling"):
        for prompts in tqdm(data, desc="data"):
            check_latent(image.shape[0] // CELL, image.shape[1] // CELL)
            pictures = image_to_image(
                checkpoint,
                prompts,
                image,
                steps=opt.ddim_steps,
                strength=opt.strength,
                scale=opt.scale,
                eta=opt.ddim_eta,
                rng=rng,
                negative=opt.negative_prompt,
                mask=opt.mask,
            )
            for picture in [] if opt.skip_save else pictures:
                folder.save_sample(picture)
            batches.append(pictures)
    if not opt.skip_grid:
        folder.save_grid(np.concatenate(batches), options.grid_columns(opt))
    print(f"Your samples are ready and waiting for you here: \n{opt.outdir} \n \nEnjoy.")


def load_image(path: str) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3), its sides rounded down to multiples of 32.

    Rotation marks and transparency are not looked at, as in the fork.
    """
    image = Image.open(path).convert("RGB")
    width, height = image.size
    print(f"loaded input image of size ({width}, {height}) from {path}")
    size = width - width % MULTIPLE, height - height % MULTIPLE
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
