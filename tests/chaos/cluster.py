"""Kills, stops and cuts off the workers and the front of a cluster while clients act at random.

The workers are on hosts of their own where there can be such: network namespaces.
"""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sdrest.cli import main
from tests.chaos.chaos import ENGINES, RUN, Chaos
from tests.support.cluster import MODELS
from tests.support.hosts import Host
from tests.support.server import PATIENCE, environment

_CLIENTS = 3
_PORT = 8786
_LONGEST = 15.0
"""Seconds that a fault lasts at most."""
_MOST_FAULTS = 8
"""Faults in the life of a front, its end among them."""


@dataclass
class _Place:
    """Where a worker lives, and the worker that lives there."""

    name: str
    host: Host
    folder: Path
    process: asyncio.subprocess.Process | None = None
    begun: int = 0
    """The size of its log when it was started."""
    is_faulty: bool = False
    """Whether a fault of it lasts."""


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What happened, and where the jobs stand."""

    seed: int
    faults: Counter[str]
    actions: Counter[str]
    states: Counter[str]

    def __str__(self) -> str:
        texts = (
            ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
            for counted in (self.faults, self.actions, self.states)
        )
        return "seed {}: faults: {}; answered: {}; jobs: {}".format(self.seed, *texts)


class ClusterChaos(Chaos):
    """A front, its output folder, and a worker on each of `hosts`."""

    def __init__(self, folder: Path, seed: int, hosts: list[Host]) -> None:
        super().__init__(folder, seed)
        self._places = [
            _Place(f"worker{number}", host, folder / f"host{number}")
            for number, host in enumerate(hosts, 1)
        ]
        self._counts: Counter[str] = Counter()
        self._faults: dict[str, Callable[[_Place], Awaitable[None]]] = {
            "worker killed": self._kill_worker,
            "worker ended": self._end_worker,
            "worker stopped": self._stop_worker,
            "cable out": partial(self._cut, sent=True, received=True),
            "cable mute": partial(self._cut, sent=True),
            "cable deaf": partial(self._cut, received=True),
            "cable slow": self._slow,
        }

    async def run_faults(self, count: int, *, new_jobs: int = 3) -> ClusterReport:
        """Let `count` faults happen, then end all of them and let the queue be worked off."""
        assert main(["cluster", "credentials", str(self._folder)]) == 0
        (self._folder / "output").mkdir()
        async with contextlib.AsyncExitStack() as stack:
            for place in self._places:
                place.folder.mkdir()
                await self._start(place)
                stack.push_async_callback(self._end, place)
            async with asyncio.TaskGroup() as faults:
                while (left := count - self._counts.total()) > 0:
                    await self._life_of_front(faults, left, new_jobs)
                    self._check_table()
            async with self._server("fake", *self._flags, "--job-timeout", "3") as server:
                await server.started()
                states = await self._drained(server)
                assert await server.stop() == 0
        self._check_folder()
        assert not self._processes(), "processes are left"
        return ClusterReport(self._seed, self._counts, self._monkeys.counts, states)

    @property
    def _flags(self) -> tuple[str, ...]:
        return ("--cluster", f"tls://0.0.0.0:{_PORT}", "--concurrency", "0")

    async def _life_of_front(self, faults: asyncio.TaskGroup, left: int, new_jobs: int) -> None:
        """Start a front and let at most `left` faults happen; the last of them kills it."""
        async with self._server("fake", *self._flags, "--job-timeout", "20") as server:
            await server.started()
            async with server.client() as client, asyncio.TaskGroup() as clients:
                for _ in range(_CLIENTS):
                    clients.create_task(self._monkeys.play(client, new_jobs=new_jobs))
                for _ in range(min(left, self._dice.randint(3, _MOST_FAULTS)) - 1):
                    await asyncio.sleep(self._dice.uniform(0.2, 2.0))
                    if places := [place for place in self._places if not place.is_faulty]:
                        faults.create_task(self._fault(self._dice.choice(places)))
                await asyncio.sleep(self._dice.uniform(0.2, 2.0))
                self._counts["front killed"] += 1
                self._kill_once(server)

    async def _fault(self, place: _Place) -> None:
        name = self._dice.choice(list(self._faults))
        self._counts[name] += 1
        place.is_faulty = True
        await self._faults[name](place)
        place.is_faulty = False

    async def _start(self, place: _Place) -> None:
        command = place.host.command(
            *(sys.executable, "-m", "sdrest", "worker", f"tls://{place.host.front}:{_PORT}"),
            *("--name", place.name, *ENGINES["fake"], *MODELS, "--grace", "0.5"),
            *("--cluster-credentials", str(self._folder / "cluster-worker.pem")),
            without=self._folder / "output",
        )
        with (place.folder / "log").open("ab") as log:
            place.begun = log.tell()
            place.process = await asyncio.create_subprocess_exec(
                *command,
                cwd=place.folder,
                env=environment(**{RUN: self._run}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def _end(self, place: _Place) -> None:
        """End a worker, which has complained about nothing of its own."""
        assert place.process
        with contextlib.suppress(ProcessLookupError):
            place.process.terminate()
        async with asyncio.timeout(PATIENCE):
            status = await place.process.wait()
        text = (place.folder / "log").read_text()
        is_early = len(text.encode()) == place.begun  # Python itself was still starting
        assert status == 0 or (is_early and status == -signal.SIGTERM), (status, text)
        assert "Traceback" not in text, text

    async def _kill_worker(self, place: _Place) -> None:
        assert place.process
        place.process.kill()
        await place.process.wait()
        await self._last(2)
        await self._start(place)

    async def _end_worker(self, place: _Place) -> None:
        await self._end(place)
        await self._start(place)

    async def _stop_worker(self, place: _Place) -> None:
        assert place.process
        place.process.send_signal(signal.SIGSTOP)
        await self._last()
        place.process.send_signal(signal.SIGCONT)

    async def _cut(self, place: _Place, *, sent: bool = False, received: bool = False) -> None:
        place.host.sent.cut, place.host.received.cut = sent, received
        await self._last()
        place.host.plug()

    async def _slow(self, place: _Place) -> None:
        place.host.slow(delay=0.05, loss=0.02, rate=2e6)
        await self._last()
        place.host.slow()

    async def _last(self, most: float = _LONGEST) -> None:
        """Let a fault last for a while: at times longer than a worker may be silent."""
        await asyncio.sleep(self._dice.uniform(0, most))
