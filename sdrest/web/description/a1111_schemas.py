"""What requests and answers of AUTOMATIC1111's dialect look like. Pure.

The bodies say what a client should send; the server reads values more loosely.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from sdrest.web.description.bodies import NO_NUL, Schema
from sdrest.web.dialects.a1111.constants import ANSWERS
from sdrest.web.dialects.a1111.fields import Img2Img, PngInfo, Txt2Img, UpscaleMany, UpscaleOne
from sdrest.web.dialects.a1111.upscale import METHODS

PREFIX = "A1111"
"""What the names of the dialect's schemas begin with."""

_IMAGE: Schema = {
    "type": "string",
    "format": "base64-image",
    "description": "A PNG, JPEG, WebP, GIF or BMP in base64, perhaps after `data:image/…;base64,`.",
}
_PROMPT: Schema = {"type": "string", "pattern": NO_NUL}
_SMALLEST = 193
"""The shortest side of a square that is made from 256x256 pixels."""

_PURPOSES = {
    "Txt2Img": "A request for pictures from a prompt.",
    "Img2Img": "A request for pictures from pictures and a prompt; pictures are in base64.",
    "UpscaleOne": "A request to resize a picture.",
    "UpscaleMany": "A request to resize pictures.",
    "PngInfo": "A request to read what a picture says of its making.",
}
_TEXTS = {
    "prompt": "What the picture shows.",
    "negative_prompt": "What it should not show.",
    "seed": "That of the first picture; the next ones follow. Below 0: a random one.",
    "sampler_name": "DDIM, or PLMS in txt2img; any other name runs DDIM.",
    "sampler_index": "The same, where `sampler_name` is missing.",
    "batch_size": "Pictures of a batch.",
    "n_iter": "Batches. There are at most 100 pictures.",
    "steps": "The nearest number that the sampler can run is taken.",
    "cfg_scale": "How closely the picture follows the prompt.",
    "width": "In pixels; the area is at least 256x256.",
    "height": "In pixels.",
    "eta": "How much fresh noise each step adds; only with the sampler DDIM.",
    "denoising_strength": "img2img: how far to leave the picture.",
    "enable_hr": "Not supported.",
    "override_settings": "`sd_model_checkpoint` is the model of this request.",
    "override_settings_restore_afterwards": "false: its model becomes that of later requests too.",
    "script_name": "There are no scripts.",
    "alwayson_scripts": "There are no scripts; those that are switched off may be named.",
    "send_images": "Whether the answer has the pictures.",
    "init_images": "The pictures to start from.",
    "mask": "White is repainted; of one with transparency, what is opaque.",
    "resize_mode": "0: stretch, 1: cover and cut, 2: fit and repeat the edges, 3: as 0.",
    "inpainting_fill": "What the masked part starts from. 0: its surroundings, 1: the picture, "
    "2: noise, 3: grey.",
    "inpaint_full_res": "Whether only the masked region is made, in `width` x `height`.",
    "inpaint_full_res_padding": "Pixels around the region.",
    "inpainting_mask_invert": "Whether black is repainted.",
    "mask_blur": "Pixels by which the mask's edge is blurred.",
    "include_init_images": "Whether the answer's `parameters` have the pictures.",
    "image": "The picture.",
    "imageList": "The pictures.",
    "upscaling_resize": "The factor, with `resize_mode` 0.",
    "upscaler_1": "The filter; None is Lanczos.",
}
_IGNORED = "Without effect; if it is not the default, a warning in `info` says so."
_ONLY: Mapping[str, Schema] = {
    "prompt": _PROMPT,
    "negative_prompt": _PROMPT,
    "seed": {"type": "integer", "maximum": 2**32 - 1 - 100},
    "batch_size": {"type": "integer", "minimum": 1, "maximum": 10},
    "n_iter": {"type": "integer", "minimum": 1, "maximum": 10},
    "width": {"type": "integer", "minimum": _SMALLEST, "maximum": 4096},
    "height": {"type": "integer", "minimum": _SMALLEST, "maximum": 4096},
    "enable_hr": {"const": False},
    "script_name": {"enum": [None, ""]},
    "alwayson_scripts": {"type": "object", "maxProperties": 0},
    "override_settings": {
        "type": "object",
        "properties": {"sd_model_checkpoint": {"type": "string", "description": "Its title."}},
    },
    "init_images": {"type": "array", "items": _IMAGE, "minItems": 1, "maxItems": 10},
    "image": _IMAGE,
    "mask": _IMAGE,
    "imageList": {
        "type": "array",
        "maxItems": 10,
        "items": {
            "type": "object",
            "properties": {
                "data": _IMAGE,
                "name": {"type": "string", "description": "Without effect."},
            },
            "required": ["data"],
        },
    },
    "upscaler_1": {"enum": [name.title() for name in METHODS]},
}
"""What is narrower here, or wider, than the declared fields say."""


