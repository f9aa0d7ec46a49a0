"""A worker's connection to its scheduler, made again whenever it is lost."""

import asyncio
import logging
import random
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Worker
from distributed.comm.core import connect
from distributed.security import Security

from sdrest.engine.cluster.addresses import require_free
from sdrest.engine.cluster.engine import Engine
from sdrest.engine.cluster.security import causes, explain, own_host
from sdrest.hosts import url_host

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
"""Seconds in which a scheduler has to answer."""

_CALL_SECONDS = 5.0
"""Seconds in which a server calls a worker that is connected."""

_CLOSE_SECONDS = 3.0

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
"""Seconds until the next attempt to connect; each is twice as long as the one before."""

_REFUSED_PAUSE = 30.0
"""The same where somebody has to change something first."""


class ConnectError(Exception):
    """There is no connection; the text says why, in a sentence. `lasting` where that stays so."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Report:
    """What happened to the connection, in a sentence. `good` where it is there."""

    text: str
    good: bool = False


class WorkerConnection:
    """Keeps `engine` connected to the scheduler at `address`, which knows the worker as `name`.

    It is called at `port`, by default any free one. `folder` is for Dask's files. `report` is
    called for each change, once.
    """

    def __init__(
        self,
        address: str,
        engine: Engine,
        *,
        name: str,
        port: int = 0,
        security: Security | None,
        folder: Path,
        report: Callable[[Report], object],
    ) -> None:
        self._address = address
        self._engine = engine
        self._name = name
        self._port = port
        self._security = security or Security()
        self._folder = folder
        self._report = report
        self._reported: Report | None = None
        self._good = Report(f"Connected to {address}.", good=True)

    async def keep(self) -> None:
        """Connect, and again whenever the connection is lost, for ever."""
        pause = _FIRST_PAUSE
        while True:
            began, delay = time.monotonic(), pause
            try:
                async with self._connected() as worker:
                    self._announce(self._good)
                    await self._watch(worker)
                if time.monotonic() - began > _CONNECT_SECONDS:
                    pause = delay = _FIRST_PAUSE
                self._announce(
                    Report(f"The connection to {self._address} is lost. Connecting again.")
                )
            except ConnectError as error:
                self._announce(Report(f"Cannot connect to {self._address}: {error} Trying again."))
                if error.lasting:
                    delay = _REFUSED_PAUSE
            except Exception:  # noqa: BLE001 (whatever Dask raises, the next attempt may succeed)
                _log.exception("Unexpected error of the connection; connecting again.")
            await self._engine.runs.cancel_all()  # no server waits for them
            pause = min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 (no secret)

    async def _watch(self, worker: Worker) -> None:
        """Wait for the end of the connection; report where no server calls, and where one does."""
        ending = asyncio.create_task(worker.finished())
        try:
            while not (await asyncio.wait([ending], timeout=_CALL_SECONDS))[0]:
                if self._engine.runs.has_front:
                    self._announce(self._good)
                else:
                    place = f"No server calls this worker at {worker.address}."
                    self._announce(Report(f"{place} See that no firewall prevents it."))
            ending.result()
        finally:
            ending.cancel()

    def _announce(self, report: Report) -> None:
        if report != self._reported:
            self._report(report)
        self._reported = report

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Worker]:
        """Be a worker of the scheduler while the context lasts; raises `ConnectError`."""
        await reach(self._address, self._security)
        host = own_host(self._address)
        try:
            require_free(host or "", self._port)
        except OSError as error:
            place = f"this worker cannot listen at port {self._port} (--worker-port)"
            raise ConnectError(f"{place}: {_reason(error)}") from error
        worker = _SilentWorker(
            self._address,
            # Its own name each time: the scheduler may still know the last connection.
            name=f"{self._name}-{uuid.uuid4().hex[:8]}",
            host=host and url_host(host),
            port=self._port,
            nthreads=1,
            memory_limit=0,
            security=self._security,
            local_directory=str(self._folder),
            death_timeout=_CONNECT_SECONDS,
            dashboard=False,
        )
        worker.handlers.update(self._engine.handlers)
        try:
            try:
                await worker
            except (OSError, RuntimeError, ValueError) as error:
                raise ConnectError(_reason(error)) from error
            yield worker
        finally:
            closing = asyncio.create_task(worker.close(timeout=1, executor_wait=False))
            await asyncio.wait([closing], timeout=_CLOSE_SECONDS)


class _SilentWorker(Worker):
    """A Dask worker without HTTP: Dask's pages need neither a token nor TLS."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Serve no HTTP."""


async def reach(address: str, security: Security) -> None:
    """Connect to the scheduler at `address` once, to learn what is wrong.

    Raises `ConnectError`. Dask itself tries for ever, and does not say why.
    """
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()
            arguments: dict[str, Any] = security.get_connection_args("worker")
            comm = await connect(address, timeout=_CONNECT_SECONDS, **arguments)
            comm.abort()
    except (OSError, ValueError) as error:
        refused = explain(error)
        raise ConnectError(refused or _reason(error), lasting=bool(refused)) from error


def _reason(error: BaseException) -> str:
    """Return why a connection failed, in a sentence."""
    for cause in causes(error):
        if isinstance(cause, socket.gaierror):
            return "no machine has this name."
        if isinstance(cause, ConnectionRefusedError):
            return "no server listens there."
        if isinstance(cause, TimeoutError):
            return "it does not answer."
    *_, first = causes(error)
    text = getattr(first, "strerror", None) or str(first) or type(error).__name__
    return f"{text}."
