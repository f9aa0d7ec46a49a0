"""The application: every part is made and wired here, and nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from aiohttp import web

from sdrest.engine.local import links
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.process import kill_orphans
from sdrest.engine.local.repository import locate
from sdrest.jobs.bus import Bus
from sdrest.jobs.folders import Folders
from sdrest.jobs.queue import Queue
from sdrest.jobs.store import Store
from sdrest.params import JobType
from sdrest.paths import expand
from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.description import docs
from sdrest.web.dialects import control
from sdrest.web.dialects.original import JobRoutes
from sdrest.web.live import events
from sdrest.web.live.hub import HEARTBEAT_SECONDS, EventHub
from sdrest.web.monitoring import health, scrape
from sdrest.web.monitoring.metrics import Metrics
from sdrest.web.monitoring.traffic import Traffic
from sdrest.web.page import handlers
from sdrest.web.requests import cors, session
from sdrest.web.requests.access import AccessPolicy
from sdrest.web.requests.proxy import Proxies
from sdrest.web.responses import security
from sdrest.web.responses.errors import error_middleware
from sdrest.web.responses.thumbnails import Thumbnails

_DECODERS = 2
"""How many requests decode pictures at once; an open one of 16 million pixels takes 48 MB."""

_SCRIPT_GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL for a script that is cancelled; it shall be gone within 1."""

_HANDLER_ARGS = {
    "auto_decompress": False,  # compressed bodies are refused, so nothing shall inflate them
    "keepalive_timeout": 75.0,
}


def create_app(
    settings: Settings, *, bus: Bus | None = None, heartbeat: float = HEARTBEAT_SECONDS
) -> web.Application:
    """Return the application. Its jobs run from its start-up to its cleanup.

    `bus` is told of every change of a job; silent event streams say every `heartbeat` seconds that
    they are alive. Start-up raises `UsageError` for an output folder that
    cannot be used.
    """
    access = AccessPolicy(settings)
    app = web.Application(
        middlewares=[error_middleware, access.middleware], handler_args=_HANDLER_ARGS
    )
    app[keys.ACCESS] = access
    app[keys.PROXIES] = Proxies(settings)
    app[keys.SETTINGS] = settings
    app[keys.FOLDERS] = Folders(expand(settings.output).absolute())
    app[keys.BUS] = bus or Bus()
    app[keys.HUB] = EventHub(app[keys.BUS], heartbeat=heartbeat)
    app[keys.METRICS] = Metrics(app[keys.BUS])
    app[keys.TRAFFIC] = Traffic(app[keys.METRICS].registry)
    app[keys.DECODERS] = asyncio.Semaphore(_DECODERS)
    app[keys.THUMBNAILS] = Thumbnails(app[keys.DECODERS], max_pixels=settings.max_pixels)
    for job_type in JobType:
        JobRoutes(job_type).add_to(app.router)
    control.add_to(app.router)
    events.add_to(app.router)
    health.add_to(app.router)
    scrape.add_to(app.router)
    handlers.add_to(app.router)
    docs.add_to(app.router)
    session.add_to(app.router)
    access.watch(app.router)
    app[keys.TRAFFIC].watch(app.router)
    cors.enable(app, settings)
    app.on_response_prepare.append(security.secure)
    app.on_shutdown.append(events.close)
    app.cleanup_ctx.append(_run_jobs)
    return app


async def _run_jobs(app: web.Application) -> AsyncIterator[None]:
    settings, folders = app[keys.SETTINGS], app[keys.FOLDERS]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(folders))
        app[keys.LIMITATIONS] = await asyncio.to_thread(_limitations, store, folders)
        await asyncio.to_thread(kill_orphans, store.folder_id)  # before their files are read
        executor = LocalExecutor(
            locate(settings),
            config=_pool_config(settings, store.folder_id),
            grace=_SCRIPT_GRACE,
        )
        app[keys.EXECUTOR] = executor
        stack.push_async_callback(executor.close)
        if settings.preload:
            executor.preload()
        queue = Queue(
            store=store,
            executor=executor,
            folders=folders,
            bus=app[keys.BUS],
            concurrency=settings.concurrency,
            max_waiting=settings.max_queue,
            job_timeout=settings.job_timeout,
            stall_timeout=settings.stall_timeout,
            metadata=settings.metadata,
            keep_days=settings.keep_days,
            keep_bytes=settings.keep_bytes,
        )
        stack.push_async_callback(queue.stop)
        await queue.start(delete_incomplete=settings.delete_incomplete)
        app[keys.QUEUE] = queue
        yield


def _limitations(store: Store, folders: Folders) -> list[str]:
    found = list(store.limitations())
    return found if links.has_links(folders.work) else [*found, links.COPIES]


def _pool_config(settings: Settings, owner: str) -> PoolConfig:
    return PoolConfig(
        concurrency=settings.concurrency,
        keep_alive=settings.keep_alive,
        max_models=settings.max_models,
        max_memory=settings.max_host_memory * 2**20,
        owner=owner,
    )
