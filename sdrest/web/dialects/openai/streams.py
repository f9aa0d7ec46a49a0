"""Answers as Server-Sent Events: pictures in progress, then the pictures."""

import asyncio
import time
from contextlib import suppress

from aiohttp import HttpVersion11, hdrs, web

from sdrest.errors import GoneError, RequestError
from sdrest.jobs.model import JobKey, Snapshot, Status
from sdrest.pictures.answers import enlarge
from sdrest.web import keys
from sdrest.web.dialects.openai.answers import REQUEST_ID, Answer, as_base64, picture, size_text
from sdrest.web.dialects.openai.errors import content_of, failure_content
from sdrest.web.dialects.openai.schemas import NO_USAGE, ErrorBody, ErrorContent, ImageEvent
from sdrest.web.dialects.waiting import WAITING, Group
from sdrest.web.live.event_hub import HUB
from sdrest.web.live.messages import HEARTBEAT
from sdrest.web.responses.errors import request_error_response

_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


class _Failed(Exception):  # noqa: N818 (the way out of a stream)
    def __init__(self, content: ErrorContent) -> None:
        self.content = content


async def send_stream(request: web.Request, group: Group, answer: Answer) -> web.StreamResponse:
    """Send the pictures of a request as events; a comment at least every 15 seconds.

    What goes wrong after the start is an event `error`, since the status is sent.
    """
    response = web.StreamResponse(headers={**_HEADERS, REQUEST_ID: group.keys[0].id})
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    with suppress(ConnectionError):  # a client may leave at any time
        waiting = request.app[WAITING]
        async with waiting.attend(request, group):
            await response.prepare(request)
            try:
                for key in group.keys:
                    await _Picture(request, response, answer, key).send()
                group.is_answered = True
            except _Failed as failed:
                await waiting.fail(group)
                await _send_error(response, failed.content)
            except RequestError as error:
                if isinstance(error, GoneError):
                    await waiting.fail(group)
                await _send_error(response, content_of(request_error_response(error)))
            await response.write_eof()
    return response


async def _send_error(response: web.StreamResponse, content: ErrorContent) -> None:
    await _write(response, "error", ErrorBody(error=content).encode())


async def _write(response: web.StreamResponse, name: str, data: bytes) -> None:
    await response.write(b"event: %b\ndata: %b\n\n" % (name.encode(), data))


class _Picture:
    """The events of one picture."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, answer: Answer, key: JobKey
    ) -> None:
        self._app = request.app
        self._response = response
        self._answer = answer
        self._key = key

    async def send(self) -> None:
        """Send them, to the last one."""
        snapshot = await self._last_snapshot()
        if snapshot.job.status is not Status.COMPLETE:
            raise _Failed(failure_content(snapshot.job.failure))
        data = await picture(self._app, self._answer.shown(self._key))
        said = self._answer.said([snapshot])
        await self._send_event(
            "completed",
            await as_base64(data),
            usage=NO_USAGE,
            seed=snapshot.job.seed,
            **({"warnings": said} if said else {}),
        )

    async def _last_snapshot(self) -> Snapshot:
        """Wait for the job's end; meanwhile send previews and comments."""
        seen: int | None = None
        sent, most = 0, self._answer.wanted.partial_images

        def is_news(snapshot: Snapshot) -> bool:
            is_other = snapshot.preview not in {None, seen}
            return snapshot.job.status.final or (sent < most and is_other)

        while True:
            heartbeat = self._app[HUB].heartbeat
            snapshot = await self._app[WAITING].wait(self._key, heartbeat, until=is_news)
            if snapshot.job.status.final:
                return snapshot
            if not is_news(snapshot):
                await self._response.write(HEARTBEAT)
                continue
            seen = snapshot.preview
            done = snapshot.progress.fraction if snapshot.progress else 0
            if done * (most + 1) >= sent + 1:  # spread over the job's time
                sent += await self._send_preview(sent)

    async def _send_preview(self, index: int) -> bool:
        """Send the picture in progress, if there is one, in the size and format of the answer."""
        preview = self._app[keys.JOBS].preview(self._key)
        if preview is None:
            return False
        shown = self._answer.shown(self._key)
        async with self._app[keys.DECODERS]:
            data = await asyncio.to_thread(
                enlarge, preview.data, shown.kind, size=shown.size, quality=shown.quality
            )
        text = await as_base64(data)
        await self._send_event("partial_image", text, partial_image_index=index)
        return True

    async def _send_event(self, name: str, b64_json: str, **more: object) -> None:
        wanted = self._answer.wanted
        kind = f"{'image_edit' if self._answer.is_edit else 'image_generation'}.{name}"
        event = ImageEvent.model_validate(
            {
                "type": kind,
                "b64_json": b64_json,
                "created_at": int(time.time()),
                "background": "opaque",
                "output_format": wanted.output_format,
                "quality": wanted.made_quality,
                "size": size_text(self._answer.size),
                **more,
            }
        )
        await _write(self._response, kind, event.encode())
