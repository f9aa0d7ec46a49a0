"""`GET /models`: the checkpoints that requests may name."""

import asyncio
import os

from aiohttp import hdrs, web

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import SHORT, Hashes
from sdrest.web import keys
from sdrest.web.responses.render import JSON, json_body


async def send_models(request: web.Request) -> web.Response:
    """Answer which checkpoints there are, what they are, and which are loaded."""
    app = request.app
    stats = await app[keys.EXECUTOR].stats()
    found = await asyncio.to_thread(app[keys.MODELS].entries)
    hashes = app[keys.HASHES]

    def answer() -> bytes:
        hashes.request(one.path for one in found if one.usable)
        return json_body({"models": [_entry(one, stats.models, hashes) for one in found]})

    body = await asyncio.to_thread(answer)
    return web.Response(
        body=body, headers={hdrs.CONTENT_TYPE: JSON, hdrs.CACHE_CONTROL: "no-store"}
    )


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
        "hash": hashes.short(found.path) or found.digest[:SHORT] or None,
        "workers": found.workers,
    }
