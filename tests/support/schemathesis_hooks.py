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


def _number(fields: Any, name: str, default: int) -> int:
    value = fields.get(name)
    return default if value in (None, False) else int(float(value))


def breaks_a_rule(fields: Any) -> bool:
    """Whether height, width and downsamplingFactor do not go together, as is told in words."""
    height, width = _number(fields, "height", 512), _number(fields, "width", 512)
    factor = _number(fields, "downsamplingFactor", 8)
    unit = 8 * factor
    return bool(height % unit or width % unit) or height * width * 64 < 256 * 256 * factor**2


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Let a refusal pass that follows from a rule on several fields, which no schema can tell."""
    del context
    if response.status_code != WRONG or not isinstance(case.body, dict):
        return True
    named = {wrong["field"] for wrong in response.json()["error"]["details"]["fields"]}
    rejected = type(failure).__name__ == "RejectedPositiveData"
    return not (rejected and named <= TOGETHER and breaks_a_rule(case.body))
