"""Make the contact sheets of docs/bundled-engine.md.

    python docs/make_contact_sheets.py

Writes text-to-image-8.webp, text-to-image-24.webp, options.webp, image-to-image.webp,
negative.webp and mask.webp to docs/images. It needs the extra `dev` (the photographs are
scikit-image's own).
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
os.environ["TQDM_DISABLE"] = "1"  # tqdm reads it when imported
sys.path.insert(0, str(ROOT / "vendor" / "tiny-diffusion"))

from tiny_diffusion import diffusion  # noqa: E402 - needs the path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

LABEL = 20
GAP = 4
SEEDS = range(1, 5)
README = (
    "A digital illustration of a beautiful mountain landscape, detailed, thom tenerys, "
    "epic composition, 4k, trending on artstation, fantasy vivid colors"
)
PROMPTS = (
    README,
    "a red house and a white boat on a lake at sunset, snowy mountains",
    "three hot air balloons over the alps",
    "an astronaut riding a horse",
    "a castle on a hill at night",
    "two cats and a dog in a meadow of flowers",
    "autumn forest",
    "winter forest with a cabin",
    "city skyline at night, rain",
    "a yellow taxi in the city at sunset, vivid",
    "a sailing boat on the sea at sunset",
    "a beach with palm trees",
    "a small tropical island",
    "a lighthouse in a storm, lightning",
    "pyramids in the desert at sunset",
    "a rainbow over green hills with sheep",
    "a village in the mountains at night",
    "northern lights over a lake",
    "a red rocket in space with two planets",
    "a purple mountain under a pink sky",
    "foggy pine forest",
    "watercolor of a windmill and tulips",
    "black and white city",
    "a huge tree on the left and a tiny blue house on the right",
    "a red heart on a yellow background",
    "five white stars on a blue background",
    "steam train in the alps",
    "",
)
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def text_to_image(
    prompt: str,
    seed: int,
    *,
    steps: int = 24,
    size: tuple[int, int] = (512, 512),
    scale: float = 7.5,
    eta: float = 0.0,
    plms: bool = False,
    negative: str = "",
) -> Picture:
    """Make the picture of a prompt, as txt2img.py does; `size` is (height, width)."""
    rng = np.random.default_rng(seed)
    code = rng.standard_normal((1, 4, size[0] // 8, size[1] // 8), dtype=np.float32)
    made = diffusion.text_to_image(
        None,
        [prompt],
        code,
        steps=steps,
        scale=scale,
        eta=eta,
        plms=plms,
        rng=rng,
        negative=negative,
    )
    return np.asarray(made[0])


def image_to_image(
    picture: Picture, prompt: str, strength: float, mask: str | None = None
) -> Picture:
    """Change a picture to a prompt, as img2img.py does."""
    rng = np.random.default_rng(3)
    made = diffusion.image_to_image(
        None, [prompt], picture, steps=24, strength=strength, scale=7.5, eta=0.0, rng=rng, mask=mask
    )
    return np.asarray(made[0])


def photograph(name: str) -> Picture:
    """Give the middle of one of scikit-image's photographs, 512 x 512."""
    with Image.open(Path(skimage.__file__).parent / "data" / name) as photo:
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        middle = photo.convert("RGB").crop((left, top, left + side, top + side))
        return np.asarray(middle.resize((512, 512), Image.Resampling.LANCZOS))


def sketch() -> Picture:
    """Draw two mountains, a river and a sun, as one would in a paint program."""
    image = Image.new("RGB", (512, 512), (160, 205, 235))
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, 330), (120, 150), (220, 330)], fill=(120, 110, 110))
    draw.polygon([(180, 330), (330, 100), (480, 330)], fill=(140, 125, 115))
    draw.rectangle((0, 320, 512, 512), fill=(70, 140, 60))
    draw.polygon([(220, 330), (260, 330), (420, 512), (200, 512)], fill=(60, 110, 200))
    draw.ellipse((400, 40, 470, 110), fill=(250, 230, 80))
    return np.asarray(image)


def row(label: str, pictures: Sequence[Picture], height: int) -> Image.Image:
    """Put pictures side by side under a label."""
    small = [
        Image.fromarray(p).resize(
            (round(p.shape[1] * height / p.shape[0]), height), Image.Resampling.LANCZOS
        )
        for p in pictures
    ]
    width = sum(p.width + GAP for p in small)
    strip = Image.new("RGB", (width, height + LABEL + GAP), "white")
    font = ImageFont.load_default(13)
    text = label or "(no prompt)"
    while font.getlength(text) > width - GAP:
        text = text.removesuffix(" …").rpartition(" ")[0] + " …"
    ImageDraw.Draw(strip).text((2, 2), text, fill=(40, 40, 48), font=font)
    left = 0
    for picture in small:
        strip.paste(picture, (left, LABEL))
        left += picture.width + GAP
    return strip


