"""The routes of AUTOMATIC1111's dialect."""

from sdrest.web.dialects.a1111 import extras, generate, options, progress
from sdrest.web.dialects.a1111.constants import ANSWERS, REFRESHES
from sdrest.web.route import (
    BASIC_ANY_ORIGIN,
    BASIC_SAME_ORIGIN,
    PUBLIC_ANY_ORIGIN,
    Access,
    Handler,
    Route,
)

_API = "/sdapi/v1/"


def _get(name: str, handler: Handler) -> Route:
    return Route("GET", _API + name, handler, access=BASIC_ANY_ORIGIN)


def _post(name: str, handler: Handler, access: Access = BASIC_SAME_ORIGIN) -> Route:
    return Route("POST", _API + name, handler, access=access)


ROUTES: tuple[Route, ...] = (
    _post("txt2img", generate.send_txt2img, BASIC_ANY_ORIGIN),
    _post("img2img", generate.send_img2img, BASIC_ANY_ORIGIN),
    _get("progress", progress.send_progress),
    _post("interrupt", progress.interrupt),
    _post("skip", progress.skip),
    _get("options", options.send_options),
    _post("options", options.set_options),
    _get("sd-models", options.send_models),
    _get("memory", extras.send_memory),
    *(_get(name, extras.constant(value)) for name, value in ANSWERS.items()),
    *(_post(f"refresh-{name}", extras.constant(None)) for name in REFRESHES),
    _post("unload-checkpoint", extras.unload),
    _post("reload-checkpoint", extras.reload),
    _post("png-info", extras.send_png_info, BASIC_ANY_ORIGIN),
    _post("extra-single-image", extras.send_upscaled, BASIC_ANY_ORIGIN),
    _post("extra-batch-images", extras.send_all_upscaled, BASIC_ANY_ORIGIN),
    _post("interrogate", extras.interrogate, BASIC_ANY_ORIGIN),
    Route("GET", "/internal/ping", extras.constant({}), access=PUBLIC_ANY_ORIGIN),
    Route("GET", "/config", extras.constant({}), access=PUBLIC_ANY_ORIGIN),
)
