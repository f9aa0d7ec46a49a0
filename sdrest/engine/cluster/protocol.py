"""What the front and its workers say to each other, as plain values that Dask carries.

A worker adds the coroutines of its `Engine` to the handlers of its `distributed.Worker`, each as
`sdrest_` and its name (`CALLS`). The front calls them over connections of their own; each call
takes and returns what msgpack carries: texts, numbers, bytes, None, dicts and lists (which arrive
as tuples). Nothing is pickled, and nothing passes through Dask's scheduler, which only knows who is
there. `front` is the id of a running front.

- `connect(front, versions)`: end all runs that this front began earlier; return the worker's
  versions and its offer: `{"versions": …, "offer": …}`. Where `refusal` says that the two do not
  fit together, `offer` is None, the worker says so on its terminal, and no other call follows.
- `offer(front)`: return its offer.
- `status(front, since)`: wait for another status than the one numbered `since`, `POLL_SECONDS` at
  most; return the latest. Returns None to a front that the worker does not know: it was given up,
  or the worker was started again at its old address. Then the front connects again.
- `start(front, run, task)`: begin a task, and return at once. `run` is a name that no other run
  has. A run that is there goes on; one that was cancelled, even before it began, never begins.
- `events(front, run, since)`: wait for events of a run from number `since` (0 is the first) on,
  `POLL_SECONDS` at most; return a list, empty where nothing happened. The worker forgets those
  before `since`. Returns None for a run that is not there: it is lost.
- `cancel(front, run)`: end a run, and return when nothing of it is left.
- `preload(front)`, `unload(front)`: as in `Executor`.

Both sides watch each other by `status` alone, which is small and has a connection of its own: while
it is answered, a large image may take its time on a slow link. The front gives up a worker that has
not answered for `LOST_SECONDS`: its runs are lost, and run elsewhere. A worker ends the runs of a
front that has not called for `ABANDONED_SECONDS`, and all runs when its connection to the scheduler
ends: nobody waits for them.
"""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sdrest import __version__
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
from sdrest.engine.workers import Offer, OfferedModel
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.params import PARAMS_BY_TYPE

PROTOCOL = 1
"""The version of these messages."""

PREFIX = "sdrest_"
"""What the name of a handler begins with."""

CALLS = ("connect", "offer", "status", "start", "events", "cancel", "preload", "unload")

POLL_SECONDS = 2.0
"""Seconds for which a worker holds a call when it has nothing to say."""

LOST_SECONDS = 8.0
"""Seconds without a status after which the front gives up a worker."""

ABANDONED_SECONDS = 12.0
"""Seconds without a call of its front after which a worker ends a run."""

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Status:
    """How a worker is now; each new one has the next `number`, from 1.

    `runs` are the names of the runs that it has. `loaded` are the files of the checkpoints in its
    memory, as offers name them. `offer` is the number of its latest offer, from 1. `busy`, `idle`
    and `memory` are as in `PoolStats`. `draining` says that it takes no further runs, since it is
    about to stop; runs that it hands back end with `Requeue.YES`.
    """

    number: int
    runs: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    offer: int = 1
    busy: int = 0
    idle: int = 0
    memory: int = 0
    draining: bool = False


def versions() -> dict[str, str]:
    """Return what has to be the same on the front and on its workers."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"sdrest": __version__, "python": python, "protocol": str(PROTOCOL)}


def refusal(front: Mapping[str, str], worker: Mapping[str, str]) -> str:
    """Return why a front and a worker of these versions do not work together; '' if they do."""
    for name, title in (("sdrest", "sdrest"), ("python", "Python"), ("protocol", "the protocol")):
        ours, theirs = front.get(name, "unknown"), worker.get(name, "unknown")
        if ours != theirs:
            return (
                f"The worker has {title} {theirs}, the front has {ours}. Install the same version "
                "on both."
            )
    return ""


def encode_offer(offer: Offer) -> Message:
    """Return an offer as values."""
    values = asdict(offer)
    values["problems"] = {str(kind): encode_failure(one) for kind, one in offer.problems.items()}
    return values


def decode_offer(message: Message) -> Offer:
    """Return the offer of a message."""
    values = dict(message)
    values["models"] = tuple(map(_decode_model, message["models"]))
    values["problems"] = {
        JobType(kind): decode_failure(one) for kind, one in message["problems"].items()
    }
    return Offer(**values)


def _decode_model(message: Message) -> OfferedModel:
    types = {name: tuple(map(JobType, message[name])) for name in ("types", "defaults")}
    return OfferedModel(**{**message, **types})


def encode_status(status: Status) -> Message:
    """Return a status as values."""
    return asdict(status)


def decode_status(message: Message) -> Status:
    """Return the status of a message."""
    lists = {name: tuple(message[name]) for name in ("runs", "loaded")}
    return Status(**{**message, **lists})


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
