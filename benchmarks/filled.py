"""An output folder with many jobs and their images, without making them."""

import os
import sqlite3
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from PIL import Image, ImageDraw

from sdrest.job_types import JobType
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import NewJob, insert
from sdrest.jobs.model import JobKey
from sdrest.jobs.schema import open_to_write
from sdrest.params import TextToImage

SIZES: Sequence[tuple[int, int]] = ((512, 512), (768, 512), (512, 768), (896, 512), (512, 896))
WORDS = ("a lighthouse at dusk", "a red fox in the snow", "a boat on a lake, sunset, very detailed")
COLOURS = ("#27496d", "#a53c0f", "#1d7a4f", "#6d5a27", "#4a2f5a", "#7b8a94", "#c9a227")
_END = """
UPDATE jobs SET status = iif(number > :last, 'CANCELLED', 'COMPLETE'),
    images = iif(number > :last, 0, total_images),
    created_at = created_at - (:count - number) * 60.0,
    width = json_extract(params, '$.width'), height = json_extract(params, '$.height')
"""


def fill(
    output: Path, count: int, *, pictures: Sequence[int] = (1, 1, 4, 1, 2), cancelled: int = 0
) -> list[JobKey]:
    """Write `count` jobs, oldest first, COMPLETE but for the last `cancelled`; return their keys.

    The files of equal pictures are one file on the disk.
    """
    folders = Folders(output)
    folders.create()
    files = _files(output)
    connection, _ = open_to_write(folders.database)
    connection.execute("BEGIN")
    shapes = islice(zip(cycle(SIZES), cycle(pictures), cycle(WORDS), strict=False), count)
    found = []
    for number, ((width, height), images, words) in enumerate(shapes):
        key = JobKey(JobType.TEXT_TO_IMAGE, f"{number + 1:032x}")
        params = TextToImage(
            prompt=f"{words}, number {number}",
            width=width,
            height=height,
            iterations=images,
            seed=number,
        )
        insert(connection, NewJob(key, params.dump(), images, number, limit=count + 1))
        folder = folders.published(key)
        if number < count - cancelled:
            folder.mkdir()
            for image in range(images):
                os.link(
                    files[width, height][(number + image) % len(COLOURS)],
                    folder / f"{image + 1}.png",
                )
        found.append(key)
    _finish(connection, count, cancelled)
    connection.execute("COMMIT")
    connection.close()
    return found


def _finish(connection: sqlite3.Connection, count: int, cancelled: int) -> None:
    connection.execute(_END, {"count": count, "last": count - cancelled})
    connection.execute("UPDATE jobs SET finished_at = created_at + 9, started_at = created_at")


def _files(output: Path) -> dict[tuple[int, int], list[Path]]:
    """Write a picture of each size and colour, which is not a plain surface."""
    folder = output / ".sdrest" / "pictures"
    folder.mkdir()
    found: dict[tuple[int, int], list[Path]] = {}
    for size in SIZES:
        for number, colour in enumerate(COLOURS):
            image = Image.radial_gradient("L").resize(size).convert("RGB")
            image = Image.blend(image, Image.new("RGB", size, colour), 0.7)
            draw = ImageDraw.Draw(image)
            draw.rectangle((0, size[1] * 2 // 3, size[0], size[1]), fill=COLOURS[number - 1])
            draw.ellipse((size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 2), fill="#f4e9d8")
            path = folder / f"{size[0]}x{size[1]}-{number}.png"
            image.save(path)
            found.setdefault(size, []).append(path)
    return found
