"""Store and queue against a tiny model, through any order of events, stops and crashes."""

import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from sdrest.engine.base import Finished, Progress
from sdrest.errors import (
    ConflictError,
    Failure,
    FailureCode,
    GoneError,
    NotFoundError,
    QueueFullError,
)
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.support.jobs import (
    picture,
    value_of,
)
from tests.support.modelled_queue import MAX_WAITING, Expected, ModelledQueue, key_of

pytestmark = pytest.mark.integration


AGAIN = {Status.FAILED, Status.CANCELLED}

NAMES = st.sampled_from("abcdef")


class Machine(ModelledQueue):
    """What may happen to the queue, and what must hold after each."""

    @initialize()
    def begin(self) -> None:
        self.run(self.live())

    # What may happen

    @rule(name=NAMES, total=st.integers(1, 3))
    def submit(self, name: str, total: int) -> None:
        async def submit() -> None:
            known = self.jobs.get(name)
            fresh = known is None or known.status in AGAIN
            submission = await self.submission(name, total)
            self.home.events.clear()
            try:
                job = await self.home.submit(submission)
            except QueueFullError:
                assert fresh
                assert len(self.waiting) >= MAX_WAITING
                return
            if fresh:
                assert len(self.waiting) < MAX_WAITING
                self.deleted.discard(name)
                await self.waits(name, total)
            elif known is not None:
                assert (job.status, job.total_images) == (known.status, known.total)

        self.run(submit())

    async def waits(self, name: str, total: int) -> None:
        self.jobs[name] = Expected(Status.QUEUED, total)
        self.waiting.append(name)
        await self.next_claimed()

    @rule(name=NAMES)
    def retry(self, name: str) -> None:
        async def retry() -> None:
            known = self.jobs.get(name)
            self.home.events.clear()
            try:
                job = await self.home.jobs.retry(key_of(name))
            except GoneError:
                assert name in self.deleted
            except NotFoundError:
                assert known is None
            except ConflictError:
                assert known is not None
                assert known.status not in AGAIN
            except QueueFullError:
                assert len(self.waiting) >= MAX_WAITING
            else:
                assert known is not None
                assert known.status in AGAIN
                assert job.status is Status.QUEUED
                await self.waits(name, known.total)

        self.run(retry())

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        async def cancel() -> None:
            self.home.events.clear()
            try:
                snapshot = await self.home.jobs.cancel(key_of(name))
            except GoneError:
                assert name in self.deleted
            except NotFoundError:
                assert name not in self.jobs
            else:
                self.cancelled(name)
                assert snapshot.job.status is self.jobs[name].status
                await self.next_claimed()

        self.run(cancel())

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        async def delete() -> None:
            self.home.events.clear()
            try:
                await self.home.jobs.delete(key_of(name))
            except GoneError:
                assert name in self.deleted
            except NotFoundError:
                assert name not in self.jobs
            else:
                self.cancelled(name)
                del self.jobs[name]
                self.deleted.add(name)
                assert not self.home.folders.published(key_of(name)).exists()
                await self.next_claimed()

        self.run(delete())

    @precondition(lambda self: self.running)
    @rule(fraction=st.sampled_from([0.25, 0.5, 0.75]))
    def progress(self, fraction: float) -> None:
        index = min(self.reached + 1, self.jobs[self.running or ""].total)

        async def progress() -> None:
            await self.steps.put(lambda _: Progress(index, fraction))

        self.run(progress())

    @precondition(lambda self: self.running and self.reached < self.jobs[self.running].total)
    @rule()
    def image(self) -> None:
        self.reached += 1
        index = self.reached
        self.run(self.step(lambda task: picture(task, index), Change.IMAGE))
        expected = self.jobs[self.running or ""]
        expected.images = max(expected.images, index)

    @precondition(lambda self: self.running and self.reached == self.jobs[self.running].total)
    @rule()
    def finish(self) -> None:
        self.run(self.ends(lambda _: Finished(), Status.COMPLETE))

    @precondition(lambda self: self.running)
    @rule()
    def fail(self) -> None:
        failure = Failure(FailureCode.SCRIPT_FAILED, "No.")
        self.run(self.ends(lambda _: Finished(failure), Status.FAILED))

    @rule()
    def restart(self) -> None:
        async def restart() -> None:
            await self.context.__aexit__(None, None, None)
            self.interrupted(counts=False)
            await self.live()

        self.run(restart())

    @rule()
    def restart_and_delete_incomplete(self) -> None:
        async def restart() -> None:
            await self.context.__aexit__(None, None, None)
            self.running = None
            self.waiting.clear()
            self.jobs = {name: job for name, job in self.jobs.items() if job.status.final}
            await self.live(delete_incomplete=True)

        self.run(restart())

    @rule()
    def crash(self) -> None:
        """Go on with a copy of the folder as it is now, as after a kill."""

        async def crash() -> None:
            before = self.output
            self.lives += 1
            shutil.copytree(before, self.output)
            await self.context.__aexit__(None, None, None)
            shutil.rmtree(before)
            self.interrupted(counts=True)
            await self.live()

        self.run(crash())

    # What must hold after each

    @invariant()
    def the_queue_is_as_the_model(self) -> None:
        async def compare() -> None:
            for name in "abcdef":
                expected = self.jobs.get(name)
                if name in self.deleted:
                    with pytest.raises(GoneError):
                        await self.home.find(key_of(name))
                    continue
                snapshot = await self.home.find(key_of(name))
                if expected is None:
                    assert snapshot is None
                    continue
                assert snapshot is not None
                job = snapshot.job
                assert Expected(job.status, job.total_images, job.images, job.attempts) == expected
                assert (snapshot.progress is not None) == (name == self.running)
                queue_position = self.waiting.index(name) + 1 if name in self.waiting else None
                assert snapshot.queue_position == queue_position
                for number in range(1, job.images + 1):
                    path = await self.home.jobs.image(job.key, number)
                    assert path.read_bytes().endswith(f" {number}".encode())
            assert await self.home.waiting() == len(self.waiting)
            listed, page = await self.home.jobs.page(limit=len("abcdef"))
            assert {snapshot.job.key for snapshot in listed} == set(map(key_of, self.jobs))
            assert Counter(job.status for job in self.jobs.values()) == +Counter(page.counts)

        if self.lives or hasattr(self, "home"):
            self.run(compare())

    @invariant()
    def nothing_lies_about(self) -> None:
        if not hasattr(self, "home"):
            return
        folders = self.home.folders
        assert list(folders.spool.iterdir()) == []
        needed = {
            name for name, job in self.jobs.items() if job.status is not Status.COMPLETE
        }  # also of jobs that may run again
        assert {path.name for path in folders.all_inputs.iterdir()} == {
            f"image-to-image-{key_of(name).id}" for name in needed
        }
        for name in needed:
            assert value_of(folders.inputs(key_of(name)) / "image.png") == ord(name)
        assert len(list(folders.work.iterdir())) <= (self.running is not None)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
