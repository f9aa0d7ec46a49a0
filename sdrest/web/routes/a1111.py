"""The routes of AUTOMATIC1111's dialect."""

from http import HTTPStatus

from sdrest.errors import ErrorCode
from sdrest.web.description.a1111_schemas import PREFIX, constant_name
from sdrest.web.dialects.a1111 import extras, generate, options, progress
from sdrest.web.dialects.a1111.constants import ANSWERS, REFRESHES
from sdrest.web.dialects.a1111.errors import SHAPE
from sdrest.web.route import (
    BASIC_ANY_ORIGIN,
    BASIC_SAME_ORIGIN,
    PUBLIC_ANY_ORIGIN,
    Access,
    Handler,
    Parameter,
    Route,
)
from sdrest.web.routes.shared import BODY_ERRORS, json_spec

_API = "/sdapi/v1/"
_TAG = "a1111"
_SUBMIT_ERRORS = (
    *BODY_ERRORS,
    ErrorCode.NOT_FOUND,
    ErrorCode.GONE,
    ErrorCode.QUEUE_FULL,
    ErrorCode.STOPPING,
)
_JOBS = (
    "Each picture is a job with a seed of its own. The jobs are cancelled when the client "
    "disconnects, unless the server runs with --keep-abandoned."
)
_IGNORES = "A body is read and ignored."


def _get(name: str, handler: Handler, summary: str, schema: str, *parameters: Parameter) -> Route:
    return Route(
        "GET",
        _API + name,
        handler,
        summary,
        {HTTPStatus.OK: json_spec("The answer.", schema)},
        (ErrorCode.TOO_LARGE,),
        parameters=parameters,
        access=BASIC_ANY_ORIGIN,
        error_shape=SHAPE,
        tag=_TAG,
    )


def _post(
    name: str,
    handler: Handler,
    summary: str,
    schema: str,
    *,
    body: str = "",
    access: Access = BASIC_SAME_ORIGIN,
    errors: tuple[ErrorCode, ...] = (*BODY_ERRORS, ErrorCode.NOT_FOUND),
    text: str = "",
) -> Route:
    return Route(
        "POST",
        _API + name,
        handler,
        summary,
        {HTTPStatus.OK: json_spec("The answer.", PREFIX + schema)},
        errors,
        access=access,
        body=body and PREFIX + body,
        error_shape=SHAPE,
        tag=_TAG,
        text=text or ("" if body else _IGNORES),
    )


def _open(path: str, summary: str) -> Route:
    return Route(
        "GET",
        path,
        extras.constant({}),
        summary,
        {HTTPStatus.OK: json_spec("Nothing.", f"{PREFIX}Empty")},
        (ErrorCode.TOO_LARGE,),
        access=PUBLIC_ANY_ORIGIN,
        tag=_TAG,
    )


ROUTES: tuple[Route, ...] = (
    _post(
        "txt2img",
        generate.send_txt2img,
        "Make pictures from a prompt",
        "Images",
        body="Txt2Img",
        access=BASIC_ANY_ORIGIN,
        errors=_SUBMIT_ERRORS,
        text=_JOBS,
    ),
    _post(
        "img2img",
        generate.send_img2img,
        "Make pictures from pictures and a prompt",
        "Images",
        body="Img2Img",
        access=BASIC_ANY_ORIGIN,
        errors=_SUBMIT_ERRORS,
        text=_JOBS,
    ),
    _get(
        "progress",
        progress.send_progress,
        "See how far the oldest request is that runs",
        f"{PREFIX}Progress",
        Parameter("skip_current_image", {"type": "boolean"}, "Whether to leave out the preview."),
    ),
    _post("interrupt", progress.interrupt, "End that request with what is done", "Empty"),
    _post("skip", progress.skip, "End its batch", "Null"),
    _get("options", options.send_options, "See the settings", f"{PREFIX}Settings"),
    _post(
        "options",
        options.set_options,
        "Set the model of requests that name none",
        "Null",
        body="Options",
    ),
    _get("sd-models", options.send_models, "List the models", f"{PREFIX}Models"),
    _get("memory", extras.send_memory, "See the machine's memory", f"{PREFIX}Memory"),
    *(
        _get(name, extras.constant(value), f"List what there is of {name}", constant_name(name))
        for name, value in ANSWERS.items()
    ),
    *(
        _post(f"refresh-{name}", extras.constant(None), "Do nothing: lists are current", "Null")
        for name in REFRESHES
    ),
    _post("unload-checkpoint", extras.unload, "Free the models that no job uses", "Empty"),
    _post("reload-checkpoint", extras.reload, "Begin to load the default model", "Empty"),
    _post(
        "png-info",
        extras.send_png_info,
        "Read what a picture says of its making",
        "PngSettings",
        body="PngInfo",
        access=BASIC_ANY_ORIGIN,
    ),
    _post(
        "extra-single-image",
        extras.send_upscaled,
        "Resize a picture",
        "Resized",
        body="UpscaleOne",
        access=BASIC_ANY_ORIGIN,
    ),
    _post(
        "extra-batch-images",
        extras.send_all_upscaled,
        "Resize pictures",
        "ManyResized",
        body="UpscaleMany",
        access=BASIC_ANY_ORIGIN,
    ),
    _post(
        "interrogate",
        extras.interrogate,
        "Refuse to describe a picture",
        "Null",
        access=BASIC_ANY_ORIGIN,
        text="404: there is no model for that.",
    ),
    _open("/internal/ping", "Answer the web UI's health check"),
    _open("/config", "Answer what asks for the web UI's page"),
)
