"""The checkpoints, as OpenAI's clients list them."""

import asyncio
from collections.abc import Iterable

from aiohttp import web

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import without_hash
from sdrest.errors import NotFoundError
from sdrest.job_types import JobType
from sdrest.web import keys
from sdrest.web.dialects.openai.schemas import Model, ModelList

_OWNER = "sdrest"


class ModelNotFoundError(NotFoundError):
    """No checkpoint has the name that a request asks for, or more than one: `ambiguity` says it."""

    default_message = "There is no such model."

    def __init__(self, name: str, ambiguity: str = "") -> None:
        shown = name[:200]
        missing = f"There is no model {shown!r}. GET /v1/models lists all."
        super().__init__(ambiguity or missing, model=shown)


async def send_models(request: web.Request) -> web.Response:
    """Send all models."""
    models = await asyncio.to_thread(lambda: list(_models(request.app[keys.MODELS].entries())))
    return _answer(ModelList(object="list", data=models).encode())


async def send_model(request: web.Request) -> web.Response:
    """Send one model."""
    name = request.match_info["model"]
    found = await find(request.app, name)
    for model in await asyncio.to_thread(lambda: list(_models([found]))):
        return _answer(model.encode())
    raise ModelNotFoundError(name)


async def find(app: web.Application, name: str) -> Checkpoint:
    """Return the model of a name; raises `ModelNotFoundError`."""
    models = app[keys.MODELS]
    plain = without_hash(name)
    found = await asyncio.to_thread(models.find, plain)
    if found is None:
        raise ModelNotFoundError(name, await asyncio.to_thread(models.ambiguity, plain))
    return found


def _models(found: Iterable[Checkpoint]) -> Iterable[Model]:
    """Yield the models that make pictures of a prompt. May block."""
    for one in found:
        if JobType.TEXT_TO_IMAGE in one.types:
            changed = int(one.path.stat().st_mtime) if one.path.exists() else 0
            yield Model(id=one.name, object="model", created=changed, owned_by=_OWNER)


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
