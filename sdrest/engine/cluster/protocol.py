"""What the front and its workers say to each other, as plain values that Dask carries.

A worker runs one `Engine`, a Dask actor that the front creates. The front calls:

- `describe()`: the worker's `Offer`.
- `start(run, task)`: begin a task; `run` is a name that no other run has, also not of another
  front. A run that was cancelled before it began never begins.
- `events(run, since)`: wait for the events of a run from number `since` on, `POLL_SECONDS` at most;
  an empty list means that nothing happened. Events that the front has asked beyond are dropped.
- `cancel(run)`: end a run, and return when nothing of it is left.
- `status(since)`: wait for another `Status` than the one numbered `since`, `POLL_SECONDS` at most.
- `preload()`, `unload()`: as in `Executor`.

Both sides watch the other by these calls. The front gives up a worker that does not answer within
`LOST_SECONDS`: its runs are lost, and run elsewhere. A worker ends a run whose events nobody has
asked for in `ABANDONED_SECONDS`, so that a worker that was cut off does not work for nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.params import PARAMS_BY_TYPE

PROTOCOL = 1
"""The version of these messages; a front refuses workers of another."""

POLL_SECONDS = 2.0
"""Seconds for which a worker holds a call when it has nothing to say."""

LOST_SECONDS = 8.0
"""Seconds without an answer after which the front gives up a worker."""

ABANDONED_SECONDS = 12.0
"""Seconds without a call after which a worker ends a run."""

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A checkpoint that a worker has. `digest` is its SHA-256 in hex, empty until it is known.

    `file` is its path in the worker's `--models` folder, the name by which jobs choose it.
    `defaults` are the types of jobs that use it where they name none.
    """

    name: str
    file: str
    size: int
    digest: str
    types: Sequence[JobType]
    defaults: Sequence[JobType] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker is and has. `memory` is in bytes; `accelerator` is `cuda`, `mps` or `cpu`.

    `versions` are those of sdrest, Python and the protocol. `problems` are why jobs of a type would
    fail there now, by type. `bundled` says that its pictures come from the bundled engine.
    """

    name: str
    versions: Mapping[str, str]
    capacity: int
    accelerator: str
    memory: int
    models: Sequence[OfferedModel]
    problems: Mapping[JobType, Failure]
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """How a worker is now; each new one has the next `number`.

    `runs` are the names of the runs that it has. `loaded` are the files of the checkpoints in its
    memory. `draining` says that it takes no further runs, since it is about to stop.
    """

    number: int
    runs: Sequence[str]
    loaded: Sequence[str]
    busy: int
    idle: int
    memory: int
    draining: bool = False


def encode_task(task: Task) -> Message:
    """Return a task as values; its pictures as the bytes of their files. Blocks: it reads them."""
    return {
        "id": task.id,
        "type": str(task.params.type),
        "params": task.params.dump(),
        "seed": task.seed,
        "image": task.image.read_bytes() if task.image else None,
        "mask": task.mask.read_bytes() if task.mask else None,
        "previews": task.previews,
    }


def decode_task(message: Message, workdir: Path, inputs: Path) -> Task:
    """Return the task of a message; its pictures are written into `inputs`. Blocks."""
    files = {}
    for name in ("image", "mask"):
        if message[name] is not None:
            files[name] = inputs / f"{name}.png"
            files[name].write_bytes(message[name])
    return Task(
        message["id"],
        PARAMS_BY_TYPE[JobType(message["type"])].model_validate(message["params"]),
        message["seed"],
        workdir,
        files.get("image"),
        files.get("mask"),
        previews=message["previews"],
    )


def encode_event(event: Event) -> Message:
    """Return an event as values; an image as the bytes of its file. Blocks where it is one."""
    match event:
        case Started():
            return {"event": "started", "model": event.model, "warm": event.warm}
        case Output():
            return {"event": "output"}
        case Progress():
            return {"event": "progress", "index": event.index, "fraction": event.fraction}
        case Preview():
            return {
                "event": "preview",
                "index": event.index,
                "data": event.data,
                "media_type": event.media_type,
            }
        case ImageReady():
            return {
                "event": "image",
                "index": event.index,
                "data": event.path.read_bytes(),
                "flagged": event.flagged,
                "attention": event.attention,
            }
        case Finished():
            return {
                "event": "finished",
                "failure": encode_failure(event.failure) if event.failure else None,
                "peak_rss": event.peak_rss,
                "requeue": event.requeue.name,
            }


def decode_event(message: Message, workdir: Path, worker: str) -> Event:
    """Return the event of a message from `worker`; an image is written into `workdir`.

    Blocks where it is one.
    """
    match message["event"]:
        case "started":
            return Started(message["model"], worker, warm=message["warm"])
        case "output":
            return Output()
        case "progress":
            return Progress(message["index"], message["fraction"])
        case "preview":
            return Preview(message["index"], message["data"], message["media_type"])
        case "image":
            path = workdir / f"{message['index']}.png"
            path.write_bytes(message["data"])
            return ImageReady(
                message["index"],
                path,
                flagged=message["flagged"],
                attention=message["attention"],
            )
        case _:
            failure = message["failure"]
            return Finished(
                decode_failure(failure) if failure else None,
                message["peak_rss"],
                Requeue[message["requeue"]],
            )


def encode_failure(failure: Failure) -> Message:
    """Return a failure as values, without its path: that is one of another machine."""
    return {
        "code": str(failure.code),
        "message": failure.message,
        "details": dict(failure.details),
    }


def decode_failure(message: Message) -> Failure:
    """Return the failure of a message."""
    return Failure(FailureCode(message["code"]), message["message"], message["details"])
