"""The fake inpaint.py: paints the whole picture red, in the size of the one that it got.

With a checkpoint that says `broken` its PNGs have all their chunks, but no picture in them.
"""

import argparse
import random
import struct
from pathlib import Path

import drawing  # type: ignore[import-not-found]  # found on PYTHONPATH, as in the fork
import sampling  # type: ignore[import-not-found]  # found on PYTHONPATH, as in the fork

parser = argparse.ArgumentParser()
parser.add_argument("--indir", type=Path)
parser.add_argument("--outdir", type=Path)
parser.add_argument("--steps", type=int)
options = parser.parse_args()

masks = sorted(options.indir.glob("*_mask.png"))
options.outdir.mkdir()
sampling.record_invocation(options.outdir)
(options.outdir / "drawn.txt").write_text(str(random.getrandbits(32)))
model = Path("models/ldm/inpainting_big/last.ckpt").read_text(errors="replace")
(options.outdir / "model.txt").write_text(model)

drawing.write("\r0it [00:00, ?it/s]")
for n, mask in enumerate(masks, start=1):
    name = mask.name.replace("_mask.png", ".png")
    width, height = struct.unpack(">II", (options.indir / name).read_bytes()[16:24])
    drawing.sample(depth=1)
    red = b"" if model == "broken" else b"\xff\0\0"
    drawing.save(options.outdir / name, drawing.png(width, height, red))
    drawing.write(f"\r{n}it [00:00,  2.11it/s]")
drawing.write("\n")
