"""One run of one job: from a claimed row to its outcome."""

import asyncio
import errno
import logging
from collections.abc import Callable
from contextlib import aclosing
from enum import Enum, auto, unique
from pathlib import Path
from typing import assert_never

from sdrest.engine.base import Event, Finished, ImageReady, Progress, Started, Task
from sdrest.engine.failures import not_started
from sdrest.engine.process import until_done
from sdrest.errors import Failure, FailureCode
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Job, Position
from sdrest.jobs.runtime import Runtime, Stopped
from sdrest.params import MODELS

_log = logging.getLogger(__name__)


@unique
class End(Enum):
    """How a run ends that has not failed."""

    COMPLETE = auto()
    CANCELLED = auto()
    INTERRUPTED = auto()


Outcome = End | Failure

_SIGNALLED = {
    *(FailureCode.KILLED, FailureCode.SCRIPT_FAILED),
    *(FailureCode.IMAGES_MISSING, FailureCode.PYTHON_MISSING),
}
"""Codes of failures that a signal to a script may cause."""


class Run:
    """A run of `job`, which its slot has claimed.

    `peak_rss` is how much memory its script had, in bytes, once it is known; `warm` whether the
    script's process had run others before.
    """

    def __init__(self, runtime: Runtime, job: Job) -> None:
        self._runtime = runtime
        self._job = job
        self.peak_rss: int | None = None
        self.warm = False
        self._begun = False
        self._signalled = False
        self._images = 0
        self._silence = asyncio.timeout(None)

    async def outcome(self) -> Outcome:
        """Run the job to its end. Never raises, but for a cancellation."""
        outcome = await self._attempt()
        if isinstance(outcome, Failure) and await self._was_stopped(outcome):
            return End.INTERRUPTED
        return outcome

    async def _was_stopped(self, failure: Failure) -> bool:
        """Return whether the script failed because the server stops.

        A stop may signal all processes, and the script's end may be seen before the server's own
        signal. During a stop nothing tells a script that fails by itself from one that was
        signalled: the job runs again, so nothing is lost.
        """
        if failure.code not in _SIGNALLED:
            return False
        if self._runtime.stopping.is_set():
            return True
        return self._signalled and await self._runtime.stop_follows()

    async def _attempt(self) -> Outcome:
        job_timeout = self._runtime.job_timeout or None
        stall_timeout = self._runtime.stall_timeout or None
        try:
            async with (
                asyncio.timeout(job_timeout) as deadline,
                asyncio.timeout(stall_timeout) as self._silence,
            ):
                return await self._execute()
        except Stopped:
            return End.INTERRUPTED
        except TimeoutError as error:
            if deadline.expired():
                return _timeout(job_timeout)
            return _stalled(stall_timeout) if self._silence.expired() else self._internal(error)
        except OSError as error:
            return self._storage_failed(error)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the end of this job only)
            return self._internal(error)

    async def _execute(self) -> Outcome:
        await _finish(self._prepare)
        async with aclosing(self._runtime.executor.run(self._task())) as events:
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

    def _prepare(self) -> None:
        """Make the work folder, look for the inputs, remove images that are listed no more."""
        folders, job = self._runtime.folders, self._job
        workdir = folders.workdir(job.key, job.attempts)
        inputs.remove(workdir)
        workdir.mkdir(parents=True)
        for picture in self._pictures().values():
            picture.stat()
        if not job.images:
            results.discard(folders, job.key)

    def _pictures(self) -> dict[str, Path]:
        folder = self._runtime.folders.inputs(self._job.key)
        return {name: folder / f"{name}.png" for name in self._job.key.type.uploads}

    def _task(self) -> Task:
        job, pictures = self._job, self._pictures()
        return Task(
            id=job.key.id,
            params=MODELS[job.key.type].model_validate(job.params),
            seed=job.seed,
            workdir=self._runtime.folders.workdir(job.key, job.attempts),
            image=pictures.get("image"),
            mask=pictures.get("mask"),
            heard=self._hear,
        )

    def _hear(self) -> None:
        """Note that the script is not stuck."""
        seconds = self._runtime.stall_timeout
        if seconds and not self._silence.expired():
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
                    self._runtime.tell(Change.PROGRESS, self._job, warm=self.warm)
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
                return failure or End.COMPLETE
        assert_never(event)

    async def _list(self, event: ImageReady) -> Outcome | None:
        """Publish an image, then list it."""
        runtime, key, index = self._runtime, self._job.key, event.index
        await _finish(lambda: results.publish(runtime.folders, key, index, event.path))
        job = await runtime.insist(
            lambda: runtime.store.list_image(key, index, is_flagged=event.flagged)
        )
        if job is None:  # the row is gone, or somebody else's now
            return End.INTERRUPTED
        self._job = job
        self._images = index
        self._begun = True
        self._advance(event)
        runtime.tell(Change.IMAGE, job, warm=self.warm)
        return None

    def _advance(self, event: Progress | ImageReady) -> bool:
        """Move the position; return whether it is another one now."""
        positions, key = self._runtime.positions, self._job.key
        before = positions[key]
        positions[key] = advance(before, event, self._job.total_images)
        return positions[key] != before

    def _storage_failed(self, error: OSError) -> Failure:
        _log.warning("Job %s: %s", self._job.key.id, error)
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            return not_started(error)
        return Failure(
            FailureCode.STORAGE_FAILED,
            f"The server could not use the job's files: {error.strerror or 'unknown reason'}. "
            "See that there is room on its disk and that it may write to its output folder; "
            "then send the request again.",
        )

    def _internal(self, error: Exception) -> Failure:
        _log.error("Job %s", self._job.key.id, exc_info=error)
        return Failure(FailureCode.INTERNAL, "The server failed at this job; its log says where.")


async def _finish(work: Callable[[], None]) -> None:
    """Do blocking work to its end, even if the run is cancelled meanwhile."""
    await until_done(asyncio.create_task(asyncio.to_thread(work)))


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
