"""`GET /workers`: the machines that run jobs, this one alone where there is no cluster."""

import asyncio
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import psutil
from aiohttp import web

from sdrest import __version__
from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import SHORT, Hashes
from sdrest.engine.base import Executor, PoolStats
from sdrest.engine.workers import Offer, OfferedModel, WorkerInfo
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.web import keys
from sdrest.web.responses.json_response import json_response
from sdrest.web.responses.render import iso_time
from sdrest.web.responses.server_answers import Worker, WorkerState

LOCAL = "local"
"""The name of this machine where it has no other."""

_MOST_JOBS = 64


async def send_workers(request: web.Request) -> web.Response:
    """Answer which machines there are, what they can run, and what they run now."""
    app = request.app
    executor = app[keys.EXECUTOR]
    found = machines(executor, await executor.stats())
    if not executor.workers():
        found = [await _described(app, one) for one in found]
    settings = app[keys.SETTINGS]
    cluster = settings.cluster or settings.scheduler or None
    return json_response({"cluster": cluster, "workers": [entry(one) for one in found]})


def machines(executor: Executor, stats: PoolStats) -> Sequence[WorkerInfo]:
    """Return the executor's workers; without any, this machine, if it runs jobs.

    Of this machine it says only what costs nothing to know.
    """
    capacity = executor.capacity
    if executor.workers() or not capacity:
        return executor.workers()
    now = time.time()
    return [
        WorkerInfo(
            LOCAL,
            "",
            {"sdrest": __version__, "python": platform.python_version()},
            psutil.Process().create_time(),
            now,
            Offer(LOCAL, capacity, stats.device, psutil.virtual_memory().total),
            busy=stats.busy,
            idle=stats.idle,
            memory=stats.memory,
        )
    ]


def state(worker: WorkerInfo) -> WorkerState:
    """Return whether a worker takes jobs, and why not."""
    if worker.refused:
        return "refused"
    if worker.offer is None:
        return "connecting"
    if worker.lost:
        return "lost"
    return "draining" if worker.draining else "ready"


async def _described(app: web.Application, here: WorkerInfo) -> WorkerInfo:
    """Add what this machine has and runs."""
    executor, hashes = app[keys.EXECUTOR], app[keys.HASHES]
    health, stats = await asyncio.gather(executor.health(), executor.stats())
    snapshots, _ = await app[keys.JOBS].page(
        Status.IN_PROGRESS, None, before=None, limit=_MOST_JOBS
    )
    entries = [one for one in await asyncio.to_thread(app[keys.MODELS].entries) if one.usable]
    offer = replace(
        here.offer or Offer(LOCAL, 0, "", 0),
        models=await asyncio.to_thread(lambda: [_offered(one, hashes) for one in entries]),
        problems=health.problems,
        bundled=health.bundled,
    )
    return replace(
        here,
        offer=offer,
        runs=[snapshot.job.key.id for snapshot in snapshots],
        loaded=_loaded(entries, stats.models),
    )


def _offered(one: Checkpoint, hashes: Hashes) -> OfferedModel:
    digest = hashes.digest(one.path) or ""
    return OfferedModel(one.name, one.file, one.size, one.kind, digest, one.types, one.defaults)


def _loaded(entries: Iterable[Checkpoint], paths: frozenset[str]) -> Sequence[str]:
    return [one.file for one in entries if os.path.realpath(one.path) in paths]


def entry(worker: WorkerInfo) -> Worker:
    """Return a worker as JSON. Pure."""
    offer = worker.offer
    problems = {one.message: one.code for one in (offer.problems if offer else {}).values()}
    return {
        "accelerator": (offer.accelerator or None) if offer else None,
        "address": worker.address or None,
        "bundled": bool(offer and offer.bundled),
        "capacity": offer.capacity if offer else 0,
        "jobs": list(worker.runs),
        "lastSeen": iso_time(worker.last_seen),
        "memory": offer.memory if offer else None,
        "memoryUsed": worker.memory,
        "models": [
            {
                "name": one.name,
                "file": one.file,
                "hash": one.digest[:SHORT] or None,
                "types": list(one.types),
                "loaded": one.file in worker.loaded,
            }
            for one in (offer.models if offer else ())
        ],
        "name": worker.name,
        "problems": [{"code": code, "message": message} for message, code in problems.items()],
        "python": worker.versions.get("python"),
        "reason": worker.refused or None,
        "since": iso_time(worker.since),
        "state": state(worker),
        "types": [kind for kind in JobType if offer and kind not in offer.problems],
        "version": worker.versions.get("sdrest"),
        "warnings": list(worker.warnings),
    }