def schemas() -> dict[str, Schema]:
    """Return the schemas of requests and answers by their names."""
    return _bodies() | _answers()


def _bodies() -> dict[str, Schema]:
    """Return the schemas of requests by their names."""
    kinds = (Txt2Img, Img2Img, PngInfo, UpscaleOne, UpscaleMany)
    return {PREFIX + kind.__name__: _body(kind) for kind in kinds} | {
        f"{PREFIX}Options": {
            "type": "object",
            "description": "Other settings are ignored.",
            "properties": {
                "sd_model_checkpoint": {
                    "type": "string",
                    "description": "A title of `sd-models`; without it nothing changes.",
                }
            },
        }
    }


def _answers() -> dict[str, Schema]:
    """Return the schemas of answers by their names."""
    text, number, flag = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
    whole = {"type": "integer", "minimum": 0}
    images = {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}
    texts = {"type": "object", "additionalProperties": text}
    state = {
        "job": text,
        "job_count": whole,
        "job_no": whole,
        "job_timestamp": text,
        "sampling_step": whole,
        "sampling_steps": whole,
        "skipped": flag,
        "interrupted": flag,
        "stopping_generation": flag,
    }
    model = {
        "title": text,
        "model_name": text,
        "hash": {"type": "string", "pattern": "^[0-9a-f]{10}$"},
        "sha256": {"type": ["string", "null"]},
        "filename": text,
        "config": {"type": "null"},
    }
    found: dict[str, Schema] = {
        "Null": {"type": "null"},
        "Empty": {"type": "object", "maxProperties": 0},
        "Images": _object(
            images=images,
            parameters={"type": "object", "description": "The request with its defaults."},
            info={"type": "string", "contentMediaType": "application/json"},
        ),
        "Progress": _object(
            progress=number | {"minimum": 0, "maximum": 1},
            eta_relative=number | {"minimum": 0},
            state=_object(**state),
            current_image={"type": ["string", "null"], "contentEncoding": "base64"},
            textinfo={"type": "null"},
        ),
        "Settings": _object(sd_model_checkpoint=text, samples_format={"const": "png"}),
        "Models": {"type": "array", "minItems": 1, "items": _object(**model)},
        "Memory": _object(ram=_object(free=whole, used=whole, total=whole), cuda=texts),
        "PngSettings": _object(info=text, items=texts, parameters=texts),
        "Resized": _object(html_info=text, image=images["items"]),
        "ManyResized": _object(html_info=text, images=images),
        "Error": {
            "type": "object",
            "properties": {
                "detail": {"type": "string", "description": "What is wrong and what to do."},
                **{
                    name: {"type": "string", "description": "Not where the address is unknown."}
                    for name in ("error", "body", "errors")
                },
            },
            "required": ["detail"],
        },
    }
    constants: dict[str, Schema] = {
        constant_name(name): {"const": value} for name, value in ANSWERS.items()
    }
    return {PREFIX + name: schema for name, schema in found.items()} | constants


def constant_name(name: str) -> str:
    """Return the name of the schema of an answer that is always the same."""
    return PREFIX + "".join(word.title() for word in name.split("-"))


def _object(**properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": [*properties]}


def _body(kind: type[BaseModel]) -> Schema:
    declared = kind.model_json_schema()
    fields = {}
    for name, schema in declared["properties"].items():
        default = {"default": schema["default"]} if schema.get("default") else {}
        text = {"description": _TEXTS.get(name, _IGNORED)}
        fields[name] = {**_ONLY.get(name, _without_title(schema)), **default, **text}
    required = [*declared.get("required", ()), *(["init_images"] if "mask" in fields else [])]
    return {
        "type": "object",
        "description": f"{_PURPOSES[kind.__name__]} Fields that are not named here are ignored.",
        "properties": fields,
        "required": required,
    }


def _without_title(schema: Mapping[str, Any]) -> Schema:
    return {name: value for name, value in schema.items() if name != "title"}
