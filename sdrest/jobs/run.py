"""One run of one job: from a claimed row to its outcome."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from enum import Enum, auto, unique
from pathlib import Path
from typing import TypeVar, assert_never

from sdrest.cancellation import until_done
from sdrest.engine.base import Event, Finished, ImageReady, Progress, Started, Task
from sdrest.errors import Failure, FailureCode, StorageUnavailableError, out_of_resources
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Change
from sdrest.jobs.context import BEGINNING, STORAGE_SECONDS, QueueContext, Stopped
from sdrest.jobs.model import Job, Position
from sdrest.jobs.space import is_full, storage_error
from sdrest.params import PARAMS_BY_TYPE

_MORE_RUNS = 2
"""How often a script runs again because somebody removed its files meanwhile."""

_SCRIPT, _PICTURES = "script", "pictures"
"""What is in a work folder: the script's own one, and links to the job's pictures."""

_INPUTS_GONE = "The job's pictures are gone. Send its request again."

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
    """A run of `job`, which its slot has claimed.

    `peak_rss` is how much memory its script had, in bytes, once it is known; `warm` whether the
    script's process had run others before.
    """

    def __init__(self, context: QueueContext, job: Job) -> None:
        self._context = context
        self._job = job
        self.peak_rss: int | None = None
        self.warm = False
        self._begun = False
        self._signalled = False
        self._held = False
        self._images = 0
        self._silence = asyncio.timeout(None)

    async def outcome(self) -> Outcome:
        """Run the job to its end. Never raises, but for a cancellation."""
        outcome = await self._execute_within_limits()
        if isinstance(outcome, Failure) and await self._was_stopped(outcome):
            return RunOutcome.INTERRUPTED
        return outcome

    async def _was_stopped(self, failure: Failure) -> bool:
        """Return whether the script failed because the server stops.

        A stop may signal all processes, and the script's end may be seen before the server's own
        signal. During a stop nothing tells a script that fails by itself from one that was
        signalled: the job runs again, so nothing is lost.
        """
        if failure.code not in _SIGNALLED:
            return False
        if self._context.stopping.is_set():
            return True
        return self._signalled and await self._context.stop_follows()

    async def _execute_within_limits(self) -> Outcome:
        job_timeout = self._context.job_timeout or None
        stall_timeout = self._context.stall_timeout or None
        try:
            async with (
                asyncio.timeout(job_timeout) as deadline,
                asyncio.timeout(stall_timeout) as self._silence,
            ):
                return await self._execute()
        except Stopped:
            return RunOutcome.INTERRUPTED
        except StorageUnavailableError as error:
            return self._no_room(error)
        except TimeoutError as error:
            if deadline.expired():
                return _timeout(job_timeout)
            return _stalled(stall_timeout) if self._silence.expired() else self._internal(error)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the end of this job only)
            return self._internal(error)

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
        return await self._attempt()

    async def _attempt(self) -> Outcome:
        try:
            return await self._run_script()
        except TimeoutError:
            raise
        except OSError as error:
            return self._storage_failed(error)

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
        failure = await self._insist(lambda: _finish(self._prepare))
        if failure is not None:
            return failure
        async with aclosing(self._context.executor.run(self._task())) as events:
            async for event in events:
                if isinstance(event, Finished):
                    self._weigh(event.peak_rss)
                    self._signalled = event.signalled
                outcome = await self._take(event)
                if outcome is not None:
                    return outcome
        raise RuntimeError("The executor ended without a result")

    def _weigh(self, peak_rss: int | None) -> None:
        self.peak_rss = peak_rss
        if peak_rss is not None:
            _log.debug("Job %s: its host had %d MiB.", self._job.key.id, peak_rss // 2**20)

    @property
    def _workdir(self) -> Path:
        return self._context.folders.workdir(self._job.key, self._job.attempts)

    def _prepare(self) -> Failure | None:
        """Make the folders, lend the inputs to the run, remove images that are listed no more."""
        folders, job = self._context.folders, self._job
        folders.create_inside()
        inputs.remove(self._workdir)
        for name in (_SCRIPT, _PICTURES):
            (self._workdir / name).mkdir(parents=True)
        kept = self._pictures(folders.inputs(job.key)).values()
        try:
            inputs.lend(kept, self._workdir / _PICTURES)
        except FileNotFoundError:
            return Failure(FailureCode.STORAGE_FAILED, _INPUTS_GONE)
        if not job.images:
            results.discard(folders, job.key, empty_folders=True)
        return None

    def _pictures(self, folder: Path) -> dict[str, Path]:
        return {name: folder / f"{name}.png" for name in self._job.key.type.uploads}

    def _task(self) -> Task:
        job, pictures = self._job, self._pictures(self._workdir / _PICTURES)
        return Task(
            id=job.key.id,
            params=PARAMS_BY_TYPE[job.key.type].model_validate(job.params),
            seed=job.seed,
            workdir=self._workdir / _SCRIPT,
            image=pictures.get("image"),
            mask=pictures.get("mask"),
            heard=self._hear,
        )

    def _hear(self) -> None:
        """Note that the script is not stuck."""
        seconds = self._context.stall_timeout
        if seconds and not self._held and not self._silence.expired():
            self._silence.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _take(self, event: Event) -> Outcome | None:
        """Act on an event; return the outcome if it is the last one."""
        match event:
            case Started(warm=warm):
                self.warm = warm
                return None
            case Progress():
                if self._advance(event) or not self._begun:
                    self._begun = True
                    self._context.publish(Change.PROGRESS, self._job, warm=self.warm)
                return None
            case ImageReady():
                return await self._list(event)
            case Finished(failure=None) if self._images < self._job.total_images:
                return Failure(
                    FailureCode.IMAGES_MISSING,
                    f"The script made {self._images} of {self._job.total_images} images. "
                    "Send the request again; if that does not help, ask for fewer images.",
                )
            case Finished(failure=failure):
                if failure and failure.path:  # clients are not told of paths
                    _log.warning("Job %s: %s", self._job.key.id, failure.local_message)
                return failure or RunOutcome.COMPLETE
        assert_never(event)

    async def _list(self, event: ImageReady) -> Outcome | None:
        """Publish an image, then list it."""
        context, key, index = self._context, self._job.key, event.index
        await self._insist(
            lambda: _finish(lambda: results.publish(context.folders, key, index, event.path))
        )
        job = await self._insist(
            lambda: context.store.list_image(key, index, is_flagged=event.flagged)
        )
        if job is None:  # the row is gone, or somebody else's now
            return RunOutcome.INTERRUPTED
        self._job = job
        self._images = index
        self._begun = True
        self._advance(event)
        context.publish(Change.IMAGE, job, warm=self.warm)
        return None

    async def _insist(self, change: Callable[[], Awaitable[T]]) -> T:
        """Repeat a change until the disk has room for it; the script's silence does not count."""
        self._held = True
        if self._context.stall_timeout and not self._silence.expired():
            self._silence.reschedule(None)
        try:
            return await self._context.retry_until_stored(
                change, self._job, seconds=STORAGE_SECONDS
            )
        finally:
            self._held = False
            self._hear()

    def _advance(self, event: Progress | ImageReady) -> bool:
        """Move the position; return whether it is another one now."""
        progress, key = self._context.progress, self._job.key
        before = progress[key]
        progress[key] = advance(before, event, self._job.total_images)
        return progress[key] != before

    def _storage_failed(self, error: OSError) -> Failure:
        _log.warning("Job %s: %s", self._job.key.id, error)
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            return out_of_resources(error)
        return Failure(
            FailureCode.STORAGE_FAILED,
            f"The server could not use the job's files: {error.strerror or 'unknown reason'}. "
            "See that there is room on its disk and that it may write to its output folder; "
            "then send the request again.",
        )

    def _no_room(self, error: StorageUnavailableError) -> Failure:
        _log.warning("Job %s: %s", self._job.key.id, error.__cause__ or error)
        return Failure(
            FailureCode.STORAGE_FAILED,
            f"The job waited {STORAGE_SECONDS / 60:g} minutes for the server's disk. "
            f"{error.message} Then send the request again.",
        )

    def _internal(self, error: Exception) -> Failure:
        _log.error("Job %s", self._job.key.id, exc_info=error)
        return Failure(FailureCode.INTERNAL, "The server failed at this job; its log says where.")


