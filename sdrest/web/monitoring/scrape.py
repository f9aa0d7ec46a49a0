"""`GET /metrics`: what has happened since the start, and how things stand, for Prometheus."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import psutil
from aiohttp import hdrs, web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from sdrest import __version__
from sdrest.engine.base import PoolStats
from sdrest.engine.workers import Offer, WorkerInfo
from sdrest.errors import StorageUnavailableError
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.web import keys
from sdrest.web.monitoring.metrics import METRICS, Metrics
from sdrest.web.monitoring.workers import LOCAL, machines, state
from sdrest.web.responses.server_answers import WorkerState

_MOST_WORKERS = 100
"""Workers with a label of their own."""

_OTHER_WORKERS = "(others)"

Counts = Mapping[tuple[Status, JobType], int]


@dataclass(frozen=True, slots=True)
class Process:
    """The server's own process: seconds since the epoch, seconds, bytes."""

    started: float = 0.0
    cpu: float = 0.0
    resident: int = 0
    virtual: int = 0
    files: int = 0
    most_files: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand; what cannot be known now is None."""

    jobs: Counts | None
    runners: PoolStats
    process: Process | None
    workers: Sequence[WorkerInfo]


NOTHING = Standing(
    {(status, kind): 0 for status in Status for kind in JobType},
    PoolStats(0, 0, 0),
    Process(),
    [WorkerInfo(LOCAL, "", {}, 0, 0, Offer(LOCAL, 1, "", 0))],
)
"""The state of a server that has done nothing, with all names and labels."""


async def send_metrics(request: web.Request) -> web.Response:
    """Answer all metrics, in the format that the client accepts."""
    app = request.app
    jobs, runners, process = await asyncio.gather(
        _jobs(app), app[keys.EXECUTOR].stats(), asyncio.to_thread(_process)
    )
    standing = Standing(jobs, runners, process, machines(app[keys.EXECUTOR], runners))
    families = list(everything(app[METRICS], standing))
    try:
        write, content_type = choose_encoder(", ".join(request.headers.getall(hdrs.ACCEPT, ())))
    except TypeError:  # prometheus_client 0.23 compares a version that is not a number
        write, content_type = choose_encoder("")
    body = await asyncio.to_thread(write, _Families(families))
    headers = {
        hdrs.CONTENT_TYPE: content_type,
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.VARY: hdrs.ACCEPT,
    }
    return web.Response(body=body, headers=headers)


def everything(metrics: Metrics, standing: Standing) -> Iterator[Metric]:
    """Yield all families. Pure, but for what `metrics` has counted."""
    yield InfoMetricFamily("sdrest_build", "The version of sdrest.", {"version": __version__})
    yield from _of_jobs(standing.jobs)
    yield from metrics.collect()
    yield from _of_runners(standing.runners)
    yield from _of_workers(standing.workers)
    yield from _of_process(standing.process)


@dataclass(frozen=True, slots=True)
class _Families:
    """What the library's writers take."""

    families: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


async def _jobs(app: web.Application) -> Counts | None:
    try:
        return await app[keys.JOBS].counts()
    except StorageUnavailableError:
        return None


def _process() -> Process | None:
    """Look at this process, by psutil: the library's own collector works on Linux only."""
    try:
        process = psutil.Process()
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
            return Process(
                started=process.create_time(),
                cpu=times.user + times.system,
                resident=memory.rss,
                virtual=memory.vms,
                files=process.num_fds(),
                most_files=_most_files(),
            )
    except (psutil.Error, OSError):  # no more files, for example
        return None


def _most_files() -> float:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def _of_jobs(counts: Counts | None) -> Iterator[Metric]:
    if counts is None:
        return
    jobs = GaugeMetricFamily(
        "sdrest_jobs", "Jobs in the table, by status.", labels=["type", "status"]
    )
    for (status, job_type), number in counts.items():
        jobs.add_metric([job_type, status], number)
    yield jobs
    waiting = sum(counts[Status.QUEUED, job_type] for job_type in JobType)
    yield GaugeMetricFamily("sdrest_queue_length", "Jobs that wait.", waiting)


def _of_runners(runners: PoolStats) -> Iterator[Metric]:
    number = GaugeMetricFamily(
        "sdrest_hosts",
        "Processes that run scripts: busy with one, or idle and keeping a model.",
        labels=["state"],
    )
    number.add_metric(["busy"], runners.busy)
    number.add_metric(["idle"], runners.idle)
    yield number
    yield GaugeMetricFamily(
        "sdrest_hosts_resident_memory_bytes", "Memory of all these processes.", runners.memory
    )


def _of_workers(workers: Sequence[WorkerInfo]) -> Iterator[Metric]:
    """Yield the families by worker; workers beyond the first ones count together."""
    states = GaugeMetricFamily("sdrest_workers", "Machines that run jobs.", labels=["state"])
    number = Counter(map(state, workers))
    for one in get_args(WorkerState):
        states.add_metric([one], number[one])
    yield states
    texts = {
        "sdrest_worker_capacity": "How many jobs a machine runs at once.",
        "sdrest_worker_jobs": "How many jobs it runs.",
        "sdrest_worker_resident_memory_bytes": "Memory of its processes that run scripts.",
    }
    values: dict[str, Counter[str]] = {name: Counter() for name in texts}
    named = dict.fromkeys(worker.name for worker in workers)
    labels = set(list(named)[:_MOST_WORKERS])
    for worker in workers:
        label = worker.name if worker.name in labels else _OTHER_WORKERS
        capacity = worker.offer.capacity if worker.offer else 0
        amounts = (capacity, max(worker.busy, len(worker.runs)), worker.memory)
        for name, amount in zip(texts, amounts, strict=True):
            values[name][label] += amount
    for name, text in texts.items():
        family = GaugeMetricFamily(name, text, labels=["worker"])
        for label, amount in values[name].items():
            family.add_metric([label], amount)
        yield family


def _of_process(process: Process | None) -> Iterator[Metric]:
    if process is None:
        return
    yield CounterMetricFamily(
        "process_cpu_seconds", "User and system time of the server.", process.cpu
    )
    gauges = {
        "start_time_seconds": ("When the server started, since the epoch.", process.started),
        "resident_memory_bytes": ("Memory of the server.", process.resident),
        "virtual_memory_bytes": ("Virtual memory of the server.", process.virtual),
        "open_fds": ("Open files of the server.", process.files),
        "max_fds": ("Most files that the server may open.", process.most_files),
    }
    for name, (text, value) in gauges.items():
        yield GaugeMetricFamily(f"process_{name}", text, value)
