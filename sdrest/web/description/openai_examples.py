"""Examples of OpenAI's dialect; the answers are written by what writes the real ones. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from sdrest.web.dialects.openai.schemas import (
    NO_USAGE,
    ErrorBody,
    ErrorContent,
    ImageData,
    ImageEvent,
    ImagesResponse,
    Model,
    ModelList,
)

_SIZE = "1024x1024"
_DATA = "iVBORw0KGgo="
_MODEL = Model(id="text-to-image", object="model", created=0, owned_by="sdrest")
_IMAGES = ImagesResponse(
    created=1_760_000_012,
    data=[ImageData(b64_json=_DATA, seed=42)],
    background="opaque",
    output_format="png",
    quality="medium",
    size=_SIZE,
    usage=NO_USAGE,
)
_COMPLETED = ImageEvent(
    type="image_generation.completed",
    b64_json=_DATA,
    created_at=1_760_000_012,
    background="opaque",
    output_format="png",
    quality="medium",
    size=_SIZE,
    usage=NO_USAGE,
    seed=42,
)
_ERROR = ErrorBody(
    error=ErrorContent(
        message="n: Should be less than or equal to 10.",
        type="invalid_request_error",
        param="n",
        code="invalid_value",
    )
)

OPENAI_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "OpenAIGeneration": {
        "a picture": {
            "prompt": "a red fox in the snow",
            "size": _SIZE,
            "quality": "high",
            "response_format": "b64_json",
        }
    },
    "OpenAIImagesResponse": {"a picture": json.loads(_IMAGES.encode())},
    "OpenAIStreamEvent": {
        "the picture": {"event": _COMPLETED.type, "data": _COMPLETED.encode().decode()}
    },
    "OpenAIModel": {"a model": json.loads(_MODEL.encode())},
    "OpenAIModelList": {"the models": json.loads(ModelList(object="list", data=[_MODEL]).encode())},
    "OpenAIErrorBody": {"a wrong field": json.loads(_ERROR.encode())},
}
