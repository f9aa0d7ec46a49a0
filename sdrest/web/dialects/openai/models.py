"""The checkpoints, as OpenAI's clients list them."""

from pathlib import Path

from aiohttp import web

from sdrest.errors import NotFoundError
from sdrest.web import keys
from sdrest.web.dialects.openai.schemas import Model, ModelList

_OWNER = "sdrest"


class ModelNotFoundError(NotFoundError):
    """No checkpoint has the name that a request asks for."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no model {name[:200]!r}. GET /v1/models lists those that there are.",
            model=name[:200],
        )


async def send_models(request: web.Request) -> web.Response:
    """Send all models."""
    models = [_model(name) for name in names(request.app)]
    return _answer(ModelList(object="list", data=models).encode())


async def send_model(request: web.Request) -> web.Response:
    """Send one model."""
    name = request.match_info["model"]
    require(request.app, name)
    return _answer(_model(name).encode())


def names(app: web.Application) -> list[str]:
    """Return the names of the models that make pictures of a prompt, the default first."""
    return [Path(app[keys.SETTINGS].text_to_image_model).stem]


def require(app: web.Application, name: str) -> None:
    """Raise `ModelNotFoundError` for a name that no model has."""
    if name not in names(app):
        raise ModelNotFoundError(name)


def _model(name: str) -> Model:
    return Model(id=name, object="model", created=0, owned_by=_OWNER)


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
