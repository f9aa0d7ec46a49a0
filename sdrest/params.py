"""The parameters of the three job types, declared once.

Validation, the scripts' arguments, the API description and the page's forms derive from the name,
type, range, default, description and option of each field. Ranges follow what the fork's scripts
can do; a value that makes them fail or produce another picture than requested is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from sdrest.errors import FieldError, InvalidRequestError, TooLargeError
from sdrest.job_types import JobType, Sampler
from sdrest.parameter_values import (
    Decimal,
    Prompt,
    Seconds,
    Seed,
    Side,
    Steps,
    Whole,
    field_error,
    read_seed,
)

MAX_PROMPT_BYTES = 100_000
"""Longest prompt in UTF-8, negative or not; Linux limits an argument of a program to 128 KiB."""

MAX_MODEL = 1000
"""Longest name of a model in characters."""

MAX_FEATHER = 256
"""Widest soft edge of a mask in pixels."""

MIN_AREA = 256 * 256
"""Smallest area in pixels of a picture that txt2img.py can watermark."""


@dataclass(frozen=True, slots=True)
class Option:
    """The script's option that carries a parameter, e.g. `--n_iter`."""

    name: str


def asks_random_seed(fields: Mapping[str, Any]) -> bool:
    """Whether a request asks for a random seed; a missing seed is the default one."""
    try:
        return "seed" in fields and read_seed(fields["seed"]) is None
    except ValueError:
        return False


_Seed = Annotated[
    Seed,
    Option("--seed"),
    Field(
        description="Where the noise starts from: the same seed gives the same picture. "
        "-1, random, false, null or empty: a random one, which the job's JSON contains; each such "
        "request is a new job.",
    ),
]
_KeepAlive = Annotated[
    Seconds,
    Field(
        description="How long the model stays loaded after the job: seconds, or 5m or 1h (0: not "
        "at all, -1: for ever; default: as the server's --keep-alive says).",
    ),
]
_Feather = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_FEATHER,
        description="Pixels inside the edge of the mask in which the new part fades into the image "
        "(0: a sharp edge).",
    ),
    Whole,
]
_Model = Annotated[
    str,
    Field(
        max_length=MAX_MODEL,
        description="Which checkpoint to use: a name that GET /models lists (empty: the one of the "
        "server's flags).",
    ),
]


