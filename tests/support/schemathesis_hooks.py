"""What schemathesis cannot know: what a picture is, and rules on several fields."""

import io
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image

WRONG = 422
TOGETHER = {"height", "downsamplingFactor"}
"""Fields whose errors may come of what other fields say."""


def _pictures() -> list[bytes]:
    made = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        file = io.BytesIO()
        Image.new("RGB", (64, 64), "navy").save(file, kind)
        made.append(file.getvalue())
    return made


schemathesis.openapi.format("binary", st.sampled_from(_pictures()))


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


def _number(fields: Any, name: str, default: int) -> int:
    value = fields.get(name)
    return default if value in (None, False) else int(float(value))


def breaks_a_rule(fields: Any) -> bool:
    """Whether height, width and downsamplingFactor do not go together, as is told in words."""
    height, width = _number(fields, "height", 512), _number(fields, "width", 512)
    factor = _number(fields, "downsamplingFactor", 8)
    unit = 8 * factor
    return bool(height % unit or width % unit) or height * width * 64 < 256 * 256 * factor**2


def is_sent_as_allowed(case: Any) -> bool:
    """Whether a form has a list of one or of none: it is sent as its element, or not at all."""
    return "form" in (case.media_type or "") and any(
        isinstance(value, list) and len(value) <= 1 for value in case.body.values()
    )


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Let a refusal pass that follows from a rule on several fields, which no schema can tell.

    And let a form be taken that is wrong only before it is sent.
    """
    del context
    kind = type(failure).__name__
    if not isinstance(case.body, dict):
        return True
    if kind == "AcceptedNegativeData":
        return not is_sent_as_allowed(case)
    if kind != "RejectedPositiveData" or response.status_code != WRONG:
        return True
    named = {wrong["field"] for wrong in response.json()["error"]["details"]["fields"]}
    return not (named <= TOGETHER and breaks_a_rule(case.body))
