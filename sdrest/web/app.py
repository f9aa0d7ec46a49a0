"""The application: the one place that creates and connects the parts."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web

from sdrest.checkpoints.hashes import Hashes
from sdrest.checkpoints.shared import SharedCatalog
from sdrest.engine.base import Executor
from sdrest.engine.cluster.start import cluster_executor, front_of, has_cluster
from sdrest.engine.local import links
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.process import kill_orphans
from sdrest.engine.local.repository import Repository, locate
from sdrest.engine.local.start import local_executor
from sdrest.jobs.bus import Bus
from sdrest.jobs.folders import Folders
from sdrest.jobs.service import MAX_DECODERS, JobService
from sdrest.jobs.store import Store
from sdrest.paths import expand
from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.dialects.a1111 import errors as a1111_errors
from sdrest.web.dialects.a1111.checkpoints import CURRENT, CurrentModel
from sdrest.web.dialects.a1111.generations import GENERATIONS, Generations
from sdrest.web.dialects.a1111.second_address import second_address
from sdrest.web.dialects.openai.errors import OPENAI_PATHS, error_response
from sdrest.web.dialects.original import KNOWN_REQUESTS, known_requests
from sdrest.web.dialects.waiting import WAITING, Waiting
from sdrest.web.live import events
from sdrest.web.live.event_hub import HEARTBEAT_SECONDS, HUB, EventHub
from sdrest.web.monitoring.health import READINESS, Readiness
from sdrest.web.monitoring.metrics import METRICS, Metrics
from sdrest.web.monitoring.traffic import TRAFFIC, Traffic
from sdrest.web.requests import cors
from sdrest.web.requests.access import ACCESS, AccessPolicy
from sdrest.web.requests.proxy import PROXIES, Proxies
from sdrest.web.responses import security
from sdrest.web.responses.errors import ERROR_SHAPES, error_middleware
from sdrest.web.responses.thumbnails import THUMBNAILS, Thumbnails
from sdrest.web.route import add_routes
from sdrest.web.routes import ROUTES
from sdrest.web.webhooks import sender

_CLOSE_SECONDS = 30.0
"""Seconds that the executor has to end its processes at a stop."""

_log = logging.getLogger(__name__)

_REPOSITORY = web.AppKey("repository", Repository)

_HANDLER_ARGS = {
    "auto_decompress": False,  # compressed bodies are refused; nothing may inflate them
    "keepalive_timeout": 75.0,
}


def create_app(
    settings: Settings,
    *,
    bus: Bus | None = None,
    heartbeat: float = HEARTBEAT_SECONDS,
    webhook_pause: float = sender.FIRST_PAUSE,
) -> web.Application:
    """Return the application. Its jobs run from its start-up to its cleanup.

    `bus` receives every change of a job; a silent event stream sends a comment every `heartbeat`
    seconds; a message that a webhook did not take is sent again after `webhook_pause` seconds.
    Start-up raises `UsageError` for an output folder or a secret that cannot be used.
    """
    app = web.Application(middlewares=[error_middleware], handler_args=_HANDLER_ARGS)
    routes = add_routes(app.router, ROUTES)
    app[keys.ROUTES] = ROUTES
    app[keys.SETTINGS] = settings
    app[keys.FOLDERS] = Folders(expand(settings.output).absolute())
    app[keys.BUS] = bus or Bus()
    app[_REPOSITORY] = locate(settings)
    app[keys.MODELS] = app[_REPOSITORY].models
    app[keys.HASHES] = Hashes(app[keys.FOLDERS].hashes)
    app[keys.DECODERS] = asyncio.Semaphore(MAX_DECODERS)
    app[ACCESS] = AccessPolicy(settings, routes)
    app[PROXIES] = Proxies(settings)
    app[KNOWN_REQUESTS] = known_requests()
    app[WAITING] = Waiting(app, keep_abandoned=settings.keep_abandoned)
    app[ERROR_SHAPES] = {
        **dict.fromkeys(OPENAI_PATHS, error_response),
        a1111_errors.PREFIX: a1111_errors.shape,
    }
    app[GENERATIONS] = Generations()
    app[CURRENT] = CurrentModel()
    app[HUB] = EventHub(app[keys.BUS], heartbeat=heartbeat)
    app[METRICS] = Metrics(app[keys.BUS])
    app[TRAFFIC] = Traffic(app[METRICS].registry, routes)
    app[READINESS] = Readiness()
    app[THUMBNAILS] = Thumbnails(app[keys.DECODERS], max_pixels=settings.max_pixels)
    app.middlewares.append(app[ACCESS].middleware)
    app.middlewares.append(second_address)
    cors.enable(app, settings, routes)
    app.on_response_prepare.append(security.secure)
    app.on_response_prepare.append(a1111_errors.challenge)
    app.on_shutdown.append(events.close)
    app.on_shutdown.append(_end_waits)
    app.cleanup_ctx.append(_run_jobs)
    app.cleanup_ctx.append(partial(_send_webhooks, pause=webhook_pause))
    return app


async def _run_jobs(app: web.Application) -> AsyncIterator[None]:
    settings, folders, repository = app[keys.SETTINGS], app[keys.FOLDERS], app[_REPOSITORY]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(folders))
        app[keys.LIMITATIONS] = await asyncio.to_thread(_limitations, store, folders)
        await asyncio.to_thread(kill_orphans, store.folder_id)  # before their files are read
        local = await local_executor(settings, repository, owner=store.folder_id)
        stack.callback(app[keys.HASHES].close)
        app[keys.EXECUTOR] = executor = await _executor(app, local, stack)
        if settings.preload:
            executor.preload()
        service = JobService(
            store=store,
            executor=executor,
            folders=folders,
            bus=app[keys.BUS],
            max_waiting=settings.max_queue,
            max_pixels=settings.max_pixels,
            models=app[keys.MODELS],
            decoders=app[keys.DECODERS],
            job_timeout=settings.job_timeout,
            stall_timeout=settings.stall_timeout,
            metadata=settings.metadata,
            previews=settings.previews,
            suspects=settings.concurrency > 0,
            keep_days=settings.keep_days,
            keep_bytes=settings.keep_bytes,
        )
        stack.push_async_callback(service.stop)
        await service.start(delete_incomplete=settings.delete_incomplete)
        app[keys.JOBS] = service
        yield
        await app[WAITING].close()


async def _executor(app: web.Application, local: LocalExecutor, stack: AsyncExitStack) -> Executor:
    """Return what runs the jobs: `local`, or a cluster; it is closed with `stack`."""
    settings, repository = app[keys.SETTINGS], app[_REPOSITORY]
    if not has_cluster(settings):
        stack.push_async_callback(_close, local)
        return local
    executor = cluster_executor(settings, local, repository, app[keys.HASHES])
    stack.push_async_callback(_close, executor)
    await executor.start(front_of(settings, executor))
    own = repository.models if settings.concurrency else None
    app[keys.MODELS] = SharedCatalog(own, executor.models)
    return executor


async def _close(executor: Executor) -> None:
    """Close an executor, in a bounded time."""
    closing = asyncio.create_task(executor.close())
    await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
    if not closing.done():
        _log.error("The processes of jobs have not ended within %g seconds.", _CLOSE_SECONDS)
        return
    closing.result()


async def _send_webhooks(app: web.Application, *, pause: float) -> AsyncIterator[None]:
    sending = sender.Sender(app[keys.JOBS], app[keys.SETTINGS], first_pause=pause)
    task = asyncio.create_task(sending.serve())
    yield
    task.cancel()
    await asyncio.wait([task])


async def _end_waits(app: web.Application) -> None:
    """Answer the requests that wait for a job, so that they do not delay a stop."""
    app[keys.JOBS].end_waits()


def _limitations(store: Store, folders: Folders) -> list[str]:
    found = list(store.limitations())
    return found if links.has_links(folders.work) else [*found, links.COPIES]
