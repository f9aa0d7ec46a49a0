"""Text to image: make pictures of a prompt.

Options, bars, printed lines, file names and exit codes are those of the fork's script of this name.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from typing import TYPE_CHECKING

import numpy as np
from tiny_diffusion import options
from tiny_diffusion.checkpoint import load_model
from tiny_diffusion.diffusion import text_to_image
from tiny_diffusion.files import OutputFolder
from tiny_diffusion.seeding import seed_everything
from tiny_diffusion.shapes import check_latent
from tqdm import tqdm, trange

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_AREA = 256 * 256


def main() -> None:
    """Run the script."""
    parser = options.parser(outdir="outputs/txt2img-samples", n_samples=1, scale=7.5)
    parser.add_argument("--laion400m", action="store_true", help="use the LAION400M model")
    parser.add_argument("--H", type=int, default=512, help="height of the pictures in pixels")
    parser.add_argument("--W", type=int, default=512, help="width of the pictures in pixels")
    opt = parser.parse_args()
    if opt.laion400m:
        print("Falling back to LAION 400M model...")
        opt.config = "configs/latent-diffusion/txt2img-1p4B-eval.yaml"
        opt.ckpt = "models/ldm/text2img-large/model.ckpt"
        opt.outdir = "outputs/txt2img-samples-laion400m"

    rng = seed_everything(opt.seed)
    checkpoint = load_model(opt.ckpt, opt.config)
    folder = OutputFolder(opt.outdir)
    data = options.prompt_batches(opt)

    # All randomness is in the noise that the pictures start from; here is one for each picture.
    shape = (opt.n_samples, opt.C, opt.H // opt.f, opt.W // opt.f)
    fixed_code = rng.standard_normal(shape, dtype=np.float32) if opt.fixed_code else None
    batches = []
    for _ in trange(opt.n_iter, desc="Sampling"):
        for prompts in tqdm(data, desc="data"):
            code = (
                rng.standard_normal(shape, dtype=np.float32) if fixed_code is None else fixed_code
            )
            check_latent(*shape[2:])
            pictures = text_to_image(
                checkpoint,
                prompts,
                code,
                steps=opt.ddim_steps,
                scale=opt.scale,
                eta=opt.ddim_eta,
                plms=opt.plms,
                rng=rng,
                negative=opt.negative_prompt,
            )
            for picture in [] if opt.skip_save else pictures:
                folder.save_sample(_large_enough(picture))
            batches.append(pictures)
    if not opt.skip_grid:
        folder.save_grid(_large_enough(np.concatenate(batches)), options.grid_columns(opt))
    print(f"Your samples are ready and waiting for you here: \n{opt.outdir} \n \nEnjoy.")


def _large_enough(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pictures (..., H, W, 3), if they are of the size that the fork can save.

    Its watermark does not fit into less, and so it fails where the picture is done and unsaved.
    """
    height, width = pictures.shape[-3:-1]
    if height * width < SMALLEST_AREA:
        raise RuntimeError("image too small, should be larger than 256x256")
    return pictures


if __name__ == "__main__":
    main()
