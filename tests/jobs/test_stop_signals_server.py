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
from tests.support.server import Serve, patient

pytestmark = pytest.mark.integration

FLAGS = (*FAKE, *MODEL, "--grace", "0.1")


def rows(folder: Path) -> list[tuple[str, int]]:
    """Return status and attempts of every job, in the order of the queue."""
    path = folder / "output" / ".sdrest" / "jobs.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT status, attempts FROM jobs ORDER BY number").fetchall()


BEHAVIOURS = ("hang", "need_child", "leave_at_sigterm code=143")


@pytest.mark.parametrize(
    ("behaviours", "numbers", "scripts_first"),
    [
        (BEHAVIOURS, (SIGTERM,), True),
        (("hang",), (SIGTERM,), False),
        (("hang",), (SIGINT,), True),
        (("hang",), (SIGHUP,), True),
        (("hang",), (SIGTERM, SIGHUP), True),
        (("hang",), (SIGTERM, SIGHUP), False),
    ],
)
async def test_a_stop_with_sigterm_to_every_process_loses_no_job(
    serve: Serve,
    lifeline: Lifeline,
    behaviours: tuple[str, ...],
    numbers: tuple[Signals, ...],
    scripts_first: bool,
) -> None:
    count = len(behaviours)
    async with serve(*FLAGS, "--concurrency", str(count), warns=True) as server:
        for behaviour in behaviours:
            await post(server, f"{behaviour} lifeline={lifeline.path}")
        await post(server, "next")
        await lifeline.pids(count)
        server.signal_all(*numbers, scripts_first=scripts_first)
        assert await server.ended() == 0
        assert all("Interrupted, queued again..." in line for line in server.out.lines[-count:])
        assert len([line for line in server.out.lines if "Starting..." in line]) == count
    assert rows(server.folder) == [("QUEUED", 0)] * (count + 1)
    assert await lifeline.all_gone()


DEATHS = (
    ("hang", SIGTERM),
    ("hang", SIGINT),
    ("hang", SIGHUP),
    ("need_child", SIGTERM),
    ("need_child", SIGHUP),
    ("need_child", SIGKILL),
)


async def test_scripts_that_die_just_before_the_stop_are_requeued(
    serve: Serve, tmp_path: Path
) -> None:
    env, count = patient(tmp_path / "patient"), str(len(DEATHS))
    async with serve(*FLAGS, "--concurrency", count, env=env, warns=True) as server:
        with contextlib.ExitStack() as stack:
            pids = {}
            for death in DEATHS:
                path = tmp_path / f"{death[0]}-{death[1].name}"
                lifeline = Lifeline(path)
                stack.callback(lifeline.close)
                await post(server, f"{death[0]} lifeline={path}")
                pids[death] = lifeline, (await lifeline.pids(1))[0]
            await post(server, "next")
            for (_, number), (_, pid) in pids.items():
                os.kill(pid, number)
            for death, (lifeline, _) in pids.items():
                assert await lifeline.all_gone(), death
        assert await server.stop() == 0
        assert len([line for line in server.out.lines if "Starting..." in line]) == len(DEATHS)
    ended = dict(zip((*DEATHS, "next"), rows(tmp_path), strict=True))
    assert ended == dict.fromkeys((*DEATHS, "next"), ("QUEUED", 0))


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


async def test_a_script_killed_without_a_stop_fails(serve: Serve, tmp_path: Path) -> None:
    async with serve(*FLAGS, warns=True) as server, server.client() as client:
        for number in (SIGTERM, SIGKILL):
            lifeline = Lifeline(tmp_path / number.name)
            job = await post(server, f"hang lifeline={lifeline.path}")
            following = await post(server, f"next after {number.name}")
            (pid,) = await lifeline.pids(1)
            os.kill(pid, number)
            await server.out.end_of(job.rpartition("/")[2])
            async with client.get(job) as answer:
                error = (await answer.json())["error"]
            assert error["code"] == "killed"
            assert f"The script was killed by {number.name}." in error["message"]
            await server.out.line(f"{following.rpartition('/')[2]} Done")
            lifeline.close()


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


@pytest.mark.parametrize("numbers", [(SIGTERM, SIGHUP), (SIGHUP, SIGTERM, SIGINT)], ids=str)
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
