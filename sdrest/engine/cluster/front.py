"""The front of a cluster: Dask's scheduler, here or elsewhere, and a link to each worker."""

import asyncio
import functools
import logging
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sdrest.engine.cluster import library
from sdrest.engine.cluster.addresses import PORT, require_free
from sdrest.engine.cluster.link import Link
from sdrest.engine.cluster.protocol import LOST_SECONDS, PREFIX, versions
from sdrest.engine.workers import free_name
from sdrest.errors import UsageError
from sdrest.hosts import url_host

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.core import ConnectionPool
    from distributed.security import Security

_LOOK_SECONDS = 0.2
"""Seconds between two looks at who is connected to the scheduler of this process."""

_ASK_SECONDS = 1.0
"""The same for a scheduler that runs elsewhere."""

_ANSWER_SECONDS = 5.0
"""Seconds in which a scheduler that runs elsewhere has to answer."""

_LONGEST_PAUSE = 15.0
"""Most seconds between two attempts to reach it."""

_CLOSE_SECONDS = 3.0

_CONNECTIONS = 2**16
"""Most connections to workers: one for a worker, and one for each job."""

_log = logging.getLogger(__name__)


class Front:
    """Knows the workers that are connected to a scheduler: `links`, by their addresses.

    `listen` is the address of a scheduler to start in this process; without it, `connect` is that
    of one that runs elsewhere. `changed` is called when a worker comes, goes or is another.
    No worker is named `own_name`, which is that of this machine.
    """

    def __init__(
        self,
        *,
        listen: str = "",
        connect: str = "",
        security: "Security | None" = None,
        changed: Callable[[], object],
        own_name: str = "",
        lost_seconds: float = LOST_SECONDS,
    ) -> None:
        self.links: dict[str, Link] = {}
        self.address = connect
        self.is_connected = bool(listen)
        """Whether the scheduler answers; the one of this process always does."""
        self._id = secrets.token_hex(8)
        self._listen = listen
        self._security = security
        self._changed = changed
        self._names = {"": own_name}
        self._lost_seconds = lost_seconds
        self._scheduler: Scheduler | None = None
        self._pool: ConnectionPool
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the scheduler, or begin to look for it; raises `UsageError`."""
        await asyncio.to_thread(library.load)
        from distributed.core import ConnectionPool  # noqa: PLC0415 (see `library`)
        from distributed.security import Security  # noqa: PLC0415

        security = self._security or Security()
        if self._listen:
            await self._start_scheduler(security)
        self._pool = ConnectionPool(
            limit=_CONNECTIONS,
            deserialize=True,
            connection_args=security.get_connection_args("client"),
        )
        await self._pool.start()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Leave the workers; they end the runs of this front."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            await self._follow(())
            await _bounded(self._pool.close())
        if self._scheduler:
            await _bounded(self._scheduler.close(reason="the server stops"))

    def call_all(self, handler: str) -> None:
        """Call a handler of each worker, in the background."""
        for link in self.links.values():
            link.call(handler)

    async def _start_scheduler(self, security: "Security") -> None:
        from distributed import Scheduler  # noqa: PLC0415

        parts = urlsplit(self._listen)
        host, port = parts.hostname or "", PORT if parts.port is None else parts.port
        try:
            require_free(host, port)
            self._scheduler = await Scheduler(
                host=url_host(host),
                port=port,
                protocol=parts.scheme,
                security=security,
                dashboard=False,
                dashboard_address=library.HTTP_ADDRESS,
            )
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error.__cause__ or error
            raise UsageError(f"Cannot listen at {self._listen} (--cluster): {reason}.") from error
        self._scheduler.handlers[f"{PREFIX}versions"] = versions  # for `sdrest doctor --worker`
        self.address = self._scheduler.address

    async def _watch(self) -> None:
        """Follow who is connected to the scheduler."""
        pause = _ASK_SECONDS
        while True:
            try:
                addresses = await self._addresses()
            except Exception as error:  # noqa: BLE001 (whatever Dask raises, it does not answer)
                addresses = None
                _log.debug("Scheduler %s: %r", self.address, error)
            if addresses is None:
                if self.is_connected or pause == _ASK_SECONDS:
                    _log.warning("The scheduler at %s does not answer; trying again.", self.address)
                self._pool.remove(self.address)
                pause = min(_LONGEST_PAUSE, 2 * pause)
            else:
                pause = _ASK_SECONDS
            self.is_connected = addresses is not None
            await self._follow(addresses or ())
            await asyncio.sleep(_LOOK_SECONDS if self._scheduler else pause)

    async def _addresses(self) -> Collection[str]:
        """Return the addresses of the connected workers."""
        if self._scheduler:
            return set(self._scheduler.workers)
        asking = asyncio.create_task(self._pool(self.address).identity())
        await asyncio.wait([asking], timeout=_ANSWER_SECONDS)
        if not asking.done():
            asking.cancel()
            raise TimeoutError
        return set(asking.result()["workers"])

    async def _follow(self, addresses: Collection[str]) -> None:
        """Have a link to each worker at `addresses`, and to no other."""
        gone = [link for address, link in self.links.items() if address not in addresses]
        new = [address for address in addresses if address not in self.links]
        for link in gone:
            del self.links[link.address]
            self._names.pop(link.address, None)
        for address in new:
            self.links[address] = Link(
                address,
                self._id,
                self._pool,
                changed=self._changed,
                named=functools.partial(self._name, address),
                lost_seconds=self._lost_seconds,
            )
        if gone:
            await asyncio.gather(*(link.close() for link in gone))
        if gone or new:
            self._changed()

    def _name(self, address: str, wanted: str) -> str:
        """Return the name of a worker, which no other machine has, as long as it is connected."""
        return self._names.setdefault(address, free_name(wanted, self._names.values()))


async def _bounded(closing: Any) -> None:
    """Wait for the end of something of Dask's, but not for long."""
    task = asyncio.ensure_future(closing)
    await asyncio.wait([task], timeout=_CLOSE_SECONDS)
    if not task.done():
        task.cancel()
        return
    with suppress(Exception):
        task.result()
