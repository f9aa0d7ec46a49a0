"""Kills and stops the server again and again while clients act at random; then looks what is left.

A stop signals every process, as systemd and a shutdown do: the server, its scripts and their
children, in one order or the other.
"""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.monkey import Monkeys
from tests.fakes.running import FORK
from tests.support.server import PATIENCE, Server, environment

ENGINES = {
    "bundled": (),
    "fake": ("--repository", str(FORK), "--python", sys.executable),
}

RUN = "CHAOS_RUN"
"""A variable in the environment of the server and of all that it starts."""

_CLIENTS = 4

_STOPS: tuple[tuple[signal.Signals, ...], ...] = (
    *((signal.SIGTERM,), (signal.SIGTERM, signal.SIGHUP), (signal.SIGINT,), (signal.SIGHUP,)),
)
"""The signals of a stop, of which systemd's SendSIGHUP= is one."""

_STOP_CODES = {f'"{number.name}"' for stop in _STOPS for number in stop}
_DRAIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """What happened, and where the jobs stand."""

    seed: int
    kills: int
    stops: int
    actions: Counter[str]
    states: Counter[str]

    def __str__(self) -> str:
        actions = ", ".join(f"{count} {name}" for name, count in sorted(self.actions.items()))
        states = ", ".join(f"{count} {name}" for name, count in sorted(self.states.items()))
        lives = f"{self.kills} lives, {self.stops} of them ended by a stop of all processes"
        return f"seed {self.seed}: {lives}; answered: {actions}; jobs: {states}"


class Chaos:
    """One output folder and its many servers."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._dice = random.Random(seed)
        self._killed: Server | None = None
        self._stops = 0
        self._run = uuid.uuid4().hex
        self._monkeys = Monkeys(self._dice, folder)

    async def run(self, *, kills: int, new_jobs: int = 3) -> Report:
        """Let `kills` servers live and die, then a last one work off what is left."""
        for _ in range(kills):
            await self._life(new_jobs)
            self._check_table()
        async with self._server("fake", "--job-timeout", "2", "--concurrency", "4") as server:
            await server.started()
            states = await self._drained(server)
            assert await server.stop() == 0
        self._check_folder()
        with contextlib.suppress(TimeoutError):  # who was killed may not have had its turn to end
            async with asyncio.timeout(PATIENCE):
                while self._processes():  # noqa: ASYNC110 (they are nobody's children)
                    await asyncio.sleep(0.1)
        assert not self._processes(), "processes are left"
        return Report(self._seed, kills, self._stops, self._monkeys.counts, states)

    async def _life(self, new_jobs: int) -> None:
        dice = self._dice
        flags = ("--concurrency", "2", "--grace", "0.2")
        async with self._server(dice.choice(list(ENGINES)), *flags) as server:
            lifetime = dice.uniform(0.0, 1.5)
            if dice.random() < 1 / 5:  # it dies while it starts
                await asyncio.wait([asyncio.create_task(server.ended())], timeout=lifetime)
                return
            await server.started()
            async with server.client() as client, asyncio.TaskGroup() as clients:
                for _ in range(_CLIENTS):
                    clients.create_task(self._monkeys.play(client, new_jobs=new_jobs))
                clients.create_task(self._kill(server, lifetime))

    async def _kill(self, server: Server, seconds: float) -> None:
        numbers, scripts_first = self._dice.choice(_STOPS), self._dice.random() < 1 / 2
        stops = self._dice.random() < 1 / 2
        ended = asyncio.create_task(server.ended())
        await asyncio.wait([ended], timeout=seconds)
        if stops and not ended.done():
            await asyncio.to_thread(server.signal_all, *numbers, scripts_first=scripts_first)
            self._stops += 1
            assert await asyncio.shield(ended) == 0, server.err.lines
        self._kill_once(server)

    def _kill_once(self, server: Server) -> None:
        """Send SIGKILL; a second one could take the exit status away from who waits for it."""
        if self._killed is not server and server.process.returncode is None:
            self._killed = server
            server.process.kill()

    @contextlib.asynccontextmanager
    async def _server(self, engine: str, *flags: str) -> AsyncIterator[Server]:
        """Start a server; in the end it is dead, and has complained about nothing of its own."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sdrest", "--port", "0", "--plain-http", *ENGINES[engine]),
            *flags,
            cwd=self._folder,
            env=environment(**{RUN: self._run}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        server = Server(process, self._folder, Path())
        try:
            yield server
        finally:
            self._kill_once(server)
            status = await server.ended()
        assert status in {0, -signal.SIGKILL}, (status, server.err.lines)
        assert not any("Traceback" in line for line in server.err.lines), server.err.lines

    async def _drained(self, server: Server) -> Counter[str]:
        """Wait until no job waits or runs; return where all stand."""
        async with server.client() as client, asyncio.timeout(_DRAIN_SECONDS):
            left = 1
            while left:
                async with client.get("/jobs?limit=1") as answer:
                    counts = (await answer.json())["counts"]
                left = counts["QUEUED"] + counts["IN_PROGRESS"]
                await asyncio.sleep(0.1)
            async with asyncio.timeout(PATIENCE):
                return await self._monkeys.check(client)

    def _check_table(self) -> None:
        path = self._folder / "output" / ".sdrest" / "jobs.sqlite3"
        if not path.exists():
            return  # the first server died before it made one
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                return
            failures = connection.execute("SELECT failure FROM jobs WHERE failure IS NOT NULL")
            for (failure,) in failures:
                assert not any(code in failure for code in _STOP_CODES), failure
            counted = dict(connection.execute("SELECT status, count(*) FROM jobs GROUP BY status"))
            totals = "SELECT status, sum(jobs) FROM counts WHERE jobs > 0 GROUP BY status"
            kept = dict(connection.execute(totals))
            assert counted == kept

    def _check_folder(self) -> None:
        """Look for files that belong to no job."""
        self._check_table()
        output = self._folder / "output"
        with contextlib.closing(sqlite3.connect(output / ".sdrest/jobs.sqlite3")) as connection:
            rows = connection.execute("SELECT type, id, status FROM jobs").fetchall()
        images = {f"{kind}/{name}" for kind, name, _ in rows}
        inputs = {f"{kind}-{name}" for kind, name, status in rows if status != "COMPLETE"}
        assert {str(path.parent.relative_to(output)) for path in output.glob("*-*/*/*")} <= images
        assert {path.name for path in (output / ".sdrest" / "inputs").iterdir()} <= inputs
        for place in ("spool", "work"):
            assert list((output / ".sdrest" / place).iterdir()) == []

    def _processes(self) -> list[psutil.Process]:
        """Return what is left of all servers and scripts; a zombie is left to its parent."""
        left = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(RUN) == self._run:
                    left.append(process)
        return left
