"""What schemathesis cannot know: what a picture is, rules on several fields, how forms are sent."""

import base64
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from sdrest.web.description.openapi import document
from sdrest.web.routes import ROUTES
from tests.description.jobs import picture

WRONG = 422
TOGETHER = {"height", "downsamplingFactor"}
"""Fields whose errors may come of what other fields say."""

IGNORED = "Invalid component: in query - violates `additionalProperties`"
"""What is said of a query that has nothing wrong but a parameter that nobody knows."""

DOCUMENT = document(ROUTES)

schemathesis.openapi.format(
    "binary", st.sampled_from([picture(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP")])
)

schemathesis.openapi.format("base64-image", st.sampled_from([base64.b64encode(picture()).decode()]))

A1111, NO_PICTURE = "/sdapi/", "Invalid encoded image"
SIZE = re.compile("[0-9]{3,4}x[0-9]{3,4}")
MOST = {"batch_size": 1, "n_iter": 1, "width": 256, "height": 256}
MOST |= {f"upscaling_resize_{side}": 256 for side in "wh"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Ask for one small picture where many would take minutes; let no message go anywhere."""
    del context, kwargs
    if isinstance(case.body, dict) and str(case.body.get("webhook")).startswith(
        ("http://", "https://")
    ):
        case.body["webhook"] = ""
    if "/images/" in case.path and isinstance(case.body, dict):
        if case.body.get("n") in range(2, 11):
            case.body["n"] = 1
        if SIZE.fullmatch(str(case.body.get("size"))):
            case.body["size"] = "256x256"
    if case.path.startswith(A1111) and isinstance(case.body, dict):
        for name, most in MOST.items():
            if isinstance(case.body.get(name), int | float) and case.body[name] > most:
                case.body[name] = most


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Lead from a request to what can be done with its job, whose id is a part of `Location`."""
    del context
    for path, methods in raw_schema["paths"].items():
        answer = methods.get("post", {}).get("responses", {}).get("302")
        if answer is None:
            continue
        job = raw_schema["paths"][path.removesuffix("/{id}/retry") + "/{id}"]
        found = {name: link["operationId"] for name, link in _next(job).items()}
        found["status"] = job["get"]["operationId"]
        parameters = {"id": "$response.header.Location#regex:/([0-9a-f]+)$"}
        answer["links"] = {
            name: {"operationId": target, "parameters": parameters}
            for name, target in found.items()
            if "Png" not in target
        }


def _next(job: dict[str, Any]) -> dict[str, Any]:
    links: dict[str, Any] = job["get"]["responses"]["200"]["links"]
    return links


def breaks_a_rule(fields: Any) -> bool:
    """Whether height, width and downsamplingFactor do not go together (a rule in words)."""
    height, width = _number(fields, "height", 512), _number(fields, "width", 512)
    factor = _number(fields, "downsamplingFactor", 8)
    unit = 8 * factor
    return bool(height % unit or width % unit) or height * width * 64 < 256 * 256 * factor**2


def _number(fields: Any, name: str, default: int) -> int:
    value = fields.get(name)
    return default if value in (None, False) else int(float(value))


def _sent(value: Any, *, form: bool) -> list[Any]:
    """Return the values with which a field is sent, one or none."""
    return value if form and isinstance(value, list) and len(value) <= 1 else [value]


def is_as_described(case: Any) -> bool:
    """Whether a body is right after all, in spite of what was done to make it wrong.

    A form has no lists: one element is sent as itself, none as nothing. And of several ways to
    write a value one may have been broken, but the value be right in another way.
    """
    fields = {
        name: "" if isinstance(value, bytes) else value
        for name, values in case.body.items()
        for value in _sent(values, form="form" in case.media_type)
    }
    body = DOCUMENT["paths"][case.path]["post"]["requestBody"]["content"][case.media_type]
    schema = {**body["schema"], "components": DOCUMENT["components"]}
    return bool(OAS31Validator(schema).is_valid(fields))


def counts_in_a1111(failure: str, response: Any) -> bool:
    """Whether a failure counts where values are read more loosely than they are described."""
    no_picture = failure == "RejectedPositiveData" and NO_PICTURE in response.text
    return not (no_picture or failure == "AcceptedNegativeData")


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts: not one that the description says in words, or no failure."""
    del context
    if case.path.startswith(A1111):
        return counts_in_a1111(type(failure).__name__, response)
    match type(failure).__name__:
        case "UseAfterFree":
            return bool(case.method != "OPTIONS")  # it asks what may be done, not of a job
        case "AcceptedNegativeData":
            is_right = isinstance(case.body, dict) and is_as_described(case)
            return not (is_right or failure.message.endswith(IGNORED))
        case "RejectedPositiveData" if (
            isinstance(case.body, dict) and response.status_code == WRONG
        ):
            wrong = {item["field"] for item in response.json()["error"]["details"]["fields"]}
            if "model" in case.body:
                wrong -= {"model"}  # a name that no file has
            return bool(wrong) and not (wrong <= TOGETHER and breaks_a_rule(case.body))
        case "RejectedPositiveData" if "/images/edits" in case.path:
            return bool(response.json()["error"]["param"] != "mask")  # it has nothing transparent
    return True
