"""The requests of OpenAI's clients, and the parameters of jobs that they become."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from sdrest.errors import FieldError, InvalidRequestError
from sdrest.job_types import JobType
from sdrest.parameter_values import (
    MAX_GENERATED_SIDE,
    Decimal,
    Seed,
    Whole,
    draw_seed,
    last_seed_problem,
    next_multiple,
)
from sdrest.params import MIN_AREA, Params, validate
from sdrest.pictures.decoding import Size
from sdrest.sampling_steps import nearest_usable

MAX_JSON = 1024 * 1024
"""Most bytes of a JSON body: 32,000 characters of prompt may take 12 bytes each."""

DEFAULT_SIZE = (512, 512)
DEFAULT_COMPRESSION = 100

Quality = Literal["low", "medium", "high"]
OutputFormat = Literal["png", "jpeg", "webp"]

_QUALITIES: Mapping[str | None, Quality] = {
    "low": "low",
    "high": "high",
    "hd": "high",
    "xhigh": "high",
    "max": "high",
}
_STEPS: Mapping[Quality, int] = {"low": 8, "medium": 24, "high": 50}
_STRENGTHS = {(False, False): 0.75, (False, True): 0.5, (True, False): 1.0, (True, True): 0.75}
"""How far a picture changes: with a mask or without, with high fidelity or not.

