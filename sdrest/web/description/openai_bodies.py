"""What requests of OpenAI's dialect may say: the schemas of their bodies. Pure."""

from typing import Any

from sdrest.web.description.bodies import NO_NUL, Schema, plain, plms, random_seeds, ways
from sdrest.web.dialects.openai.requests import ImageRequest
from sdrest.web.dialects.openai.schemas import json_schemas

_SIDE = r"(25[6-9]|2[6-9][0-9]|[3-9][0-9]{2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-6])"
_TEXT: Schema = {"type": "string", "pattern": NO_NUL}
_SIZE: Schema = {"type": "string", "pattern": f"^(auto|{_SIDE}x{_SIDE})$"}
_FILE: Schema = {"type": "string", "format": "binary"}

_TEXTS = {
    "prompt": "What the picture shows.",
    "model": "A model of `GET /v1/models`. Names that start with dall-e, gpt-image or "
    "chatgpt-image stand for the default one.",
    "n": "How many pictures.",
    "size": "Width and height in pixels. auto: 512x512, or the size of the picture that is sent.",
    "response_format": "What the answer has: an address that works for an hour, or the picture. "
    "Without it, both; for gpt-image models the picture alone.",
    "output_format": "The file format.",
    "output_compression": "Quality of jpeg and webp.",
    "quality": "low: 8 steps; medium, standard, auto: 24; high, hd, xhigh, max: 50.",
    "background": "Pictures are opaque.",
    "input_fidelity": "How much of the picture that is sent stays: high, more.",
    "stream": "Whether to answer with Server-Sent Events.",
    "partial_images": "How many pictures in progress a stream has at most.",
    "seed": "The seed of the first picture; the others have the next ones. Without it: random.",
    "negative_prompt": "What the picture should not show.",
    "steps": "How many steps lead from noise to the picture; it wins over `quality`. The nearest "
    "number that works is taken.",
    "guidance_scale": "How closely the picture follows the prompt.",
    "strength": "How far to leave the picture that is sent: 0 keeps it, 1 forgets it.",
    "sampler": "How noise becomes a picture: ddim, or plms, which needs eta 0.",
    "eta": "How much fresh noise each step adds (0: none).",
}
_FILES = {
    "image": "The picture, or a list of which the first is used: PNG, JPEG, WebP, GIF or BMP. "
    "Without a mask, its transparent parts are what is repainted.",
    "mask": "Its transparent parts are repainted.",
}
_EDIT_ONLY = {"input_fidelity", "strength"}


def schemas() -> dict[str, Schema]:
    """Return the schemas of the three bodies and of the answers by their names."""
    edit = _body("A picture from a picture and a prompt.", {"image", "mask"}, {"sampler"})
    vary = _body("Variations of a picture.", {"image"}, {"sampler", "prompt", "input_fidelity"})
    generate = _body("Pictures from a prompt.", set(), _EDIT_ONLY)
    return json_schemas() | {
        "OpenAIGeneration": generate | plms(form=False),
        "OpenAIEdit": edit,
        "OpenAIVariation": vary,
    }


def _body(text: str, files: set[str], without: set[str]) -> Schema:
    fields: dict[str, Any] = {name: _FILE | {"description": _FILES[name]} for name in sorted(files)}
    for name, declared in ImageRequest.model_json_schema()["properties"].items():
        if name not in without:
            field = _field(name, declared, form=bool(files))
            fields[name] = {"description": _TEXTS[name], **field}
    return {
        "type": "object",
        "description": f"{text} Fields that are not named here are ignored.",
        "required": [name for name in ("image", "prompt") if name in fields],
        "properties": fields,
    }


def _field(name: str, declared: Schema, *, form: bool) -> Schema:
    match name:
        case "prompt":
            return _TEXT | {"minLength": 1}
        case "model" | "negative_prompt":
            found = [_TEXT]
        case "size":
            found = [_SIZE]
        case "stream":
            found = [{"enum": [True, False, "true", "false"]}]
        case "steps":
            found = ways("whole", plain(declared))
        case "seed":
            return {"anyOf": [*ways(name, plain(declared)), *random_seeds()]}
        case _ if "enum" in (only := plain(declared)):
            found = [{"type": "string", "enum": only["enum"]}]
        case _:
            found = ways(name, plain(declared))
    nothing = {"enum": [""] if form else [None, ""], "description": "The same as nothing."}
    return {"anyOf": [*found, nothing]}
