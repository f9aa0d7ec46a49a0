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
from sdrest.web.dialects.a1111.checkpoints import Model
from sdrest.web.dialects.a1111.info import Made, completed
from sdrest.web.dialects.a1111.mapping import Plan


def finished(
    path: Path, plan: Plan, number: int, job: Job, *, source: Canvas | None, model: Model
) -> Made:
    """Return picture `number` (from 0) of a request, made from the image at `path`. Blocks.

    The text chunks are kept; `parameters`, if there is that, is the answer's infotext.
    """
    with Image.open(path, formats=("PNG",)) as image:
        image.load()
        texts = {str(name): text for name, text in image.info.items() if isinstance(text, str)}
        picture = canvas.finish(source, image, plan.size)
    embedded = texts.get(metadata.PARAMETERS)
    text = completed(embedded or _infotext(plan, number, job, model), plan.size, model)
    if picture is image:
        data = path.read_bytes()
        if embedded not in {None, text}:
            data = metadata.with_infotext(data, text)
        return Made(number, encode(data), text)
    chunks = PngInfo()
    for name, value in texts.items():
        chunks.add_text(name, text if name == metadata.PARAMETERS else value)
    written = io.BytesIO()
    picture.save(written, "PNG", pnginfo=chunks)
    return Made(number, encode(written.getvalue()), text)


def _infotext(plan: Plan, number: int, job: Job, model: Model) -> str:
    made = metadata.GenerationInfo(
        plan.params(number), job.seed, 1, Path(model.filename), job.key.id
    )
    return metadata.infotext(made, plan.size)
