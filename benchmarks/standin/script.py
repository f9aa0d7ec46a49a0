"""Stands in for txt2img.py of the fork and for text-to-image.py of the original.

Writes what the servers read (tqdm's bars on stderr, PNGs into a folder) and does nothing else, so
that a measurement shows the server. Standard library only. The first word of the prompt says more:

- `hold`: draw the first bars and wait to be ended, so that other jobs wait.
- `bars FILE`: draw a bar for each percent of each image, some milliseconds apart, and write into
  FILE one line `IMAGE PERCENT SECONDS` for each, with the monotonic time just before the write.
- `sleep SECONDS`: take so long for each image, and end at once.
- anything else: draw few bars and finish at once.
"""

import argparse
import os
import random
import sys
import time
from pathlib import Path

PICTURE = "sample.png"
HOLD_SECONDS = 1800.0
TEARDOWN_SECONDS = 0.5
"""How long the process lives on, since the fork's do (1.4 s); the original dies of an exit that
follows the last bar by less than 0.2 s.
"""
_PAUSE = (0.015, 0.035)
"""Seconds between two bars, about as a fast machine draws them."""


def main() -> None:
    """Run the job that the arguments describe."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--prompt", default="")
    parser.add_argument("--outdir")  # the fork's: images go to samples/00000.png ...
    parser.add_argument("--output_directory_path")  # the original's: 1.png ...
    parser.add_argument("--n_iter", "--iterations", dest="images", type=int, default=1)
    options, _ = parser.parse_known_args()
    word, _, rest = options.prompt.partition(" ")
    picture = (Path(__file__).parents[1] / PICTURE).read_bytes()
    log: list[str] = []
    for image in range(options.images):
        draw("Sampling", image, options.images)
        if word == "hold":
            draw("DDIM Sampler", 1, 100)
            time.sleep(HOLD_SECONDS)
        if word == "sleep":
            time.sleep(float(rest.split()[0]))
        draw_image(image + 1, log if word == "bars" else None)
        draw("DDIM Sampler", 100, 100)
        target = image_path(options, image)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(picture)
    draw("Sampling", options.images, options.images)
    if word == "bars":
        Path(rest).write_text("".join(log), encoding="ascii")
    if word != "sleep":
        time.sleep(TEARDOWN_SECONDS)


def draw_image(image: int, log: list[str] | None) -> None:
    """Draw the bars of one image; with a log, each percent, timed."""
    if log is None:
        draw("DDIM Sampler", 50, 100)
        return
    for percent in range(1, 100):
        time.sleep(random.uniform(*_PAUSE))  # noqa: S311 (no secret)
        log.append(f"{image} {percent} {time.monotonic()!r}\n")
        draw("DDIM Sampler", percent, 100)


def draw(name: str, done: int, total: int) -> None:
    """Write a bar as tqdm does."""
    percent = 100 * done // total
    full = "█" * (percent // 10)
    bar = f"\r{name}: {percent:3d}%|{full:10}| {done}/{total} [00:00<00:00, 16.61it/s]\n"
    os.write(sys.stderr.fileno(), bar.encode())


def image_path(options: argparse.Namespace, image: int) -> Path:
    """Return where image `image` (from 0) goes."""
    if options.outdir:
        return Path(options.outdir, "samples", f"{image:05}.png")
    return Path(options.output_directory_path, f"{image + 1}.png")


if __name__ == "__main__":
    main()
