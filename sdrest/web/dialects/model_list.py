"""`GET /models`: the checkpoints that requests may name."""

import asyncio
import os
from collections.abc import Mapping

from aiohttp import web

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import Hashes
from sdrest.web import keys
from sdrest.web.responses.json_response import json_response


async def send_models(request: web.Request) -> web.Response:
    """Answer which checkpoints there are, what they are, and which are loaded."""
    app = request.app
    stats = await app[keys.EXECUTOR].stats()
    found = await asyncio.to_thread(app[keys.MODELS].entries)
    hashes = app[keys.HASHES]

    def entries() -> Mapping[str, object]:
        hashes.request(one.path for one in found if one.usable)
        return {"models": [_entry(one, stats.models, hashes) for one in found]}

    return json_response(await asyncio.to_thread(entries))


def _entry(found: Checkpoint, loaded: frozenset[str], hashes: Hashes) -> dict[str, object]:
    return {
        "name": found.name,
        "file": found.file,
        "size": found.size,
        "kind": found.kind,
        "usable": found.usable,
        "reason": found.reason or None,
        "types": found.types,
        "default": found.defaults,
        "loaded": not loaded.isdisjoint({os.path.realpath(found.path), found.file}),
        "hash": hashes.short(found) or None,
        "workers": found.workers,
    }
