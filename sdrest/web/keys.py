"""What the handlers find in the application."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from sdrest.engine.base import Executor
from sdrest.jobs.bus import Bus
from sdrest.jobs.folders import Folders
from sdrest.jobs.queue import Queue
from sdrest.settings import Settings
from sdrest.web.live.hub import EventHub
from sdrest.web.monitoring.metrics import Metrics
from sdrest.web.monitoring.traffic import Traffic
from sdrest.web.requests.access import AccessPolicy
from sdrest.web.requests.proxy import Proxies
from sdrest.web.responses.thumbnails import Thumbnails

SETTINGS = web.AppKey("settings", Settings)
FOLDERS = web.AppKey("folders", Folders)
PROXIES = web.AppKey("proxies", Proxies)
ACCESS = web.AppKey("guard", AccessPolicy)
BUS = web.AppKey("bus", Bus)
QUEUE = web.AppKey("queue", Queue)
LIMITATIONS = web.AppKey[Sequence[str]]("limitations", Sequence)
"""What the file system of the output folder cannot do, as sentences."""
EXECUTOR = web.AppKey[Executor]("executor")
METRICS = web.AppKey("metrics", Metrics)
TRAFFIC = web.AppKey("traffic", Traffic)
HUB = web.AppKey("hub", EventHub)
DECODERS = web.AppKey("decoders", asyncio.Semaphore)
"""Bounds how many requests decode pictures at once."""
THUMBNAILS = web.AppKey("thumbnails", Thumbnails)
