"""Checkpoints in the web UI's words: `sd-models`, and which one a request means."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from aiohttp import web

from sdrest.errors import NotFoundError
from sdrest.web import keys
from sdrest.web.dialects.a1111.fields import Txt2Img

_UNKNOWN_HASH = "0" * 10


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint; `parameter` is the value of the jobs' parameter `model`, empty: the default."""

    name: str
    filename: str
    hash: str = _UNKNOWN_HASH
    sha256: str | None = None
    parameter: str = ""

    @property
    def title(self) -> str:
        """The name by which clients choose it."""
        return self.name

    def entry(self) -> dict[str, Any]:
        """Return the entry of `sd-models`; it names no folder."""
        return {
            "title": self.title,
            "model_name": self.name,
            "hash": self.hash,
            "sha256": self.sha256,
            "filename": self.filename,
            "config": None,
        }

    def is_meant(self, name: str) -> bool:
        """Whether a client means this one: by title, name, file name or hash."""
        return name in {self.title, self.name, self.filename, self.hash, self.sha256}


class CurrentModel:
    """The checkpoint that `POST options` has chosen for requests that choose none. In memory."""

    def __init__(self) -> None:
        self.name = ""


CURRENT = web.AppKey("a1111_current_model", CurrentModel)


async def models(request: web.Request) -> Sequence[Model]:
    """Return all checkpoints; the first is the default one."""
    path = PurePath(request.app[keys.SETTINGS].text_to_image_model)
    return [Model(path.stem, path.name)]


async def current(request: web.Request) -> Model:
    """Return the checkpoint of requests that choose none."""
    found = await models(request)
    name = request.app[CURRENT].name
    return next((model for model in found if model.name == name), found[0])


async def find(request: web.Request, name: str) -> Model:
    """Return the checkpoint that a client names; raises `NotFoundError`."""
    for model in await models(request):
        if model.is_meant(name):
            return model
    raise NotFoundError(f"model {name!r} not found")


async def chosen(request: web.Request, wanted: Txt2Img) -> Model:
    """Return the checkpoint that a request runs with; raises `NotFoundError`."""
    name = wanted.override_settings.get("sd_model_checkpoint")
    if not name:
        return await current(request)
    model = await find(request, str(name))
    if not wanted.override_settings_restore_afterwards:
        request.app[CURRENT].name = model.name
    return model
