"""What is done otherwise than a request says: the sentences of an answer's `warnings`. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from sdrest.job_types import Sampler
from sdrest.params import ImageToImage, Params
from sdrest.web.dialects.openai.requests import DEFAULT_COMPRESSION, ImageRequest

_IGNORED = ("style", "complexity")


def differences(
    wanted: ImageRequest, fields: Mapping[str, Any], params: Params, *, is_variation: bool = False
) -> Iterator[str]:
    """Yield a sentence for each field that is approximated or ignored.

    `fields` are those that the client sent, `params` those of the jobs.
    """
    yield from _of_all(wanted, fields, params)
    if isinstance(params, ImageToImage):
        yield from _of_changes(wanted, params, is_variation=is_variation)
    else:
        if wanted.strength is not None:
            yield "strength is ignored: there is no picture to change."
        if wanted.input_fidelity is not None:
            yield "input_fidelity is ignored: there is no picture to change."


def _of_all(wanted: ImageRequest, fields: Mapping[str, Any], params: Params) -> Iterator[str]:
    for name in _IGNORED:
        if fields.get(name):
            yield f"{name} is ignored."
    if wanted.background == "transparent":
        yield "background: the models make opaque pictures."
    if wanted.steps is not None and params.steps != wanted.steps:
        yield f"steps: {wanted.steps} do not work with this model; {params.steps} ran."
    if wanted.quality not in {None, "auto"}:
        if wanted.steps is None:
            yield f"quality: {wanted.quality} is approximated by {params.steps} steps."
        else:
            yield "quality is ignored, since steps is given."
    if wanted.output_format == "png" and wanted.output_compression != DEFAULT_COMPRESSION:
        yield "output_compression is ignored with png."
    if wanted.partial_images and not wanted.stream:
        yield "partial_images is ignored without stream."


def _of_changes(wanted: ImageRequest, params: ImageToImage, *, is_variation: bool) -> Iterator[str]:
    if is_variation and wanted.prompt:
        yield "prompt is ignored: a variation has none."
    if wanted.sampler not in {None, Sampler.DDIM}:
        yield f"sampler: {wanted.sampler} cannot change pictures; ddim ran."
    if wanted.input_fidelity is not None:
        if is_variation:
            yield "input_fidelity is ignored by variations."
        elif wanted.strength is None:
            yield (
                f"input_fidelity: {wanted.input_fidelity} is approximated by a strength of "
                f"{params.strength}."
            )
        else:
            yield "input_fidelity is ignored, since strength is given."
