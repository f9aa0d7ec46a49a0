"""What OpenAI's clients read: the bodies of answers, events and errors."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())

    def encode(self) -> bytes:
        """Return it as JSON, without what is None unless that was said."""
        return self.model_dump_json(exclude_unset=True).encode()


class ImageData(_Body):
    """One picture."""

    b64_json: Annotated[
        str | None, Field(description="The picture, if the request leads to that.")
    ] = None
    url: Annotated[
        str | None,
        Field(description="Its address for an hour, without the token, if the request asks so."),
    ] = None
    seed: Annotated[int, Field(description="The seed that makes it again.")]


class TokenDetails(_Body):
    """Part of `usage`."""

    text_tokens: int
    image_tokens: int


class Usage(_Body):
    """Zeros: nothing is counted in tokens here."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: TokenDetails


NO_USAGE = Usage(
    input_tokens=0,
    output_tokens=0,
    total_tokens=0,
    input_tokens_details=TokenDetails(text_tokens=0, image_tokens=0),
)


class ImagesResponse(_Body):
    """The pictures of a request."""

    created: Annotated[int, Field(description="Seconds since the epoch.")]
    data: list[ImageData]
    background: Literal["opaque"]
    output_format: Literal["png", "jpeg", "webp"]
    quality: Literal["low", "medium", "high"]
    size: str
    usage: Usage
    warnings: Annotated[
        list[str],
        Field(description="What was done otherwise than the request asks, if anything was."),
    ] = []


class ImageEvent(_Body):
    """An event of a stream."""

    type: Literal[
        "image_generation.partial_image",
        "image_generation.completed",
        "image_edit.partial_image",
        "image_edit.completed",
    ]
    b64_json: str
    created_at: int
    background: Literal["opaque"]
    output_format: Literal["png", "jpeg", "webp"]
    quality: Literal["low", "medium", "high"]
    size: str
    partial_image_index: Annotated[
        int, Field(description="In `partial_image` events: its number, from 0.")
    ] = 0
    usage: Annotated[Usage, Field(description="In `completed` events.")] = NO_USAGE
    seed: Annotated[int, Field(description="In `completed` events.")] = 0
    warnings: Annotated[
        list[str], Field(description="In `completed` events, if there is anything to say.")
    ] = []


class Model(_Body):
    """A checkpoint."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Body):
    """All checkpoints that make pictures of a prompt."""

    object: Literal["list"]
    data: list[Model]


class ErrorContent(_Body):
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(_Body):
    """The one shape of every error below `/v1`."""

    error: ErrorContent


ANSWERS: tuple[type[_Body], ...] = (ImagesResponse, ImageEvent, Model, ModelList, ErrorBody)


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of all bodies by their names, which begin with `OpenAI`."""
    found: dict[str, dict[str, Any]] = {}
    for answer in ANSWERS:
        schema = answer.model_json_schema(ref_template="#/components/schemas/OpenAI{model}")
        for name, part in schema.pop("$defs", {}).items():
            found[f"OpenAI{name}"] = part
        found[f"OpenAI{answer.__name__}"] = schema
    for schema in found.values():
        schema.pop("description", None)  # a docstring, which `python -OO` strips
    names = list(found["OpenAIImageEvent"]["properties"]["type"]["enum"])
    found["OpenAIStreamEvent"] = {
        "type": "object",
        "properties": {
            "event": {"enum": [*names, "error"]},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {
                    "anyOf": [
                        {"$ref": f"#/components/schemas/OpenAI{answer.__name__}"}
                        for answer in (ImageEvent, ErrorBody)
                    ]
                },
            },
        },
        "required": ["event", "data"],
    }
    return found