What is under a mask is often a hole; without the mask's part of it, its colour would show.
"""

_VARIATION_STRENGTH = 0.6
_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")
_FOREIGN_MODELS = re.compile(r"dall-e|gpt-image|chatgpt-image")
_GPT_MODELS = re.compile(r"gpt-image|chatgpt-image")
_REFUSED = ("markup", "svg", "frame_count", "frame_duration_ms")
ALIASES = {"num_inference_steps": "steps", "step": "steps", "cfg_scale": "guidance_scale"}
"""Names that other servers have for the same fields."""

_NAMES = {"negativePrompt": "negative_prompt", "guidanceScale": "guidance_scale"}


def _read_bool(value: Any) -> bool:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise ValueError("Should be true or false.")


class ImageRequest(BaseModel):
    """Fields of a request; values of a form are texts. Absent, null and empty are the same."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    prompt: str = ""
    model: str | None = None
    n: Annotated[int, Field(ge=1, le=10), Whole] = 1
    size: str = "auto"
    response_format: Literal["url", "b64_json"] | None = None
    output_format: OutputFormat = "png"
    output_compression: Annotated[int, Field(ge=0, le=100), Whole] = DEFAULT_COMPRESSION
    quality: Literal["low", "medium", "high", "auto", "standard", "hd", "xhigh", "max"] | None = (
        None
    )
    background: Literal["transparent", "opaque", "auto"] = "auto"
    input_fidelity: Literal["low", "high"] | None = None
    stream: Annotated[bool, BeforeValidator(_read_bool)] = False
    partial_images: Annotated[int, Field(ge=0, le=3), Whole] = 0
    seed: Seed = None
    negative_prompt: str = ""
    steps: Annotated[int, Field(ge=1, le=1000), Whole] | None = None
    guidance_scale: Annotated[float, Field(ge=-100, le=100), Decimal] | None = None
    strength: Annotated[float, Field(ge=0, le=1), Decimal] | None = None
    sampler: Literal["ddim", "plms"] | None = None
    eta: Annotated[float, Field(ge=0, le=1), Decimal] | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_absent(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        given = {n: value for n, value in fields.items() if value is not None and value != ""}
        others = {ours: given[n] for n, ours in ALIASES.items() if n in given}
        return others | given

    @property
    def made_quality(self) -> Quality:
        """The quality that is made: one of three."""
        return _QUALITIES.get(self.quality, "medium")

    @property
    def wants_url(self) -> bool:
        """Whether the answer has addresses.

        Where the client leaves that open, it has them except for GPT image models, whose clients
        read `b64_json` alone.
        """
        if self.response_format is None:
            return not _GPT_MODELS.match(self.model or "")
        return self.response_format == "url"

    @property
    def wants_data(self) -> bool:
        """Whether the answer has the pictures themselves."""
        return self.response_format != "url"

    def requested_size(self) -> Size | None:
        """Return the size in pixels; None where the request leaves it open."""
        match = _SIZE.fullmatch(self.size)
        return (int(match[1]), int(match[2])) if match else None

    def model_name(self) -> str | None:
        """Return the checkpoint's name; None for the default, which stands for OpenAI's models."""
        if self.model is None or _FOREIGN_MODELS.match(self.model):
            return None
        return self.model

    def first_seed(self) -> int:
        """Return the seed of the first picture; those of the others follow it."""
        return draw_seed(self.n) if self.seed is None else self.seed


def read(
    fields: Mapping[str, Any], *, needs_prompt: bool, others: Iterable[FieldError] = ()
) -> ImageRequest:
    """Return a request; raises one `InvalidRequestError` for all that is wrong.

    `others` are errors that were found before.
    """
    errors = [*others]
    errors += [FieldError(name, "Is not supported here.") for name in _REFUSED if fields.get(name)]
    try:
        request = ImageRequest.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidRequestError([*errors, *map(_field_error, details)]) from None
    errors += _wrong(request)
    if needs_prompt and not request.prompt:
        errors.insert(0, FieldError("prompt", REQUIRED))
    if errors:
        raise InvalidRequestError(errors)
    return request


REQUIRED = "Is required."


def _wrong(request: ImageRequest) -> Iterable[FieldError]:
    size = request.requested_size()
    if size is None and request.size != "auto":
        yield FieldError("size", "Should be auto, or as in 512x512.")
    elif size is not None and max(size) > MAX_GENERATED_SIDE:
        yield FieldError("size", f"Should have at most {MAX_GENERATED_SIDE} pixels to a side.")
    elif size is not None and size[0] * size[1] < MIN_AREA:
        yield FieldError("size", "Has too few pixels; the smallest square is 256x256.")
    if problem := last_seed_problem(request.seed or 0, request.n):
        yield FieldError("seed", problem)


def generation_params(request: ImageRequest, size: Size, more: Mapping[str, Any]) -> Params:
    """Return the parameters of a job for a picture of at least `size`; `more` are those besides."""
    width, height = map(next_multiple, size)
    return _validated(
        JobType.TEXT_TO_IMAGE,
        request,
        {"width": width, "height": height, "sampler": request.sampler, **more},
    )


def edit_params(request: ImageRequest, more: Mapping[str, Any], *, has_mask: bool) -> Params:
    """Return the parameters of a job that changes a picture."""
    strength = _STRENGTHS[has_mask, request.input_fidelity == "high"]
    return _changed(request, strength, more)


def variation_params(request: ImageRequest, more: Mapping[str, Any]) -> Params:
    """Return the parameters of a job that makes a variation of a picture, without a prompt."""
    return _changed(request.model_copy(update={"prompt": ""}), _VARIATION_STRENGTH, more)


def _changed(request: ImageRequest, strength: float, more: Mapping[str, Any]) -> Params:
    wanted = strength if request.strength is None else request.strength
    return _validated(JobType.IMAGE_TO_IMAGE, request, {"strength": wanted, **more})


def _validated(job_type: JobType, request: ImageRequest, more: Mapping[str, Any]) -> Params:
    steps = _STEPS[request.made_quality] if request.steps is None else nearest_usable(request.steps)
    fields = {
        "prompt": request.prompt,
        "negativePrompt": request.negative_prompt,
        "steps": steps,
        "guidanceScale": request.guidance_scale,
        "eta": request.eta,
        **more,
    }
    try:
        return validate(job_type, fields)
    except InvalidRequestError as error:
        raise error.renamed(_NAMES) from None


def _field_error(error: Any) -> FieldError:
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "Should")
    return FieldError(str(error["loc"][0]), message if message.endswith(".") else f"{message}.")
