"""What handlers find in the application, as far as `sdrest.web` does not define it.

The keys of the application's other parts are beside their classes, such as
`HUB` in `live/event_hub.py`.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from sdrest.checkpoints.catalog import Catalog
from sdrest.checkpoints.hashes import Hashes
from sdrest.engine.base import Executor
from sdrest.jobs.bus import Bus
from sdrest.jobs.folders import Folders
from sdrest.jobs.service import JobService
from sdrest.settings import Settings
from sdrest.web.route import Route

SETTINGS = web.AppKey("settings", Settings)
ROUTES = web.AppKey[tuple[Route, ...]]("routes", tuple)
FOLDERS = web.AppKey("folders", Folders)
BUS = web.AppKey("bus", Bus)
JOBS = web.AppKey("jobs", JobService)
MODELS = web.AppKey("models", Catalog)
"""The checkpoints that requests may name."""
HASHES = web.AppKey("hashes", Hashes)
LIMITATIONS = web.AppKey[Sequence[str]]("limitations", Sequence)
"""What the file system of the output folder cannot do, as sentences."""
EXECUTOR = web.AppKey[Executor]("executor")
DECODERS = web.AppKey("decoders", asyncio.Semaphore)
"""Bounds how many requests decode pictures at once."""
