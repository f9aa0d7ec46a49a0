"""The fields of `txt2img` and `img2img` that mean something here, with the web UI's defaults. Pure.

Values are read as loosely as the web UI reads them: numbers may be texts, whole numbers may have a
decimal point, null is the default, unknown fields are ignored.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sdrest.errors import FieldError, InvalidRequestError, TooLargeError
from sdrest.params import MAX_PROMPT_BYTES

RANDOM = -1
"""The seed that stands for a random one; other numbers below 0 do too, as in the web UI."""


def _truncated(value: Any) -> Any:
    """Cut a decimal to a whole number, as the web UI does."""
    if isinstance(value, str):
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and abs(value) < 2**53 else value


_Truncated = BeforeValidator(_truncated)
_Whole = Annotated[int, _Truncated]


class _Fields(BaseModel):
    model_config = ConfigDict(
        allow_inf_nan=False, coerce_numbers_to_str=True, extra="ignore", frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping):
            return fields
        return {name: value for name, value in fields.items() if value is not None}


class Txt2Img(_Fields):
    """A request for pictures from a prompt."""

    prompt: str = ""
    negative_prompt: str = ""
    styles: list[Any] = []
    seed: _Whole = RANDOM
    subseed: _Whole = -1
    subseed_strength: float = 0.0
    sampler_name: str | None = None
    sampler_index: str = "Euler"
    scheduler: str | None = None
    batch_size: Annotated[int, Field(ge=1), _Truncated] = 1
    n_iter: Annotated[int, Field(ge=1), _Truncated] = 1
    steps: Annotated[int, Field(ge=1, le=1000), _Truncated] = 50
    cfg_scale: Annotated[float, Field(ge=-100, le=100)] = 7.0
    width: Annotated[int, Field(ge=1, le=4096), _Truncated] = 512
    height: Annotated[int, Field(ge=1, le=4096), _Truncated] = 512
    restore_faces: bool = False
    tiling: bool = False
    eta: Annotated[float, Field(ge=0, le=1)] | None = None
    denoising_strength: float | None = None
    enable_hr: bool = False
    refiner_checkpoint: str | None = None
    override_settings: dict[str, Any] = {}
    override_settings_restore_afterwards: bool = True
    script_name: str | None = None
    alwayson_scripts: dict[str, Any] = {}
    send_images: bool = True


class Img2Img(Txt2Img):
    """A request for pictures from pictures and a prompt; pictures are in base64."""

    init_images: list[str] = []
    mask: str | None = None
    resize_mode: Annotated[int, Field(ge=0, le=3), _Truncated] = 0
    denoising_strength: Annotated[float, Field(ge=0, le=1)] = 0.75
    mask_blur: Annotated[float, Field(ge=0, le=1000)] | None = None
    mask_blur_x: Annotated[float, Field(ge=0, le=1000)] = 4
    mask_blur_y: Annotated[float, Field(ge=0, le=1000)] = 4
    inpainting_fill: Annotated[int, Field(ge=0, le=3), _Truncated] = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: Annotated[int, Field(ge=0, le=16384), _Truncated] = 0
    inpainting_mask_invert: bool = False
    include_init_images: bool = False


class PngInfo(_Fields):
    """A request to read what a picture says of its making."""

    image: str


class Upscale(_Fields):
    """What `extra-single-image` and `extra-batch-images` share."""

    resize_mode: Annotated[int, Field(ge=0, le=1), _Truncated] = 0
    upscaling_resize: Annotated[float, Field(gt=0, le=16)] = 2.0
    upscaling_resize_w: Annotated[int, Field(ge=1, le=16384), _Truncated] = 512
    upscaling_resize_h: Annotated[int, Field(ge=1, le=16384), _Truncated] = 512
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    gfpgan_visibility: float = 0.0
    codeformer_visibility: float = 0.0


class UpscaleOne(Upscale):
    """A request to resize a picture."""

    image: str


class _Named(_Fields):
    data: str
    name: str = ""


class UpscaleMany(Upscale):
    """A request to resize pictures."""

    image_list: Annotated[list[_Named], Field(alias="imageList")] = []


Fields = TypeVar("Fields", bound=_Fields)


def read(kind: type[Fields], body: Mapping[str, Any]) -> Fields:
    """Return the fields of a request's JSON; raises `InvalidRequestError`, `TooLargeError`."""
    try:
        fields = kind.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise InvalidRequestError(
            FieldError(".".join(map(str, item["loc"])), f"{item['msg']}.") for item in found
        ) from None
    if isinstance(fields, Txt2Img):
        for name in ("prompt", "negative_prompt"):
            if len(getattr(fields, name).encode(errors="replace")) > MAX_PROMPT_BYTES:
                message = f"{name}: Is longer than {MAX_PROMPT_BYTES} bytes."
                raise TooLargeError(message, limit=MAX_PROMPT_BYTES)
    return fields