def save(name: str, rows: Sequence[Image.Image], columns: int = 1) -> None:
    """Save rows as a sheet of so many columns."""
    lines = [rows[k : k + columns] for k in range(0, len(rows), columns)]
    width = max(sum(r.width + 2 * GAP for r in line) for line in lines)
    sheet = Image.new("RGB", (width, sum(line[0].height for line in lines)), "white")
    top = 0
    for line in lines:
        left = 0
        for strip in line:
            sheet.paste(strip, (left, top))
            left += strip.width + 2 * GAP
        top += line[0].height
    IMAGES.mkdir(exist_ok=True)
    sheet.save(IMAGES / name, quality=82, method=6)
    print(name, f"{(IMAGES / name).stat().st_size / 1000:.0f} kB")


def option_rows() -> list[Image.Image]:
    """Show what the options do."""
    lake: Callable[..., Picture] = partial(text_to_image, PROMPTS[1], 5)
    loose = partial(text_to_image, "a yellow house in the hills at night")
    wide, tall = (256, 1024), (768, 256)
    steps = [lake(steps=n) for n in (1, 2, 4, 8, 24, 50)]
    noisy = [*(lake(eta=e) for e in (0.0, 0.5, 1.0)), lake(plms=True)]
    columns = [text_to_image(PROMPTS[k], 2, size=tall) for k in (0, 1, 2, 4, 8, 10, 11, 18, 20)]
    return [
        row("--ddim_steps 1, 2, 4, 8, 24, 50", steps, 150),
        row("--ddim_eta 0, 0.5, 1, and --plms", noisy, 150),
        row("--scale 1: loosely the prompt", [loose(s, scale=1.0) for s in range(6)], 150),
        row("--scale 7.5: the prompt", [loose(s) for s in range(6)], 150),
        row("--H 256 --W 1024", [text_to_image(PROMPTS[1], 2, size=wide)], 225),
        row("--H 768 --W 256", columns, 280),
    ]


def strength_rows() -> list[Image.Image]:
    """Show image to image at several strengths, on photographs and drawings."""
    lake = text_to_image(PROMPTS[1], 1)
    heart = text_to_image("a red heart on a yellow background", 1)
    inputs = (
        (photograph("astronaut.png"), "a castle at sunset, mountains"),
        (photograph("coffee.png"), "a lake and snowy mountains by day"),
        (photograph("chelsea.png"), "a black cat in a meadow at night"),
        (sketch(), "A fantasy landscape, mountains, trending on artstation"),
        (lake, "winter forest with a cabin at night"),
        (heart, "a blue star on a white background"),
    )
    return [
        row(prompt, [image_to_image(picture, prompt, s) for s in STRENGTHS], 170)
        for picture, prompt in inputs
    ]


def negative_rows() -> list[Image.Image]:
    """Show pictures without and with negative prompts."""
    pairs = (
        ("a house by a lake with trees, day", "trees"),
        ("a castle in the mountains by day", "snow, clouds"),
        ("a meadow by day, two cats", "flowers, cats"),
        ("a red house in the hills by day", "red, green"),
    )
    return [
        row(
            f"{text} | {negative}",
            [text_to_image(text, 2, negative=n) for n in ("", negative)],
            170,
        )
        for text, negative in pairs
    ]


def mask_rows() -> list[Image.Image]:
    """Show image to image with a mask: the picture, its repainted part, three prompts."""
    lower, upper = (120, 300, 470, 512), (300, 20, 490, 220)
    lake = text_to_image("a house by a lake, day", 3)
    photo = photograph("astronaut.png")
    with TemporaryDirectory() as folder:
        rows = []
        for picture, box, prompts in (
            (lake, lower, ("a red boat", "a snowman", "")),
            (lake, upper, ("a hot air balloon", "full moon", "a rainbow")),
            (photo, upper, ("a rocket", "a red heart", "a robin")),
        ):
            mask = Image.new("L", (512, 512))
            ImageDraw.Draw(mask).rounded_rectangle(box, 60, fill=255)
            mask.save(path := f"{folder}/mask.png")
            white = Image.new("RGB", mask.size, "white")
            shown = Image.composite(white, Image.fromarray(picture), mask.point(lambda v: v // 2))
            made = [image_to_image(picture, prompt, 0.75, path) for prompt in prompts]
            label = ", ".join(f"“{prompt}”" for prompt in prompts)
            rows.append(row(label, [picture, np.asarray(shown), *made], 170))
    return rows


def main() -> None:
    """Make all sheets."""
    for steps in (8, 24):
        rows = [
            row(prompt, [text_to_image(prompt, seed, steps=steps) for seed in SEEDS], 150)
            for prompt in PROMPTS
        ]
        save(f"text-to-image-{steps}.webp", rows, columns=2)
    save("options.webp", option_rows())
    save("image-to-image.webp", strength_rows())
    save("negative.webp", negative_rows(), columns=2)
    save("mask.webp", mask_rows())


if __name__ == "__main__":
    main()
