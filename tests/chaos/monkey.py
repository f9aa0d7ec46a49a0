"""Clients that act at random, and what they may expect of the jobs that they know."""

import asyncio
import contextlib
import io
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

BEHAVIOURS = (
    "paint", "paint", "paint", "crash_before", "crash_between", "half_png", "too_few", "killed",
    "hang", "deaf", "garbage", "end_at_once", "flood_stderr",
)  # fmt: skip
"""The first words of prompts; the fake fork does what they say, the bundled engine draws them."""

FINAL = {"COMPLETE", "FAILED", "CANCELLED"}


@dataclass
class Form:
    """A request that may be sent again and again, and the jobs that it was answered with.

    `asked` and `deleted` are moments: of the last one that this request, or a retry, may have come
    to the server; and for each job of the last deletion that was begun, and the last answered one.
    """

    route: str
    fields: dict[str, str]
    picture: bytes | None
    urls: set[str] = field(default_factory=set)
    asked: int = 0
    deleting: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)

    def data(self) -> aiohttp.FormData:
        data = aiohttp.FormData(self.fields)
        if self.picture is not None:
            data.add_field("image", self.picture, filename="image.png")
        return data

    def must_be_gone(self, url: str) -> bool:
        """Whether a deletion was answered that began after all else."""
        return url in self.deleted and self.deleted[url] > self.asked

    def may_be_gone(self, url: str) -> bool:
        return url in self.deleting


class Monkeys:
    """What all clients of all lives of the server know."""

    def __init__(self, dice: random.Random, folder: Path) -> None:
        self._dice = dice
        self._folder = folder
        self._clock = itertools.count(1)
        self.forms: list[Form] = []
        self.counts: Counter[str] = Counter()
        self._actions: dict[Callable[[aiohttp.ClientSession], Awaitable[None]], int] = {
            self._post: 8, self._post_again: 8, self._look: 24, self._list: 8,
            self._cancel: 4, self._retry: 4, self._delete: 1,
        }  # fmt: skip

    async def play(self, client: aiohttp.ClientSession, *, new_jobs: int) -> None:
        """Act until the server is gone; ask for at most `new_jobs` new jobs."""
        self._new_jobs = new_jobs
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            while True:
                (action,) = self._dice.choices(list(self._actions), [*self._actions.values()])
                await action(client)

    async def check(self, client: aiohttp.ClientSession) -> Counter[str]:
        """Compare every answered request with what the server has; return the states."""
        states: Counter[str] = Counter()
        for form in self.forms:
            for url in form.urls:
                status, answer = await self._get(client, url)
                if status == 410:
                    assert form.may_be_gone(url), f"{url} is gone and nobody has deleted it"
                    states["deleted"] += 1
                    continue
                assert status == 200, f"{url} was promised and is lost: {status}"
                assert not form.must_be_gone(url), f"{url} was deleted and is back"
                assert answer["status"] in FINAL, answer
                states[answer["status"]] += 1
                await self._fetch(client, answer, strict=True)
                if answer["status"] == "COMPLETE":
                    assert len(answer["imageUrls"]) == int(form.fields["iterations"]), answer
        return states

    async def _post(self, client: aiohttp.ClientSession) -> None:
        if self._new_jobs <= 0:
            return
        self._new_jobs -= 1
        number = len(self.forms)
        behaviour = self._dice.choice(BEHAVIOURS)
        fields = {
            "prompt": f"{behaviour} number={number} lifeline={self._folder / 'lifeline'}",
            "iterations": str(self._dice.randint(1, 3)),
            "steps": "1",
        }
        if self._dice.random() < 1 / 4:
            form = Form("/image-to-image", fields | {"steps": "2"}, _picture(number))
        else:
            form = Form("/text-to-image", fields | {"width": "256", "height": "256"}, None)
        self.forms.append(form)
        await self._send(client, form)

    async def _post_again(self, client: aiohttp.ClientSession) -> None:
        if self.forms:
            await self._send(client, self._dice.choice(self.forms))

    async def _send(self, client: aiohttp.ClientSession, form: Form) -> None:
        post = client.post(form.route, data=form.data(), allow_redirects=False)
        async with self._asks(form), post as answer:
            await expect(answer, 302)
            form.urls.add(answer.headers["Location"])
            self.counts["POST"] += 1

    @contextlib.asynccontextmanager
    async def _asks(self, form: Form) -> Any:
        try:
            yield
        finally:
            form.asked = next(self._clock)

    async def _look(self, client: aiohttp.ClientSession) -> None:
        if (known := self._known()) is None:
            return
        status, answer = await self._get(client, known[1])
        assert status in {200, 410}, answer
        self.counts["GET"] += 1
        if status == 200:
            await self._fetch(client, answer, strict=False)

    async def _list(self, client: aiohttp.ClientSession) -> None:
        status, answer = await self._get(client, "/jobs?limit=10")
        assert status == 200, answer
        self.counts["list"] += 1

    async def _cancel(self, client: aiohttp.ClientSession) -> None:
        if (known := self._known()) is None:
            return
        async with client.post(f"{known[1]}/cancel") as answer:
            await expect(answer, 200, 410)
            self.counts["cancel"] += 1

    async def _retry(self, client: aiohttp.ClientSession) -> None:
        if (known := self._known()) is None:
            return
        form, url = known
        post = client.post(f"{url}/retry", allow_redirects=False)
        async with self._asks(form), post as answer:
            await expect(answer, 302, 409, 410)
            self.counts["retry"] += 1

    async def _delete(self, client: aiohttp.ClientSession) -> None:
        if (known := self._known()) is None:
            return
        form, url = known
        form.deleting[url] = began = next(self._clock)
        async with client.delete(url) as answer:
            await expect(answer, 204, 410)
            form.deleted[url] = began
            self.counts["DELETE"] += 1

    def _known(self) -> tuple[Form, str] | None:
        known = [(form, url) for form in self.forms[-20:] for url in sorted(form.urls)]
        return self._dice.choice(known) if known else None

    async def _get(self, client: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
        async with client.get(url) as response:
            return response.status, await response.json()

    async def _fetch(
        self, client: aiohttp.ClientSession, answer: dict[str, Any], *, strict: bool
    ) -> None:
        """Fetch every listed image: it is whole. While others act, it may have been deleted."""
        for url in answer.get("imageUrls", []):
            async with client.get(url) as response:
                assert response.status in ({200} if strict else {200, 404, 410}), url
                if response.status == 200:
                    picture = await response.read()
                    await asyncio.to_thread(Image.open(io.BytesIO(picture)).load)
                    self.counts["image"] += 1


async def expect(answer: aiohttp.ClientResponse, *statuses: int) -> None:
    """Check the status of an answer; that a server is stopping ends its clients' play."""
    if answer.status == 503 and (await answer.json())["error"]["code"] == "stopping":
        raise aiohttp.ClientError("The server is stopping.")
    assert answer.status in statuses, await answer.text()


def _picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (256, 256), (number % 256, number // 256 % 256, 0)).save(file, "PNG")
    return file.getvalue()
