"""What happened to jobs, as Prometheus's counters and histograms: a view of the event bus.

They begin at 0 with the server, for every value that a label may have. `scrape.py` adds how things
stand when it is asked, and writes it all down.
"""

import time
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector
from prometheus_client.metrics_core import Metric

from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Status
from sdrest.web.monitoring.phases import Phase, PhaseTimer

PLAIN = "text/plain"
OPENMETRICS = "application/openmetrics-text"
"""The media types of the formats in which they are exposed."""

HOSTS = {False: "cold", True: "warm"}
"""The label `host`: whether the script's process had run others before."""

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1200, 1800, 3600)
"""Buckets from a bundled engine's image to an hour."""

_HISTOGRAMS = {
    Phase.QUEUED: (
        "sdrest_job_queued_seconds",
        "Seconds from a job's request to the start of its first run.",
    ),
    Phase.LOADING: (
        "sdrest_job_loading_seconds",
        "Seconds from the start of a run to the script's first bar (imports, the model).",
    ),
    Phase.SAMPLING: (
        "sdrest_image_sampling_seconds",
        "Seconds that each image takes, from the first bar or the image before it.",
    ),
    Phase.RUN: (
        "sdrest_job_run_seconds",
        "Seconds from the start of a run to its end, of jobs that are COMPLETE.",
    ),
}
_BY_HOST = {Phase.LOADING, Phase.RUN}


class Metrics:
    """Counts the events of `bus` in `registry`, where others may count as well."""

    def __init__(self, bus: Bus) -> None:
        self.registry = CollectorRegistry()
        self._stopwatch = PhaseTimer()
        self._finished = Counter(
            "sdrest_jobs_finished",
            "Jobs that came to their end, by the status that they have then.",
            ["type", "status"],
            registry=self.registry,
        )
        self._failures = Counter(
            "sdrest_job_failures",
            "Jobs that FAILED, by the code of their error.",
            ["code"],
            registry=self.registry,
        )
        self._images = Counter(
            "sdrest_images",
            "Images that were made and published.",
            ["type"],
            registry=self.registry,
        )
        self._seconds = {
            phase: Histogram(
                name,
                text,
                ["type", "host"] if phase in _BY_HOST else ["type"],
                buckets=_SECONDS,
                registry=self.registry,
            )
            for phase, (name, text) in _HISTOGRAMS.items()
        }
        self._begin_at_zero()
        PlatformCollector(self.registry)
        GCCollector(self.registry)
        bus.subscribe(self._note)

    def collect(self) -> Iterator[Metric]:
        """Yield the families. The `_created` times are left out: they have no use here."""
        for family in self.registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family

    def _begin_at_zero(self) -> None:
        for code in FailureCode:
            self._failures.labels(code)
        for job_type in JobType:
            self._images.labels(job_type)
            for status in Status:
                if status.final:
                    self._finished.labels(job_type, status)
            for phase in Phase:
                for warm in HOSTS:
                    self._histogram(phase, job_type, warm=warm)

    def _histogram(self, phase: Phase, job_type: JobType, *, warm: bool) -> Histogram:
        values = (job_type, HOSTS[warm]) if phase in _BY_HOST else (job_type,)
        return self._seconds[phase].labels(*values)

    def _note(self, event: JobEvent) -> None:
        job = event.snapshot.job
        for lap in self._stopwatch.laps(event, time.monotonic()):
            histogram = self._histogram(lap.phase, job.key.type, warm=event.warm)
            for _ in range(lap.times):
                histogram.observe(lap.seconds)
        if event.change is Change.IMAGE:
            self._images.labels(job.key.type).inc()
        elif event.change is Change.FINISHED:
            self._finished.labels(job.key.type, job.status).inc()
            if job.failure is not None:
                self._failures.labels(job.failure.code).inc()


METRICS = web.AppKey("metrics", Metrics)
