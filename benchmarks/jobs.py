"""Jobs as a client sees them."""

import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.client import Connection, LoadError, Request

TEXT_TO_IMAGE = "/text-to-image"


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
    """Ask for a job until `seen` returns true for its JSON, which it gets when that changes."""
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
                    raise LoadError(f"The job came to a bad end: {answer.decode()}")
            if time.monotonic() > deadline:
                raise LoadError(f"Not done within {seconds:g} seconds: {answer.decode()}")
            if pause:
                time.sleep(pause)
