"""The web UI's settings: of all of them only the checkpoint can be chosen."""

from aiohttp import web

from sdrest.web.dialects.a1111 import checkpoints
from sdrest.web.requests.forms import read_json
from sdrest.web.responses.json_response import json_response

_MOST_BODY = 2**20
"""Bytes of a body: clients send all options back."""

_MODEL = "sd_model_checkpoint"


async def send_options(request: web.Request) -> web.Response:
    """Send the settings that clients look at."""
    model = await checkpoints.current(request)
    return json_response(
        {
            "samples_format": "png",
            _MODEL: model.name,
            "sd_checkpoint_hash": model.known_hash,
            "sd_vae": "Automatic",
            "CLIP_stop_at_last_layers": 1,
            "eta_ddim": 0.0,
            "return_grid": False,
        }
    )


async def set_options(request: web.Request) -> web.Response:
    """Choose the checkpoint of all requests to come that choose none; ignore other settings."""
    options = await read_json(request, limit=_MOST_BODY, any_type=True)
    if name := options.get(_MODEL):
        model = await checkpoints.find(request, str(name))
        request.app[checkpoints.CURRENT].name = model.name
    return json_response(None)


async def send_models(request: web.Request) -> web.Response:
    """Send the list of checkpoints."""
    return json_response([model.entry() for model in await checkpoints.models(request)])
