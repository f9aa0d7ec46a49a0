"""What requests for a job may say: the schemas of their bodies, from the parameters. Pure.

A JSON body is described by the schema that has the model's name, a form by that name with `Form`.
They say what the server accepts: numbers may be texts, and in JSON null or false leaves a field
to its default, except `seed`, where both ask for a random one.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count, groupby
from typing import Any

from sdrest import number_format
from sdrest.job_types import JobType
from sdrest.jobs.webhooks import WebhookEvent
from sdrest.parameter_values import RANDOM_SEED
from sdrest.params import MAX_MODEL, MIN_AREA, PARAMS_BY_TYPE
from sdrest.sampling_steps import DIFFUSION_STEPS, is_usable
from sdrest.web.webhooks.fields import ENDS, MAX_URL

JSON_TYPE = "application/json"
MULTIPART_TYPE = "multipart/form-data"
URLENCODED_TYPE = "application/x-www-form-urlencoded"
PICTURE_TYPES = "image/png, image/jpeg, image/webp, image/gif, image/bmp"

NO_NUL = r"^[^\u0000]*$"
_NAME = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]+$"
_TOGETHER = (
    "Besides: height times width is at least {area}; with a downsamplingFactor other than 8, both "
    "are multiples of 8 times that, and what it leaves of the area counts."
)
_UPLOADS = {
    "image": "The picture to start from: PNG, JPEG, WebP, GIF (its first frame) or BMP.",
    "mask": "A picture of the same size. White parts, or a transparent hole, are repainted.",
}
_OPTIONAL_UPLOADS = {
    "mask": "The rest stays as it is, pixel by pixel. Without a mask the whole picture changes."
}

_EXAMPLES = {"prompt": "a red fox in the snow", "keepAlive": "5m"}
"""What forms made from the description begin with, for fields without a default."""

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """Return the schemas of all bodies by their names."""
    found: dict[str, Schema] = {}
    for job_type, model in PARAMS_BY_TYPE.items():
        if not job_type.uploads:
            found[model.__name__] = _body(job_type, form=False)
        found[f"{model.__name__}Form"] = _body(job_type, form=True)
    return found


def content(job_type: JobType) -> Mapping[str, Schema]:
    """Return the media types of a request for a job, each with a reference to its schema."""
    model = PARAMS_BY_TYPE[job_type].__name__
    form = multipart(f"{model}Form", job_type.all_uploads)
    if job_type.uploads:
        return {MULTIPART_TYPE: form}
    return {
        MULTIPART_TYPE: form,
        URLENCODED_TYPE: {"schema": {"$ref": f"#/components/schemas/{model}Form"}},
        JSON_TYPE: {"schema": {"$ref": f"#/components/schemas/{model}"}},
    }


def multipart(schema: str, files: Iterable[str] = ()) -> Schema:
    """Return the media type of a multipart form with a schema; `files` are pictures in it."""
    form = {"$ref": f"#/components/schemas/{schema}"}
    described: Schema = {"schema": {"allOf": [form], "propertyNames": {"pattern": _NAME}}}
    if files:
        described["encoding"] = {name: {"contentType": PICTURE_TYPES} for name in files}
    return described


def _body(job_type: JobType, *, form: bool) -> Schema:
    declared = PARAMS_BY_TYPE[job_type].model_json_schema()
    required = [*job_type.uploads, *declared.get("required", ())]
    fields = {
        name: _upload(name, required=name in required) for name in job_type.all_uploads
    } | {
        name: _field(name, schema, form=form, required=name in required)
        for name, schema in declared["properties"].items()
    }  # fmt: skip
    fields |= _webhook(form=form)
    body: Schema = {
        "type": "object",
        "description": f"{declared['description']} Fields that are not named here are ignored.",
        "required": required,
        "properties": fields,
    }
    if "sampler" in fields:
        body["description"] += " " + _TOGETHER.format(area=MIN_AREA)
        body |= plms(form=form)
    return body


def _webhook(*, form: bool) -> dict[str, Schema]:
    """Return the fields of `sdrest.web.webhooks.fields`."""
    names = {"type": "string", "enum": [*WebhookEvent]}
    name = rf"\s*({'|'.join(WebhookEvent)})?\s*"
    events: list[Schema] = [{"type": "string", "pattern": f"^{name}(,{name})*$"}]
    addresses: list[Schema] = [
        {"type": "string", "maxLength": MAX_URL, "pattern": "^(https?://.*)?$"}
    ]
    if not form:
        nothing = {"enum": [None, False], "description": "The same as nothing."}
        events += [{"type": "array", "items": names}, nothing]
        addresses.append(nothing)
    return {
        "webhook": {
            "description": "Where messages about the job are sent: an address that begins with "
            "https:// or http://. It is part of the request, but not of the job's JSON.",
            "anyOf": addresses,
            "example": "",  # forms made from the description begin with it
        },
        "webhookEvents": {
            "description": "What is sent there, with commas between; by default the end of the "
            f"job: {', '.join(ENDS)}.",
            "anyOf": events,
            "example": "",
        },
    }


def _upload(name: str, *, required: bool) -> Schema:
    description = _UPLOADS[name] if required else f"{_UPLOADS[name]} {_OPTIONAL_UPLOADS[name]}"
    return {"type": "string", "format": "binary", "description": description}


def _field(name: str, declared: Schema, *, form: bool, required: bool) -> Schema:
    field: Schema = {"description": declared["description"]}
    found = ways(name, plain(declared))
    if name == "seed":
        found += random_seeds()
    elif not (form or required):
        found.append({"enum": [None, False], "description": "The same as nothing."})
    field |= found[0] if len(found) == 1 else {"anyOf": found}
    if declared.get("default") is not None:
        field["default"] = declared["default"]
    elif name in _EXAMPLES:
        field["examples"] = [_EXAMPLES[name]]
    return field


def plain(declared: Schema) -> Schema:
    """Return pydantic's schema of a field, without "or null"."""
    options = declared.get("anyOf", (declared,))
    return next(option for option in options if option.get("type") != "null")


