"""Checkpoints in the web UI's words: `sd-models`, and which one a request means."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from aiohttp import web

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import SHORT, without_hash
from sdrest.errors import NotFoundError
from sdrest.job_types import JobType
from sdrest.web import keys
from sdrest.web.dialects.a1111.fields import Txt2Img

_UNKNOWN_HASH = "0" * SHORT


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint; `parameter` is the value of the jobs' parameter `model`, empty: the default.

    `hash` are the first digits of the file's SHA-256, zeros while it is not known.
    """

    name: str
    filename: str
    hash: str = _UNKNOWN_HASH
    parameter: str = ""

    @property
    def known_hash(self) -> str:
        """The hash; empty while it is not known."""
        return "" if self.hash == _UNKNOWN_HASH else self.hash

    def entry(self) -> dict[str, Any]:
        """Return the entry of `sd-models`; it names no folder."""
        return {
            "title": self.name,  # without the hash, which would change once it is known
            "model_name": self.name,
            "hash": self.hash,
            "sha256": None,
            "filename": self.filename,
            "config": None,
        }


class CurrentModel:
    """The checkpoint that `POST options` has chosen for requests that choose none. In memory."""

    def __init__(self) -> None:
        self.name = ""


CURRENT = web.AppKey("a1111_current_model", CurrentModel)


async def models(request: web.Request) -> Sequence[Model]:
    """Return the checkpoints that make pictures from a prompt, the default one first."""
    return await asyncio.to_thread(_models, request.app)


async def current(request: web.Request) -> Model:
    """Return the checkpoint of requests that choose none."""
    found = await models(request)
    name = request.app[CURRENT].name
    return next((model for model in found if model.name == name), found[0])


async def find(request: web.Request, name: str) -> Model:
    """Return the checkpoint of a title, a name, a file name or a hash; raises `NotFoundError`."""
    plain = without_hash(name)
    catalog = request.app[keys.MODELS]
    found = await asyncio.to_thread(catalog.find, plain)
    wanted = found.name if found else name
    for model in await models(request):
        if wanted in {model.name, model.filename, model.known_hash or model.name}:
            return model
    ambiguity = await asyncio.to_thread(catalog.ambiguity, plain)
    raise NotFoundError(ambiguity or f"model {name[:200]!r} not found")


async def chosen(request: web.Request, wanted: Txt2Img) -> Model:
    """Return the checkpoint that a request runs with; raises `NotFoundError`."""
    name = wanted.override_settings.get("sd_model_checkpoint")
    if not name:
        return await current(request)
    model = await find(request, str(name))
    if not wanted.override_settings_restore_afterwards:
        request.app[CURRENT].name = model.name
    return model


def _models(app: web.Application) -> Sequence[Model]:
    hashes = app[keys.HASHES]
    usable = [one for one in app[keys.MODELS].entries() if JobType.TEXT_TO_IMAGE in one.types]
    hashes.request(one.path for one in usable)
    usable.sort(key=lambda one: not _is_default(one))
    found = [_model(one, hashes.short(one)) for one in usable]
    has_default = bool(usable) and _is_default(usable[0])
    if not has_default:  # clients need a current one; jobs say what is wrong
        path = PurePath(app[keys.SETTINGS].text_to_image_model)
        found.insert(0, Model(path.stem, path.name))
    return found


def _model(found: Checkpoint, short: str) -> Model:
    parameter = "" if _is_default(found) else found.file
    return Model(found.name, PurePath(found.file).name, short or _UNKNOWN_HASH, parameter)


def _is_default(found: Checkpoint) -> bool:
    return JobType.TEXT_TO_IMAGE in found.defaults
