"""Stops that signal every process: systemd, a shutdown, a terminal that closes."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

import pytest

from tests.fakes.running import Lifeline
from tests.support.fake_fork import FAKE, MODEL, post
from tests.support.server import Serve

pytestmark = pytest.mark.integration

FLAGS = (*FAKE, *MODEL, "--grace", "0.1")


def rows(folder: Path) -> list[tuple[str, int]]:
    """Return status and attempts of every job, in the order of the queue."""
    path = folder / "output" / ".sdrest" / "jobs.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT status, attempts FROM jobs ORDER BY number").fetchall()


@pytest.mark.parametrize(
    ("behaviour", "numbers", "scripts_first"),
    [
        ("hang", (SIGTERM,), True),
        ("hang", (SIGTERM,), False),
        ("hang", (SIGINT,), True),
        ("hang", (SIGHUP,), True),
        ("hang", (SIGTERM, SIGHUP), True),
        ("hang", (SIGTERM, SIGHUP), False),
        ("need_child", (SIGTERM,), True),
        ("leave_at_sigterm code=143", (SIGTERM,), True),
    ],
)
async def test_a_stop_with_sigterm_to_every_process_loses_no_job(
    serve: Serve,
    lifeline: Lifeline,
    behaviour: str,
    numbers: tuple[Signals, ...],
    scripts_first: bool,
) -> None:
    async with serve(*FLAGS, warns=True) as server:
        await post(server, f"{behaviour} lifeline={lifeline.path}")
        await post(server, "next")
        await lifeline.pids(1)
        server.signal_all(*numbers, scripts_first=scripts_first)
        assert await server.ended() == 0
        assert "Interrupted, queued again..." in server.out.lines[-1]
        assert len([line for line in server.out.lines if "Starting..." in line]) == 1
    assert rows(server.folder) == [("QUEUED", 0), ("QUEUED", 0)]
    assert await lifeline.all_gone()


@pytest.mark.parametrize(
    ("behaviour", "number"),
    [
        ("hang", SIGTERM),
        ("hang", SIGINT),
        ("hang", SIGHUP),
        ("need_child", SIGTERM),
        ("need_child", SIGHUP),
        ("need_child", SIGKILL),
    ],
)
async def test_a_script_that_dies_just_before_the_stop_is_requeued(
    serve: Serve, tmp_path: Path, lifeline: Lifeline, behaviour: str, number: Signals
) -> None:
    async with serve(*FLAGS, warns=True) as server:
        await post(server, f"{behaviour} lifeline={lifeline.path}")
        await post(server, "next")
        (pid,) = await lifeline.pids(1)
        os.kill(pid, number)
        assert await lifeline.all_gone()
        assert await server.stop() == 0
        assert len([line for line in server.out.lines if "Starting..." in line]) == 1
    assert rows(tmp_path) == [("QUEUED", 0), ("QUEUED", 0)]


async def test_a_script_that_exits_silently_during_a_stop_is_requeued(
    serve: Serve, tmp_path: Path, lifeline: Lifeline
) -> None:
    async with serve(*FLAGS, "--grace", "60", warns=True) as server:
        await post(server, f"leave_at_sigterm code=0 lifeline={lifeline.path}")
        (pid,) = await lifeline.pids(1)
        server.process.send_signal(SIGTERM)
        await server.out.line("Stopping...")
        os.kill(pid, SIGTERM)
        assert await server.ended() == 0
    assert rows(tmp_path) == [("QUEUED", 0)]


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
async def test_a_script_killed_without_a_stop_fails(
    serve: Serve, lifeline: Lifeline, number: Signals
) -> None:
    async with serve(*FLAGS, warns=True) as server, server.client() as client:
        job = await post(server, f"hang lifeline={lifeline.path}")
        following = await post(server, "next")
        (pid,) = await lifeline.pids(1)
        os.kill(pid, number)
        await server.out.end_of(job.rpartition("/")[2])
        async with client.get(job) as answer:
            error = (await answer.json())["error"]
        assert error["code"] == "killed"
        assert f"The script was killed by {number.name}." in error["message"]
        await server.out.line(f"{following.rpartition('/')[2]} Done")


async def test_every_process_killed_at_once_leaves_the_job_to_the_next_start(
    serve: Serve, tmp_path: Path, lifeline: Lifeline
) -> None:
    async with serve(*FLAGS, warns=True, status=-SIGKILL) as server:
        await post(server, f"hang lifeline={lifeline.path}")
        await lifeline.pids(1)
        server.signal_all(SIGKILL)
        await server.ended()
    assert rows(tmp_path) == [("IN_PROGRESS", 1)]


@pytest.mark.parametrize("flags", [(), ("--preload",)])
async def test_a_stop_that_signals_an_idle_or_loading_runner(
    serve: Serve, flags: tuple[str, ...]
) -> None:
    async with serve(*FLAGS, *flags, warns=True) as server:
        if not flags:
            job = await post(server, "paint")
            await server.out.end_of(job.rpartition("/")[2])
        server.signal_all(SIGTERM)
        assert await server.ended() == 0
        assert not any("Nothing was loaded" in line for line in server.err.lines)


@pytest.mark.parametrize(
    "numbers", [(SIGTERM, SIGHUP), (SIGINT, SIGTERM), (SIGHUP, SIGTERM, SIGINT)], ids=str
)
async def test_simultaneous_signals_are_one_stop(
    serve: Serve, tmp_path: Path, numbers: tuple[Signals, ...]
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(*FLAGS, "--grace", "60", warns=True) as server, server.client() as client:
        job = await post(server, f"wait_between gate={gate}", iterations=2)
        await server.out.line("2/2 ")
        for number in (signal.SIGSTOP, *numbers, signal.SIGCONT):  # so all come at once
            server.process.send_signal(number)
        await server.out.line("Stopping...")
        async with client.get(job) as answer:
            assert (await answer.json())["status"] == "IN_PROGRESS"
        await asyncio.to_thread(gate.write_text, "")
        assert await server.ended() == 0
    assert rows(tmp_path) == [("COMPLETE", 1)]
