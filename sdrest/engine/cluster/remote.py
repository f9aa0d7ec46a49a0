"""Run a task on a worker: its pictures go there, its events and images come back."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from sdrest.cancellation import until_done
from sdrest.engine.base import Event, Finished, ImageReady, Requeue, Task
from sdrest.engine.cluster.link import Link, LostError
from sdrest.engine.cluster.protocol import decode_event, encode_task
from sdrest.errors import Failure, FailureCode, picture_failure


async def run(link: Link, task: Task) -> AsyncGenerator[Event, None]:
    """Yield the events of a task; see `Executor.run`."""
    with link.holding(task.id) as name:
        finished = False
        try:
            message = await asyncio.to_thread(encode_task, task)
            await link.ask("start", run=name, task=message)
            since = 0
            while not finished:
                answer = await link.events(name, since)
                since += len(answer)
                for one in answer:
                    event = await _decode(one, task, link.name)
                    finished = isinstance(event, Finished)
                    yield event
        except LostError:
            yield Finished(lost(link.name), requeue=Requeue.YES)
        except OSError as error:
            yield Finished(picture_failure(error))
        finally:
            if not finished:
                await link.cancel(name)


def lost(worker: str) -> Failure:
    """Return why a job ended whose worker is gone."""
    return Failure(FailureCode.KILLED, f"The worker {worker} does not answer any more.")


async def _decode(message: Mapping[str, Any], task: Task, worker: str) -> Event:
    if message["event"] != "image":
        return decode_event(message, task.workdir, worker)
    writing = asyncio.to_thread(decode_event, message, task.workdir, worker)
    event = await until_done(asyncio.create_task(writing))
    assert isinstance(event, ImageReady)  # noqa: S101
    return event
