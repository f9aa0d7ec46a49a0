"""The parameters of the three job types, declared once.

Name, type, range, default, help and the script's option stand here and nowhere else: validation,
the scripts' argv, the API description and the page's forms derive from these models. Ranges follow
what the fork's scripts can do; where they would fail or lie, a request is refused instead.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from sdrest import number_format
from sdrest.errors import FieldError, InvalidRequestError, TooLargeError
from sdrest.settings import Duration

MAX_PROMPT_BYTES = 100_000
"""Largest prompt in UTF-8; Linux takes 128 KiB in one argument of a program."""

DIFFUSION_STEPS = 1000
"""Steps of the models' noise schedule (`timesteps` in the fork's configurations)."""

SIZE_MULTIPLE = 64
"""Sides of pictures are multiples of this: 8 for the autoencoder times 8 for the network."""

LARGEST_SIDE = 4096
"""Most pixels to a side of a picture that a prompt alone makes."""

LONGEST_KEEP = 10**9
"""Most seconds for which a job may ask its model to stay."""

RANDOM_SEED = -1
"""The number that asks for a random seed, as in other tools."""

MIN_AREA = 256 * 256
"""Smallest area in pixels of a picture that txt2img.py can watermark."""


@unique
class JobType(StrEnum):
    """What a client may ask for; the value is the route."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    INPAINT_IMAGE = "inpaint-image"

    @property
    def uploads(self) -> tuple[str, ...]:
        """Names of the files that a request must bring."""
        return _UPLOADS[self]


_UPLOADS = {
    JobType.TEXT_TO_IMAGE: (),
    JobType.IMAGE_TO_IMAGE: ("image",),
    JobType.INPAINT_IMAGE: ("image", "mask"),
}


@unique
class Sampler(StrEnum):
    """How noise becomes a picture."""

    DDIM = "ddim"
    PLMS = "plms"


Sampler.__doc__ = "How noise becomes a picture."  # pydantic puts it into schemas; -OO strips it


@dataclass(frozen=True, slots=True)
class Option:
    """The script's option that carries a parameter, e.g. `--n_iter`."""

    name: str


