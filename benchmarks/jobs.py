"""Jobs as a client sees them."""

import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.client import Connection, LoadError, Request

TEXT_TO_IMAGE = "/text-to-image"


class BadEndError(LoadError):
    """A job has failed or was cancelled."""


def request(prompt: str, **fields: Any) -> Request:
    """Return the request of a text-to-image job."""
    return Request(TEXT_TO_IMAGE, json.dumps({"prompt": prompt, **fields}).encode())


def submit(port: int, wanted: Request) -> str:
    """Send the request of a job and return the job's path."""
    with Connection(port) as connection:
        connection.ask(wanted)
        return connection.location


def await_status(port: int, job: str, status: str, *, seconds: float = 60.0) -> None:
    """Wait until a job has this status; raises `LoadError` if it fails or takes too long."""
    follow(port, job, lambda state: state["status"] in {status, "COMPLETE"}, seconds=seconds)


def follow(
    port: int,
    job: str,
    seen: Callable[[dict[str, Any]], bool],
    *,
    seconds: float,
    pause: float = 0.005,
) -> None:
    """Ask for a job until `seen` returns true for its JSON, which it gets when that changes.

    Raises `BadEndError` where the job comes to such an end first.
    """
    deadline = time.monotonic() + seconds
    before = b""
    with Connection(port) as connection:
        while True:
            answer = connection.ask(Request(job))
            if answer != before:
                before = answer
                state = json.loads(answer)
                if seen(state):
                    return
                if state["status"] in {"FAILED", "CANCELLED"}:
                    raise BadEndError(f"The job came to a bad end: {answer.decode()}")
            if time.monotonic() > deadline:
                raise LoadError(f"Not done within {seconds:g} seconds: {answer.decode()}")
            if pause:
                time.sleep(pause)


def complete(port: int, wanted: Request, *, seconds: float, pause: float) -> list[str]:
    """Send the request of a job, wait until it is COMPLETE and return its images' URLs."""
    urls: list[str] = []

    def seen(state: dict[str, Any]) -> bool:
        urls[:] = state.get("imageUrls", [])
        return bool(state["status"] == "COMPLETE")

    follow(port, submit(port, wanted), seen, seconds=seconds, pause=pause)
    return urls


def images(port: int, job: str) -> list[str]:
    """Return the URLs of a job's images."""
    with Connection(port) as connection:
        return list(json.loads(connection.ask(Request(job)))["imageUrls"])


def fetch(port: int, urls: list[str]) -> list[bytes]:
    """Return the bytes of images."""
    with Connection(port) as connection:
        return [connection.ask(Request(url)) for url in urls]
