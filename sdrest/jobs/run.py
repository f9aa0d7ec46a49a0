"""One run of one job: from a claimed row to its outcome."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from enum import Enum, auto, unique
from pathlib import Path
from typing import TypeVar, assert_never

from sdrest.engine.base import (
    Event,
    Finished,
    ImageReady,
    Output,
    Preview,
    Progress,
    Requeue,
    Started,
    Task,
)
from sdrest.errors import Failure, FailureCode, StorageUnavailableError
from sdrest.execution import execute
from sdrest.jobs import failures, inputs, results
from sdrest.jobs.bus import Change
from sdrest.jobs.context import BEGINNING, STORAGE_SECONDS, QueueContext, Stopped
from sdrest.jobs.model import Job
from sdrest.jobs.progress import advance
from sdrest.jobs.space import finish_or_full
from sdrest.jobs.waits import reschedule
from sdrest.params import PARAMS_BY_TYPE

_MORE_RUNS = 2
"""How often a script runs again because somebody removed its files meanwhile."""

_SCRIPT, _PICTURES = "script", "pictures"
"""What is in a work folder: the script's own one, and links to the job's pictures."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


@unique
class RunOutcome(Enum):
    """How a run ends that has not failed."""

    COMPLETE = auto()
    CANCELLED = auto()
    INTERRUPTED = auto()


Outcome = RunOutcome | Failure

_SIGNALLED = {
    *(FailureCode.KILLED, FailureCode.SCRIPT_FAILED),
    *(FailureCode.IMAGES_MISSING, FailureCode.PYTHON_MISSING),
}
"""Codes of failures that a signal to a script may cause."""