def sampled_steps(steps: int) -> int:
    """Return how many steps the fork's samplers really run when asked for `steps` (7 gives 8).

    They walk `range(0, 1000, 1000 // steps)` (make_ddim_timesteps in the fork's util.py).
    """
    return len(range(0, DIFFUSION_STEPS, DIFFUSION_STEPS // steps))


def usable_steps(steps: int) -> bool:
    """Whether the samplers can run `steps`: their last time step plus one must stay below 1000."""
    if not 1 <= steps <= DIFFUSION_STEPS:
        return False
    return (DIFFUSION_STEPS - 1) % (DIFFUSION_STEPS // steps) != 0


def _nearest_steps(steps: int) -> int:
    usable = (n for n in range(1, DIFFUSION_STEPS + 1) if usable_steps(n))
    return min(usable, key=lambda n: abs(n - steps))


def _check_steps(steps: int) -> int:
    if not usable_steps(steps):
        raise ValueError(
            f"The samplers cannot run {steps} steps; the nearest usable value is "
            f"{_nearest_steps(steps)}."
        )
    return steps


def _check_side(side: int) -> int:
    if side % SIZE_MULTIPLE:
        nearest = max(SIZE_MULTIPLE, round(side / SIZE_MULTIPLE) * SIZE_MULTIPLE)
        raise ValueError(f"Should be a multiple of {SIZE_MULTIPLE}; the nearest is {nearest}.")
    return side


def _check_prompt(prompt: str) -> str:
    if "\0" in prompt:
        raise ValueError("Should hold no NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise ValueError("Should be valid Unicode; it holds half of a surrogate pair.")
    return prompt


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("Should be a number.")  # noqa: TRY004 (pydantic collects ValueErrors)
    return value


def _whole(value: Any) -> Any:
    return number_format.whole(value) if isinstance(value, str) else _refuse_bool(value)


def _decimal(value: Any) -> Any:
    return number_format.decimal(value) if isinstance(value, str) else _refuse_bool(value)


def _seed(value: Any) -> Any:
    if value is None or value is False:
        return None
    if isinstance(value, str) and number_format.is_random(value):
        return None
    number = _whole(value)
    return None if number == RANDOM_SEED else number


def draw_seed() -> int:
    """Return a random seed."""
    return secrets.randbelow(2**32)


def asks_random_seed(fields: Mapping[str, Any]) -> bool:
    """Whether a request's fields ask for a random seed; a missing seed is the default."""
    try:
        return "seed" in fields and _seed(fields["seed"]) is None
    except ValueError:
        return False


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return _refuse_bool(value)
    try:
        return float(Duration(value.strip())) if number_format.is_time(value) else _decimal(value)
    except ValueError:
        raise ValueError("Should be seconds, or a time such as 90s, 5m or 1h.") from None


_Whole = BeforeValidator(_whole)
_Decimal = BeforeValidator(_decimal)
_Steps = Annotated[int, _Whole, AfterValidator(_check_steps)]
_Side = Annotated[
    int,
    Field(ge=64, le=LARGEST_SIDE, json_schema_extra={"multipleOf": SIZE_MULTIPLE}),
    _Whole,
    AfterValidator(_check_side),
]

Prompt = Annotated[
    str,
    AfterValidator(_check_prompt),
    Option("--prompt"),
    Field(description="What the picture shows."),
]
Iterations = Annotated[
    int,
    Field(ge=1, le=100, description="How many batches of images to make, one after the other."),
    _Whole,
    Option("--n_iter"),
]
BatchSize = Annotated[
    int,
    Field(ge=1, le=16, description="How many images to make at once in each batch."),
    _Whole,
    Option("--n_samples"),
]
Seed = Annotated[
    Annotated[int, Field(ge=0, le=2**32 - 1)] | None,
    BeforeValidator(_seed),
    Option("--seed"),
    Field(
        description="Where the noise starts from: the same seed gives the same picture. "
        "-1, random, false, null or empty: a random one, which the job's JSON contains; each such "
        "request is a new job.",
    ),
]
GuidanceScale = Annotated[
    float,
    Field(ge=-100, le=100, description="How closely the picture follows the prompt."),
    _Decimal,
    Option("--scale"),
]
Eta = Annotated[
    float,
    Field(ge=0, le=1, description="How much fresh noise each step adds (0: none)."),
    _Decimal,
    Option("--ddim_eta"),
]
KeepAlive = Annotated[
    Annotated[float, Field(ge=-1, le=LONGEST_KEEP)] | None,
    BeforeValidator(_duration),
    Field(
        description="How long the model stays loaded after the job: seconds, or 5m or 1h (0: not "
        "at all, -1: for ever; default: as the server's --keep-alive says).",
    ),
]


class _Params(BaseModel):
    """What the three types share: names in camelCase, unknown fields ignored, values immutable."""

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
    prompt: Prompt
    iterations: Iterations = 1
    batch_size: BatchSize = 1
    seed: Seed = 42
    guidance_scale: GuidanceScale = 7.5
    eta: Eta = 0.0

    @property
    def total_images(self) -> int:
        return self.iterations * self.batch_size


_StepsOption = Annotated[
    _Steps,
    Option("--ddim_steps"),
    Field(description="How many steps lead from noise to the picture."),
]


class TextToImage(_PromptParams):
    """Parameters of a job of this type."""

    model_config = ConfigDict(json_schema_extra={"description": "A picture from a prompt."})

    type: ClassVar[JobType] = JobType.TEXT_TO_IMAGE

    steps: _StepsOption = 8
    height: Annotated[_Side, Option("--H"), Field(description="Height in pixels.")] = 512
    width: Annotated[_Side, Option("--W"), Field(description="Width in pixels.")] = 512
    channels: Annotated[
        int,
        Field(ge=4, le=4, description="Channels of the model's latent space."),
        _Whole,
        Option("--C"),
    ] = 4
    downsampling_factor: Annotated[
        int,
        Field(ge=1, le=64, description="Pixels to a side of one latent pixel."),
        _Whole,
        Option("--f"),
    ] = 8
    sampler: Annotated[
        Sampler, Field(description="How noise becomes a picture: ddim, or plms, which needs eta 0.")
    ] = Sampler.DDIM
    keep_alive: KeepAlive = None

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
        _Decimal,
        Option("--strength"),
    ] = 0.75
    keep_alive: KeepAlive = None


class InpaintImage(_Params):
    """Parameters of a job of this type."""

    model_config = ConfigDict(
        json_schema_extra={"description": "A picture whose masked part is painted anew."}
    )

    type: ClassVar[JobType] = JobType.INPAINT_IMAGE

    steps: Annotated[
        _Steps,
        Option("--steps"),
        Field(description="How many steps lead from noise to the picture."),
    ] = 32
    seed: Seed = 42
    keep_alive: KeepAlive = None


Params = TextToImage | ImageToImage | InpaintImage

PARAMS_BY_TYPE: Mapping[JobType, type[TextToImage | ImageToImage | InpaintImage]] = {
    model.type: model for model in (TextToImage, ImageToImage, InpaintImage)
}


def picture_fields(job_type: JobType) -> Mapping[str, FieldInfo]:
    """Return the fields that a picture depends on, by name; `keep_alive` is a server's matter."""
    fields = PARAMS_BY_TYPE[job_type].model_fields
    return {name: info for name, info in fields.items() if name != "keep_alive"}


def validate(
    job_type: JobType, fields: Mapping[str, Any], *, others: Iterable[FieldError] = ()
) -> Params:
    """Turn a request's fields (strings of a form or JSON values) into parameters.

    `others` are errors already found, for example in uploads: all are raised together as one
    `InvalidRequestError`. A prompt over `MAX_PROMPT_BYTES` raises `TooLargeError`.
    """
    prompt = fields.get("prompt")
    if isinstance(prompt, str) and len(prompt.encode(errors="replace")) > MAX_PROMPT_BYTES:
        raise TooLargeError(
            f"The prompt is longer than {MAX_PROMPT_BYTES} bytes.", limit=MAX_PROMPT_BYTES
        )
    errors = list(others)
    try:
        params = PARAMS_BY_TYPE[job_type].model_validate(fields)
    except ValidationError as error:
        errors += map(_field_error, error.errors(include_url=False, include_input=False))
    if errors:
        raise InvalidRequestError(errors)
    return params


def _field_error(error: Any) -> FieldError:
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        message = "Is required."
    if not error["loc"]:  # a rule on several fields names the one to change
        field, _, message = message.partition(": ")
        return FieldError(field, message)
    return FieldError(str(error["loc"][0]), message if message.endswith(".") else f"{message}.")
