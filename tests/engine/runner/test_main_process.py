import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from sdrest.engine.runner import main

pytestmark = pytest.mark.integration

WAIT = """
import os, sys
print(os.getpgrp() == os.getpid(), file=sys.stderr, flush=True)
sys.stdin.readline()
"""


class Process:
    """A runner started by hand, as the server starts it."""

    def __init__(self) -> None:
        jobs, self._jobs = os.pipe()
        events, sender = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-u", main.__file__, str(jobs), str(sender), "1"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(jobs, sender),
            start_new_session=True,
        )
        os.close(jobs)
        os.close(sender)
        self.events = os.fdopen(events)

    def send(self, script: Path) -> None:
        job: dict[str, Any] = {
            "id": "1",
            "script": str(script),
            "arguments": [],
            "path": [],
            "cwd": "/",
            "seed": None,
            "takes_precision": False,
            "preload": False,
            "sampling": {},
        }
        os.write(self._jobs, json.dumps(job).encode() + b"\n")

    def next_event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(next(line for line in self.events if line.strip()))
        return event

    @property
    def stderr(self) -> IO[bytes]:
        assert self.process.stderr
        return self.process.stderr

    def end_of_server(self) -> int:
        os.close(self._jobs)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.events.close()


@pytest.fixture
def running() -> Iterator[Process]:
    process = Process()
    yield process
    process.close()


def test_the_end_of_the_server_kills_a_busy_runner(running: Process, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(WAIT)
    assert running.next_event() == {"event": "ready"}
    running.send(script)
    assert running.next_event() == {"event": "started", "id": "1"}
    assert running.stderr.readline() == b"True\n"
    assert running.end_of_server() == -signal.SIGKILL


def test_the_end_of_the_server_kills_an_idle_runner(running: Process, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('done')")
    running.send(script)
    events = [running.next_event()["event"] for _ in range(3)]
    assert events == ["ready", "started", "finished"]
    assert running.end_of_server() == -signal.SIGKILL


def test_garbage_from_the_server_ends_the_runner(running: Process) -> None:
    assert running.next_event() == {"event": "ready"}
    os.write(running._jobs, b"no job\n")
    assert running.process.wait(timeout=30) == -signal.SIGKILL
    os.close(running._jobs)
