"""A job's image becomes a picture of the answer: its size, its mask, its infotext."""

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdrest import metadata
from sdrest.jobs.model import Job
from sdrest.web.dialects.a1111 import canvas
from sdrest.web.dialects.a1111.base64_pictures import encode
from sdrest.web.dialects.a1111.canvas import Canvas
from sdrest.web.dialects.a1111.info import Made, resized
from sdrest.web.dialects.a1111.mapping import Plan


def finished(
    path: Path, plan: Plan, number: int, job: Job, *, source: Canvas | None, model: Path
) -> Made:
    """Return picture `number` (from 0) of a request, made from the image at `path`. Blocks.

    An image that is the answer as it is stays byte for byte; otherwise its text chunks are copied.
    `model` is the checkpoint's file name, for images without metadata.
    """
    with Image.open(path, formats=("PNG",)) as image:
        image.load()
        texts = {str(name): text for name, text in image.info.items() if isinstance(text, str)}
        picture = canvas.finish(source, image, plan.size)
        if picture is image:
            text = texts.get(metadata.PARAMETERS) or _infotext(plan, number, job, model)
            return Made(number, encode(path.read_bytes()), text)
    text = resized(texts.get(metadata.PARAMETERS) or _infotext(plan, number, job, model), plan.size)
    chunks = PngInfo()
    for name, value in texts.items():
        chunks.add_text(name, text if name == metadata.PARAMETERS else value)
    written = io.BytesIO()
    picture.save(written, "PNG", pnginfo=chunks)
    return Made(number, encode(written.getvalue()), text)


def _infotext(plan: Plan, number: int, job: Job, model: Path) -> str:
    made = metadata.GenerationInfo(plan.params(number), job.seed, 1, model, job.key.id)
    return metadata.infotext(made, plan.size)
