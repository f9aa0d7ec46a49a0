"""Delivers messages to webhooks, beside the jobs, until each was taken or is a day old."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from sdrest.cancellation import until_done
from sdrest.errors import GoneError, NotFoundError, StorageUnavailableError
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.service import JobService
from sdrest.jobs.webhooks import Delivery
from sdrest.settings import Settings
from sdrest.web.webhooks import message
from sdrest.web.webhooks.addresses import PrivateAddressError, PublicResolver, is_public

FIRST_PAUSE = 5.0
"""Seconds from the first attempt of a message to the second."""

ANSWER_SECONDS = 15.0
"""Seconds that a listener has to answer."""

_STORAGE_SECONDS = 10.0
"""Seconds until the table is looked at again after an error."""

_AT_ONCE = 4
"""Messages on their way to one host; a host that is slow delays its own messages alone."""

_PRIVATE = "it is an address of this machine or of a private network (--webhook-private)."

_CHANGES = {Change.STARTED, Change.IMAGE, Change.FINISHED, Change.REQUEUED}

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A listener did not take a message; the text says why."""


class Sender:
    """Sends what is due. `serve` it in a task; `first_pause` is that of `message.next_attempt`."""

    def __init__(
        self, service: JobService, settings: Settings, *, first_pause: float = FIRST_PAUSE
    ) -> None:
        self._service = service
        self._signer = message.signer(settings.webhook_secret)
        self._private = settings.webhook_private
        self._first_pause = first_pause
        self._look = asyncio.Event()
        self._on_their_way: dict[Delivery, asyncio.Task[None]] = {}
        self._arrived: set[int] = set()  # since the table was read; what was read has them still

    async def serve(self) -> None:
        """Send messages until this is cancelled; those on their way are sent again later."""
        async with AsyncExitStack() as stack:
            stack.callback(self._service.events.subscribe(self._hear))
            stack.push_async_callback(self._stop)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(resolver=PublicResolver(private=self._private)),
                    timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
            )
            while True:
                self._look.clear()
                pause = await self._send_due(session)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._look.wait()

    def _hear(self, event: JobEvent) -> None:
        if event.change in _CHANGES:
            self._look.set()

    async def _send_due(self, session: aiohttp.ClientSession) -> float | None:
        """Start what is due; return the seconds until something else is, None: unknown."""
        try:
            following = await self._service.deliveries.next_due()
            self._arrived.clear()
            due = await self._service.deliveries.due()
        except StorageUnavailableError:
            return _STORAGE_SECONDS
        for delivery in due:
            if delivery.id not in self._arrived and self._may_go(delivery):
                task = asyncio.create_task(self._deliver(session, delivery))
                self._on_their_way[delivery] = task
                task.add_done_callback(partial(self._arrive, delivery))
        return None if following is None else max(0.0, following - time.time())

    def _may_go(self, delivery: Delivery) -> bool:
        """Whether no message of the same job, and few to the same host, are on their way."""
        if any(other.key == delivery.key for other in self._on_their_way):
            return False
        host = _host(delivery)
        return sum(_host(other) == host for other in self._on_their_way) < _AT_ONCE

    def _arrive(self, delivery: Delivery, _: object) -> None:
        del self._on_their_way[delivery]
        self._arrived.add(delivery.id)
        self._look.set()

    async def _stop(self) -> None:
        tasks = list(self._on_their_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        """Make one attempt, and note how it ended."""
        try:
            await self._send(session, delivery)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RefusedError) as error:
            if _is_private(error):
                _log.warning("The webhook at %s is refused: %s", _origin(delivery), _PRIVATE)
                await self._note(self._service.deliveries.remove, delivery)
            else:
                await self._fail(delivery, _reason(error))
        except StorageUnavailableError:
            await asyncio.sleep(_STORAGE_SECONDS)  # it is due still
        except (GoneError, NotFoundError):
            await self._note(self._service.deliveries.remove, delivery)
        else:
            await self._note(self._service.deliveries.remove, delivery)

    async def _send(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        url = URL(delivery.webhook.url)
        if not (self._private or is_public(url.host or "")):
            raise PrivateAddressError
        content = message.body(delivery, await self._service.get(delivery.key))
        headers = message.headers(delivery.message, content, time.time(), self._signer)
        async with session.post(
            url, data=content, headers=headers, allow_redirects=False
        ) as response:
            if response.status == HTTPStatus.GONE:
                _log.warning("The webhook at %s does not want a message (410).", url.origin())
            elif not response.ok or response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise RefusedError(f"it answered {response.status}")

    async def _fail(self, delivery: Delivery, reason: str) -> None:
        origin = _origin(delivery)
        due_at = message.next_attempt(delivery, time.time(), self._first_pause)
        if due_at is None:
            _log.warning(
                "A message to the webhook at %s is given up after a day: %s.", origin, reason
            )
            await self._note(self._service.deliveries.remove, delivery)
            return
        if not delivery.attempts:
            _log.warning(
                "The webhook at %s did not take a message (%s). It is sent again for a day.",
                origin,
                reason,
            )
        await self._note(self._service.deliveries.postpone, delivery, due_at)

    async def _note(self, change: Callable[..., Coroutine[Any, Any, None]], *values: Any) -> None:
        """Write down how an attempt ended, once the table can be written: until then it is due."""
        while True:
            try:
                await until_done(asyncio.create_task(change(*values)))
            except StorageUnavailableError:
                await asyncio.sleep(_STORAGE_SECONDS)
            else:
                return


def _host(delivery: Delivery) -> str:
    return URL(delivery.webhook.url).host or ""


def _origin(delivery: Delivery) -> URL:
    return URL(delivery.webhook.url).origin()


def _is_private(error: BaseException) -> bool:
    """Whether an error comes of an address that is not allowed."""
    causes = [error, error.__cause__, getattr(error, "os_error", None)]
    return any(isinstance(cause, PrivateAddressError) for cause in causes)


def _reason(error: BaseException) -> str:
    """Return why an attempt failed, in few words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:g} seconds"
    inner = getattr(error, "os_error", None)
    return str(getattr(inner, "strerror", None) or error) or type(error).__name__