class JobRun:
    """A run of `job`, which is claimed.

    `peak_rss` is the most memory in bytes that its script had, once it is known; `warm` says that
    the script's process had run others before. The timeouts begin when the script starts.
    """

    def __init__(self, context: QueueContext, job: Job) -> None:
        self._context = context
        self._job = job
        self.peak_rss: int | None = None
        self.warm = False
        self._has_progress = False
        self._requeue = Requeue.NO
        self._images = 0
        self._job_timeout = asyncio.timeout(None)
        self._stall_timeout = asyncio.timeout(None)

    async def outcome(self) -> Outcome:
        """Run the job to its end. Never raises, but for a cancellation."""
        outcome = await self._execute_within_limits()
        if isinstance(outcome, Failure) and await self._should_requeue(outcome):
            return RunOutcome.INTERRUPTED
        self._context.losses.forget(self._job.key)
        return failures.LOST if self._requeue is Requeue.YES else outcome

    async def _should_requeue(self, failure: Failure) -> bool:
        """Return whether the task is not at fault: its machine was lost, or the server stops.

        A stop may signal all processes, and the script's end may be seen before the server's own
        signal. During a stop a script that fails by itself cannot be distinguished from one that
        was signalled: the job runs again, so nothing is lost.
        """
        if self._requeue is Requeue.YES:
            _log.warning("Job %s is requeued: %s", self._job.key.id, failure.local_message)
            return await self._context.losses.may_run_again(self._job.key)
        if failure.code not in _SIGNALLED:
            return False
        if self._context.stopping.is_set():
            return True
        return self._requeue is Requeue.IF_STOPPING and await self._context.stop_follows()

    async def _execute_within_limits(self) -> Outcome:
        try:
            async with self._job_timeout, self._stall_timeout:
                return await self._execute()
        except Stopped:
            return RunOutcome.INTERRUPTED
        except Exception as error:  # noqa: BLE001 (any error ends this job only)
            return self._failure(error)

    def _failure(self, error: Exception) -> Failure:
        """Return the failure of a run that ended with `error`, and log it."""
        job_id = self._job.key.id
        if isinstance(error, TimeoutError) and self._job_timeout.expired():
            return failures.timed_out(self._context.job_timeout)
        if isinstance(error, TimeoutError) and self._stall_timeout.expired():
            return failures.stalled(self._context.stall_timeout)
        if isinstance(error, StorageUnavailableError):
            _log.warning("Job %s: %s", job_id, error.__cause__ or error)
            return failures.no_room(error, STORAGE_SECONDS)
        _log.error("Job %s", job_id, exc_info=error)
        return failures.INTERNAL

    async def _execute(self) -> Outcome:
        """Run the script; again where what it wrote was removed meanwhile, since that fails."""
        for _ in range(_MORE_RUNS):
            outcome = await self._attempt()
            if not await asyncio.to_thread(self._lost_files, outcome):
                return outcome
            _log.warning(
                "Job %s: files were removed while it ran; it starts over.", self._job.key.id
            )
            self._context.progress[self._job.key] = BEGINNING
            self._context.previews.drop(self._job.key)
        return await self._attempt()

    async def _attempt(self) -> Outcome:
        try:
            return await self._run_script()
        except TimeoutError:
            raise
        except OSError as error:
            _log.warning("Job %s: %s", self._job.key.id, error)
            return failures.storage_failed(error)

    def _lost_files(self, outcome: Outcome) -> bool:
        """Whether work folder or images are gone, but not the output folder with them."""
        folders, job = self._context.folders, self._job
        if outcome is RunOutcome.COMPLETE:
            return bool(results.missing(folders, job))
        if not isinstance(outcome, Failure):
            return False
        return folders.database.exists() and not self._workdir.is_dir()

    async def _run_script(self) -> Outcome:
        self._images = 0
        self._requeue = Requeue.NO
        failure = await self._retry_until_stored(lambda: finish_or_full(self._prepare))
        if failure is not None:
            return failure
        events = execute(
            self._context.executor,
            self._task(),
            folder=self._workdir,
            with_metadata=self._context.metadata,
        )
        async with aclosing(events):
            async for event in events:
                self._postpone_stall()
                outcome = await self._take(event)
                if outcome is not None:
                    return outcome
        raise RuntimeError("The executor ended without a result")

    @property
    def _workdir(self) -> Path:
        return self._context.folders.workdir(self._job.key, self._job.attempts)

    def _prepare(self) -> Failure | None:
        """Make the folders, link the inputs, remove images that are no longer listed."""
        folders, job = self._context.folders, self._job
        folders.create_inside()
        inputs.remove(self._workdir)
        for name in (_SCRIPT, _PICTURES):
            (self._workdir / name).mkdir(parents=True)
        try:
            kept = self._pictures(folders.inputs(job.key)).values()
            inputs.lend(kept, self._workdir / _PICTURES)
        except FileNotFoundError:
            return failures.INPUTS_GONE
        if not job.images:
            results.discard(folders, job.key, empty_folders=True)
        return None

    def _pictures(self, folder: Path) -> dict[str, Path]:
        return {name: folder / f"{name}.png" for name in inputs.names(self._job)}

    def _task(self) -> Task:
        job, pictures = self._job, self._pictures(self._workdir / _PICTURES)
        return Task(
            id=job.key.id,
            params=PARAMS_BY_TYPE[job.key.type].model_validate(job.params),
            seed=job.seed,
            workdir=self._workdir / _SCRIPT,
            image=pictures.get("image"),
            mask=pictures.get("mask"),
            previews=self._context.with_previews,
        )

    def _start_timeouts(self) -> None:
        if self._job_timeout.when() is None:
            reschedule(self._job_timeout, self._context.job_timeout)
        reschedule(self._stall_timeout, self._context.stall_timeout)

    def _postpone_stall(self) -> None:
        """Note that the script, if it has started, is not stuck."""
        if self._stall_timeout.when() is not None:
            reschedule(self._stall_timeout, self._context.stall_timeout)

    async def _take(self, event: Event) -> Outcome | None:
        """Act on an event; return the outcome if it is the last one."""
        match event:
            case Started(runner=runner, warm=warm):
                _log.debug("Job %s runs in runner %s.", self._job.key.id, runner)
                self.warm = warm
                self._start_timeouts()
                return None
            case Output():
                return None
            case Progress():
                if self._advance(event) or not self._has_progress:
                    self._has_progress = True
                    self._context.publish(Change.PROGRESS, self._job, warm=self.warm)
                return None
            case Preview():
                self._context.previews.put(self._job.key, event)
                self._context.publish(Change.PREVIEW, self._job, warm=self.warm)
                return None
            case ImageReady():
                return await self._list(event)
            case Finished():
                return self._end(event)
        assert_never(event)

    def _end(self, event: Finished) -> Outcome:
        self.peak_rss, self._requeue = event.peak_rss, event.requeue
        if event.peak_rss is not None:
            _log.debug("Job %s: its runner had %d MiB.", self._job.key.id, event.peak_rss // 2**20)
        if event.failure:
            if event.failure.path:  # clients do not see paths
                _log.warning("Job %s: %s", self._job.key.id, event.failure.local_message)
            return event.failure
        if self._images < self._job.total_images:
            return failures.images_missing(self._images, self._job.total_images)
        return RunOutcome.COMPLETE

    async def _list(self, event: ImageReady) -> Outcome | None:
        """Publish an image, then list it."""
        context, key, index = self._context, self._job.key, event.index
        size = await self._retry_until_stored(
            lambda: finish_or_full(lambda: results.publish(context.folders, key, index, event.path))
        )
        job = await self._retry_until_stored(
            lambda: context.store.list_image(
                key, index, is_flagged=event.flagged, attention=event.attention, size=size
            )
        )
        if job is None:  # the job was deleted, or no longer runs
            return RunOutcome.INTERRUPTED
        self._job = job
        self._images = index
        self._has_progress = True
        context.previews.drop(key, up_to=index)
        self._advance(event)
        context.publish(Change.IMAGE, job, warm=self.warm)
        return None

    async def _retry_until_stored(self, change: Callable[[], Awaitable[T]]) -> T:
        """Repeat a change until the disk has room for it; meanwhile no script is stuck."""
        is_started = self._stall_timeout.when() is not None
        reschedule(self._stall_timeout, 0)
        try:
            return await self._context.retry_until_stored(
                change, self._job, seconds=STORAGE_SECONDS
            )
        finally:
            if is_started:
                reschedule(self._stall_timeout, self._context.stall_timeout)

    def _advance(self, event: Progress | ImageReady) -> bool:
        """Move the job's progress; return whether it has changed."""
        progress, key = self._context.progress, self._job.key
        before = progress[key]
        progress[key] = advance(before, event, self._job.total_images)
        return progress[key] != before