def ways(name: str, declared: Schema) -> list[Schema]:
    """Return the ways to write a value, the plain one first."""
    low, high = declared.get("minimum", 0), declared.get("maximum", 0)
    match name:
        case "model":
            return [{"type": ["string", "number"], "maxLength": MAX_MODEL}]
        case "prompt" | "negativePrompt":
            return [{"type": ["string", "number"], "pattern": NO_NUL}]
        case "sampler":
            return [
                {
                    "type": "string",
                    "enum": PARAMS_BY_TYPE[JobType.TEXT_TO_IMAGE].model_json_schema()["$defs"][
                        "Sampler"
                    ]["enum"],
                }
            ]
        case "steps":
            return _usable()
        case "keepAlive":
            pattern = number_format.decimal_pattern(low, high, times=True)
        case _ if declared["type"] == "number":
            pattern = number_format.decimal_pattern(low, high)
        case _ if declared["type"] == "integer":
            step = declared.get("multipleOf")
            ranges = [(n, n) for n in range(low, high + 1, step)] if step else [(low, high)]
            pattern = number_format.whole_pattern(ranges)
        case _:
            raise LookupError(f"`ways` does not know how to write {name}.")
    names = ("type", "minimum", "maximum", "multipleOf")
    return [{key: declared[key] for key in names if key in declared}, _text(pattern)]


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern, "description": "The same as a text."}


def random_seeds() -> list[Schema]:
    """Return the ways to ask for a random seed; a form has the values as texts."""
    description = "A random seed."
    return [
        {"enum": [RANDOM_SEED, None, False], "description": description},
        {"type": "string", "pattern": number_format.RANDOM, "description": description},
    ]


def _usable() -> list[Schema]:
    """Return the schemas of `steps`: the ranges between the counts that make the samplers fail."""
    usable = list(_ranges(filter(is_usable, range(1, DIFFUSION_STEPS + 1))))
    ranges = [{"minimum": low, "maximum": high} for low, high in usable]
    return [{"type": "integer", "anyOf": ranges}, _text(number_format.whole_pattern(usable))]


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Return runs of numbers that follow each other, each as its first and last."""
    places = count()
    for _, run in groupby(numbers, lambda number: number - next(places)):
        members = list(run)
        yield members[0], members[-1]


def plms(*, form: bool) -> Schema:
    """Return the rule that plms needs eta 0."""
    zero: list[Schema] = [{"const": 0}, {"type": "string", "pattern": number_format.ZERO}]
    if not form:
        zero.append({"enum": [None, False]})
    return {
        "if": {"required": ["sampler"], "properties": {"sampler": {"const": "plms"}}},
        "then": {"properties": {"eta": {"anyOf": zero}}},
    }