class _Params(BaseModel):
    """What the three types share: camelCase names, unknown fields ignored, immutable values."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        coerce_numbers_to_str=True,
        extra="ignore",
        frozen=True,
    )

    type: ClassVar[JobType]

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in fields.items()
            if name == "seed" or not (value is None or value is False)
        }

    @property
    def total_images(self) -> int:
        """How many images the job makes."""
        return 1

    def dump(self) -> dict[str, Any]:
        """Return the parameters as JSON values under their names in the API."""
        return self.model_dump(mode="json", by_alias=True)


class _PromptParams(_Params):
    prompt: Annotated[Prompt, Option("--prompt"), Field(description="What the picture shows.")]
    negative_prompt: Annotated[
        Prompt,
        Field(
            description="What the picture should not show. It has no effect with a guidanceScale "
            "of 1."
        ),
    ] = ""
    iterations: Annotated[
        int,
        Field(ge=1, le=100, description="How many batches of images to make, one after the other."),
        Whole,
        Option("--n_iter"),
    ] = 1
    batch_size: Annotated[
        int,
        Field(ge=1, le=16, description="How many images to make at once in each batch."),
        Whole,
        Option("--n_samples"),
    ] = 1
    seed: _Seed = 42
    guidance_scale: Annotated[
        float,
        Field(ge=-100, le=100, description="How closely the picture follows the prompt."),
        Decimal,
        Option("--scale"),
    ] = 7.5
    eta: Annotated[
        float,
        Field(ge=0, le=1, description="How much fresh noise each step adds (0: none)."),
        Decimal,
        Option("--ddim_eta"),
    ] = 0.0

    @property
    def total_images(self) -> int:
        return self.iterations * self.batch_size


_StepsOption = Annotated[
    Steps,
    Option("--ddim_steps"),
    Field(description="How many steps lead from noise to the picture."),
]


class TextToImage(_PromptParams):
    """Parameters of a job of this type."""

    model_config = ConfigDict(json_schema_extra={"description": "A picture from a prompt."})

    type: ClassVar[JobType] = JobType.TEXT_TO_IMAGE

    steps: _StepsOption = 8
    height: Annotated[Side, Option("--H"), Field(description="Height in pixels.")] = 512
    width: Annotated[Side, Option("--W"), Field(description="Width in pixels.")] = 512
    channels: Annotated[
        int,
        Field(ge=4, le=4, description="Channels of the model's latent space."),
        Whole,
        Option("--C"),
    ] = 4
    downsampling_factor: Annotated[
        int,
        Field(ge=1, le=64, description="Pixels to a side of one latent pixel."),
        Whole,
        Option("--f"),
    ] = 8
    sampler: Annotated[
        Sampler, Field(description="How noise becomes a picture: ddim, or plms, which needs eta 0.")
    ] = Sampler.DDIM
    model: _Model = ""
    keep_alive: _KeepAlive = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.sampler is Sampler.PLMS and self.eta:
            raise ValueError("eta: Should be 0 with the sampler plms.")
        unit = 8 * self.downsampling_factor
        if self.height % unit or self.width % unit:
            raise ValueError(
                f"downsamplingFactor: With {self.downsampling_factor}, height and width should be "
                f"multiples of {unit}; use 8."
            )
        if self.height * self.width * 64 < MIN_AREA * self.downsampling_factor**2:
            raise ValueError(
                f"height: {self.width}x{self.height} pixels are too few; "
                "the smallest square is 256x256."
            )
        return self


class ImageToImage(_PromptParams):
    """Parameters of a job of this type."""

    model_config = ConfigDict(
        json_schema_extra={"description": "A picture from a picture and a prompt."}
    )

    type: ClassVar[JobType] = JobType.IMAGE_TO_IMAGE

    steps: _StepsOption = 24
    strength: Annotated[
        float,
        Field(ge=0, le=1, description="How far to leave the image: 0 keeps it, 1 forgets it."),
        Decimal,
        Option("--strength"),
    ] = 0.75
    feather: _Feather = 4
    model: _Model = ""
    keep_alive: _KeepAlive = None


class InpaintImage(_Params):
    """Parameters of a job of this type."""

    model_config = ConfigDict(
        json_schema_extra={"description": "A picture whose masked part is repainted."}
    )

    type: ClassVar[JobType] = JobType.INPAINT_IMAGE

    steps: Annotated[
        Steps,
        Option("--steps"),
        Field(description="How many steps lead from noise to the picture."),
    ] = 32
    seed: _Seed = 42
    feather: _Feather = 0
    model: _Model = ""
    keep_alive: _KeepAlive = None


Params = TextToImage | ImageToImage | InpaintImage

PARAMS_BY_TYPE: Mapping[JobType, type[TextToImage | ImageToImage | InpaintImage]] = {
    model.type: model for model in (TextToImage, ImageToImage, InpaintImage)
}


def picture_fields(job_type: JobType) -> Mapping[str, FieldInfo]:
    """Return the fields that determine the picture, by name: all but `keep_alive`."""
    fields = PARAMS_BY_TYPE[job_type].model_fields
    return {name: info for name, info in fields.items() if name != "keep_alive"}


def validate(
    job_type: JobType, fields: Mapping[str, Any], *, others: Iterable[FieldError] = ()
) -> Params:
    """Return the parameters of a request's fields (texts of a form, or JSON values).

    `others` are errors found before, for example in uploads; all are raised together as one
    `InvalidRequestError`. A prompt over `MAX_PROMPT_BYTES` raises `TooLargeError`.
    """
    for name, words in (("prompt", "prompt"), ("negativePrompt", "negative prompt")):
        prompt = fields.get(name)
        if isinstance(prompt, str) and len(prompt.encode(errors="replace")) > MAX_PROMPT_BYTES:
            raise TooLargeError(
                f"The {words} is longer than {MAX_PROMPT_BYTES} bytes.", limit=MAX_PROMPT_BYTES
            )
    errors = list(others)
    try:
        params = PARAMS_BY_TYPE[job_type].model_validate(fields)
    except ValidationError as error:
        errors += map(field_error, error.errors(include_url=False, include_input=False))
    if errors:
        raise InvalidRequestError(errors)
    return params
