"""The options that txt2img and img2img share, with the fork's names, types and defaults."""

from __future__ import annotations

import argparse
from pathlib import Path

from tiny_diffusion.checkpoint import default_path


def parser(*, outdir: str, n_samples: int, scale: float) -> argparse.ArgumentParser:
    """Return a parser of the shared options; where the scripts differ, the defaults are given."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--prompt",
        nargs="?",
        default="a painting of a virus monster playing guitar",
        help="the prompt to render",
    )
    parser.add_argument(
        "--negative_prompt", default="", help="what must not be in the pictures (not in the fork)"
    )
    parser.add_argument("--outdir", nargs="?", default=outdir, help="folder to write results to")
    parser.add_argument("--skip_grid", action="store_true", help="save no grid of all pictures")
    parser.add_argument("--skip_save", action="store_true", help="save no single pictures")
    parser.add_argument("--ddim_steps", type=int, default=50, help="number of sampling steps")
    parser.add_argument("--plms", action="store_true", help="use PLMS sampling (txt2img only)")
    parser.add_argument(
        "--fixed_code", action="store_true", help="start every iteration from the same noise"
    )
    parser.add_argument(
        "--ddim_eta", type=float, default=0.0, help="fresh noise in each DDIM step (0: none)"
    )
    parser.add_argument("--n_iter", type=int, default=1, help="sample this often")
    parser.add_argument("--C", type=int, default=4, help="channels of the noise")
    parser.add_argument("--f", type=int, default=8, help="pixels to a side of a cell of noise")
    parser.add_argument(
        "--n_samples", type=int, default=n_samples, help="pictures for each prompt at a time"
    )
    parser.add_argument("--n_rows", type=int, default=0, help="columns of the grid (0: n_samples)")
    parser.add_argument(
        "--scale", type=float, default=scale, help="how closely to follow the prompt"
    )
    parser.add_argument("--from-file", help="read prompts from this file, one to a line")
    parser.add_argument(
        "--config",
        default=default_path("configs/stable-diffusion/v1-inference.yaml"),
        help="config of the model",
    )
    parser.add_argument(
        "--ckpt",
        default=default_path("models/ldm/stable-diffusion-v1/model.ckpt"),
        help="checkpoint of the model",
    )
    parser.add_argument("--seed", type=int, default=42, help="same seed, same pictures")
    parser.add_argument(
        "--precision",
        choices=["full", "autocast"],
        default="autocast",
        help="accepted for the fork's sake: there is one precision here",
    )
    return parser


def prompt_batches(opt: argparse.Namespace) -> list[list[str]]:
    """Return the batches of one pass: the prompt `n_samples` times, or the lines of a file."""
    if opt.from_file:
        print(f"reading prompts from {opt.from_file}")
        lines = Path(opt.from_file).read_text(encoding="utf-8").splitlines()
        return [lines[at : at + opt.n_samples] for at in range(0, len(lines), opt.n_samples)]
    if opt.prompt is None:
        raise ValueError("--prompt has no text; write --prompt=TEXT if it begins with a dash")
    return [[opt.prompt] * opt.n_samples]


def grid_columns(opt: argparse.Namespace) -> int:
    """Return how many pictures stand side by side in the grid."""
    columns: int = opt.n_rows if opt.n_rows > 0 else opt.n_samples
    return columns
