"""Ask a scheduler, as a worker would, whether the two can work together."""

import asyncio
import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from distributed.core import Server, rpc
from distributed.security import Security
from distributed.utils import get_ip

from sdrest.engine.cluster.addresses import require_free
from sdrest.engine.cluster.protocol import PREFIX
from sdrest.engine.cluster.worker import ConnectError, reach
from sdrest.hosts import url_host

_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`versions` are those of the front, empty where the scheduler is not in a server of sdrest.

    `address` is where the scheduler tried to reach this machine; `reached` whether it did.
    """

    versions: Mapping[str, str]
    address: str
    reached: bool


async def probe(address: str, security: Security | None, folder: str, *, port: int = 0) -> Answer:
    """Ask the scheduler at `address`; `folder` is for Dask's files. Raises `ConnectError`.

    It is to call this machine at `port`, where the worker may run already; 0: at any free one.
    """
    security = security or Security()
    await reach(address, security)
    arguments = security.get_connection_args("worker")
    parts = urlsplit(address)
    server = Server({}, connection_args=arguments, local_directory=folder)
    try:
        host = get_ip(parts.hostname or "")
        own = f"{parts.scheme}://{url_host(host)}:{port}"
        try:
            require_free(host, port)
            await server.listen(own, **security.get_listen_args("worker"))
            own = server.address
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        async with rpc(address, connection_args=arguments) as scheduler:
            back = await _answer(scheduler.proxy(worker=own, msg={"op": "identity"}))
            # Last, since a scheduler without sdrest never answers.
            versions = await _answer(getattr(scheduler, f"{PREFIX}versions")())
            known = cast("Mapping[str, str]", versions) if isinstance(versions, Mapping) else {}
            return Answer(known, own, reached=isinstance(back, Mapping))
    except OSError as error:
        raise ConnectError(f"{error}.") from error
    finally:
        await server.close()


async def _answer(call: Any) -> object:
    """Return the answer of a call; None where there is none."""
    task = asyncio.ensure_future(call)
    await asyncio.wait([task], timeout=_ANSWER_SECONDS)
    if task.done() and not task.exception():
        return cast("object", task.result())
    task.cancel()
    return None
