"""Embeds generation parameters in PNGs as text chunks; the pixels stay the same. Pure.

The chunk `parameters` has the format of AUTOMATIC1111's web UI, which many programs read: the
prompt, then `Negative prompt:` and the negative one, if there is one, then one line of
`Name: value` pairs. The chunk `sdrest` holds all parameters as JSON.
"""

import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL.PngImagePlugin import PngInfo, putchunk

from sdrest import __version__, png
from sdrest.infotext import write as write_infotext
from sdrest.params import ImageToImage, InpaintImage, Params, TextToImage, picture_fields

PARAMETERS, RECORD = "parameters", "sdrest"
"""The keywords of the chunks."""

Texts = Mapping[str, str]
"""Texts of chunks by their keywords."""

_TEXT_CHUNKS = {b"tEXt", b"zTXt", b"iTXt"}
_MAX_KEYWORD = 79
_COPY_BYTES = 256 * 1024
_DDIM = "DDIM"  # what img2img.py and inpaint.py sample with


@dataclass(frozen=True, slots=True)
class GenerationInfo:
    """How an image was made: it is image `number` (from 1) of a job with `params`.

    `seed` is the job's, for all of its images. `job_id` is empty without a server. `flagged` says
    that the safety checker replaced the image. `attention` is empty for an engine without it.
    """

    params: Params
    seed: int
    number: int
    model: Path
    job_id: str = ""
    flagged: bool = False
    attention: str = ""


def infotext(info: GenerationInfo, size: tuple[int, int]) -> str:
    """Return the text of the chunk `parameters` for an image of `size` (width, height) pixels.

    Programs read pairs only from the last line, so a prompt cannot forge them. Newlines stay; what
    a text chunk cannot hold (NUL, halves of surrogate pairs) becomes U+FFFD.
    """
    prompts = ("", "")
    if not isinstance(info.params, InpaintImage):
        prompts = info.params.prompt, info.params.negative_prompt
    return _replace_unencodable(write_infotext(*prompts, _pairs(info, size)))


def record(info: GenerationInfo) -> str:
    """Return the text of the chunk `sdrest`: JSON in ASCII, with the unchanged prompt."""
    names = {info.alias or name for name, info in picture_fields(info.params.type).items()}
    params = {name: value for name, value in info.params.dump().items() if name in names}
    values = {
        "version": __version__,
        "type": info.params.type,
        "id": info.job_id or None,
        "params": params,
        "seed": info.seed,
        "image": info.number,
        "model": info.model.name,
    }
    more = {"flagged": info.flagged, "attention": info.attention}
    return json.dumps(values | {name: value for name, value in more.items() if value})


def embed(info: GenerationInfo, source: BinaryIO, target: BinaryIO) -> None:
    """Copy a PNG and insert the chunks after IHDR; all others stay byte for byte.

    Chunks with the same keywords are left out. Raises `BrokenPngError` if `source` is not a PNG.
    """

    def texts(size: tuple[int, int]) -> Texts:
        return {PARAMETERS: infotext(info, size), RECORD: record(info)}

    _embed(texts, {PARAMETERS, RECORD}, source, target)


def with_infotext(data: bytes, text: str) -> bytes:
    """Return a PNG with another text of the chunk `parameters`; all else as `embed`."""
    target = io.BytesIO()
    _embed(lambda _: {PARAMETERS: text}, {PARAMETERS}, io.BytesIO(data), target)
    return target.getvalue()


def _embed(
    texts: Callable[[tuple[int, int]], Texts],
    keywords: Collection[str],
    source: BinaryIO,
    target: BinaryIO,
) -> None:
    """Copy a PNG and insert after IHDR the texts for its size, in place of those of `keywords`."""

    def read(position: int, length: int) -> bytes:
        source.seek(position)
        return source.read(length)

    end = source.seek(0, io.SEEK_END)
    start = 0
    for chunk in png.chunks(read, end):
        if chunk.kind == b"IHDR":
            _copy(source, target, start, chunk.end)
            target.write(_encode_chunks(texts(png.size(read))))
            start = chunk.end
        elif _keyword(chunk, read) in keywords:
            _copy(source, target, start, chunk.start)
            start = chunk.end
    _copy(source, target, start, end)


def _pairs(info: GenerationInfo, size: tuple[int, int]) -> Iterator[tuple[str, str | float]]:
    """Yield names and values in AUTOMATIC1111's spelling and order."""
    params = info.params
    yield "Steps", params.steps
    yield "Sampler", params.sampler.upper() if isinstance(params, TextToImage) else _DDIM
    if not isinstance(params, InpaintImage):
        yield "CFG scale", params.guidance_scale
    yield "Seed", info.seed
    yield "Size", f"{size[0]}x{size[1]}"
    yield "Model", info.model.stem
    if isinstance(params, ImageToImage):
        yield "Denoising strength", params.strength
    if not isinstance(params, InpaintImage):
        if params.eta:
            yield "Eta DDIM", params.eta
        if params.batch_size > 1:
            yield "Batch size", params.batch_size
            yield "Batch pos", (info.number - 1) % params.batch_size
        if params.iterations > 1:
            yield "Batch count", params.iterations
    if params.total_images > 1:
        yield "Image number", info.number
    yield "Version", f"sdrest {__version__}"  # a bare number would be taken for the web UI's own


def _replace_unencodable(text: str) -> str:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")


def _encode_chunks(texts: Texts) -> bytes:
    """Return a chunk for each text: tEXt, or iTXt if it is not Latin-1."""
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    written = io.BytesIO()
    for kind, data, _ in info.chunks:
        putchunk(written, kind, data)
    return written.getvalue()


def _keyword(chunk: png.Chunk, read: png.ReadAt) -> str:
    """Return the keyword of a chunk with a text; empty for other chunks."""
    if chunk.kind not in _TEXT_CHUNKS:
        return ""
    beginning = read(chunk.data_start, min(_MAX_KEYWORD + 1, chunk.data_end - chunk.data_start))
    return beginning.partition(b"\0")[0].decode("latin-1")


def _copy(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    source.seek(start)
    left = end - start
    while left:
        data = source.read(min(left, _COPY_BYTES))
        if not data:
            raise png.BrokenPngError  # the file became shorter
        target.write(data)
        left -= len(data)