async def _finish(work: Callable[[], T]) -> T:
    """Do blocking work to its end, even if the run is cancelled meanwhile.

    Raises `StorageUnavailableError` where the disk is full.
    """
    try:
        return await until_done(asyncio.create_task(asyncio.to_thread(work)))
    except OSError as error:
        if is_full(error):
            raise storage_error(error) from error
        raise


def advance(position: Position, event: Progress | ImageReady, total: int) -> Position:
    """Return the position after an event; it never goes back.

    As in the original, the bar of an image does not reach 1 before its file is there: then the
    next image begins, and after the last one the fraction stays 1.
    """
    match event:
        case ImageReady(index=index) if index >= total:
            reached = Position(total, 1.0)
        case ImageReady(index=index):
            reached = Position(index + 1, 0.0)
        case Progress(fraction=fraction) if fraction >= 1:
            return position
        case Progress(index=index, fraction=fraction):
            reached = Position(index, fraction)
    return max(position, reached, key=lambda place: (place.index, place.fraction))


def _timeout(seconds: float | None) -> Failure:
    return Failure(
        FailureCode.TIMEOUT,
        f"The job was ended after {seconds:g} seconds. Ask for fewer steps or images, or start "
        "the server with a longer --job-timeout.",
    )


def _stalled(seconds: float | None) -> Failure:
    return Failure(
        FailureCode.STALLED,
        f"The script wrote nothing for {seconds:g} seconds and was ended. Send the request again, "
        "or start the server with a longer --stall-timeout.",
    )
