"""The routes of OpenAI's images API."""

from http import HTTPStatus

from sdrest.errors import ErrorCode
from sdrest.web.dialects.openai import answers, handlers, model_list
from sdrest.web.dialects.openai.addresses import FILES
from sdrest.web.dialects.openai.errors import SHAPE
from sdrest.web.route import (
    PUBLIC_ANY_ORIGIN,
    TOKEN_ANY_ORIGIN,
    Handler,
    Parameter,
    ResponseSpec,
    Route,
)
from sdrest.web.routes.shared import BODY_ERRORS, OK, TEXT, json_spec

_TAG = "openai"
_MULTIPART = "multipart/form-data"
_IMAGES = {
    OK: ResponseSpec(
        "The pictures, once they are complete. With `stream`: events.",
        "application/json",
        "OpenAIImagesResponse",
        headers=("x-request-id",),
        stream="OpenAIStreamEvent",
    )
}
_ERRORS = (
    *BODY_ERRORS,
    ErrorCode.NOT_FOUND,
    ErrorCode.GONE,
    ErrorCode.QUEUE_FULL,
    ErrorCode.STOPPING,
)
_TEXT = (
    "Each picture is a job. The jobs are cancelled when the last client that waits for them "
    "disconnects, unless the server runs with --keep-abandoned. An SDK's retry joins its first try."
)


def _images(
    path: str, handler: Handler, summary: str, body: str, body_type: str
) -> tuple[Route, Route]:
    def route(path: str, summary: str) -> Route:
        return Route(
            "POST",
            path,
            handler,
            summary,
            _IMAGES,
            _ERRORS,
            access=TOKEN_ANY_ORIGIN,
            body=body,
            body_type=body_type,
            error_shape=SHAPE,
            tag=_TAG,
            text=_TEXT,
        )

    return route(f"/v1{path}", summary), route(path, f"{summary} (for base URLs without /v1)")


ROUTES: tuple[Route, ...] = (
    *_images(
        "/images/generations",
        handlers.generate,
        "Make pictures of a prompt",
        "OpenAIGeneration",
        "application/json",
    ),
    *_images("/images/edits", handlers.edit, "Change a picture", "OpenAIEdit", _MULTIPART),
    *_images(
        "/images/variations",
        handlers.vary,
        "Make variations of a picture",
        "OpenAIVariation",
        _MULTIPART,
    ),
    Route(
        "GET",
        f"{FILES}/{{name}}",
        answers.send_file,
        "Fetch a picture by the address of an answer",
        {OK: ResponseSpec("The picture.", "image/png, image/jpeg, image/webp")},
        (ErrorCode.NOT_FOUND, ErrorCode.GONE),
        tuple(
            Parameter(name, TEXT, "As in the address.")
            for name in ("type", "size", "quality", "expires", "signature")
        ),
        access=PUBLIC_ANY_ORIGIN,
        error_shape=SHAPE,
        tag=_TAG,
        text="The address is signed; it works for an hour, without the token.",
    ),
    Route(
        "GET",
        "/v1/models",
        model_list.send_models,
        "List the models",
        {HTTPStatus.OK: json_spec("The models.", "OpenAIModelList")},
        access=TOKEN_ANY_ORIGIN,
        error_shape=SHAPE,
        tag=_TAG,
    ),
    Route(
        "GET",
        "/v1/models/{model}",
        model_list.send_model,
        "See a model",
        {HTTPStatus.OK: json_spec("The model.", "OpenAIModel")},
        (ErrorCode.NOT_FOUND,),
        access=TOKEN_ANY_ORIGIN,
        error_shape=SHAPE,
        tag=_TAG,
    ),
)
