"""Jobs in every state, so that requests for jobs, drawn at random, meet some."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any

import aiohttp
from PIL import Image

from sdrest.job_types import JobType
from tests.support.server import PATIENCE

_LONG = {"iterations": "20"}


@dataclass(frozen=True, slots=True)
class Made:
    """The ids of a type's jobs: those that stay, and those that may be deleted."""

    kept: list[str]
    spare: list[str]
    etags: list[str]
    """Validators of the JSON and of the first image of one that is complete."""
    end: str
    """The id of the last event of that one."""


def picture(kind: str = "PNG") -> bytes:
    """Return a small picture in a format of Pillow's."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(file, kind)
    return file.getvalue()


async def make(client: aiohttp.ClientSession, job_type: JobType) -> Made:
    """Make jobs that are complete, deleted, failed (but for inpaint-image), cancelled."""
    complete = await _job(client, job_type, seed="1")
    etags = []
    for path in (complete, f"{complete}/1.png"):
        async with client.get(path) as response:
            assert response.status == 200
            etags.append(response.headers["ETag"])
    async with client.get(f"{complete}/events") as response:
        lines = (await response.text()).splitlines()
    end = next(line for line in lines if line.startswith("id: "))
    gone = await _job(client, job_type, seed="2")
    async with client.delete(gone) as response:
        assert response.status == 204
    failed = await _job(client, job_type, seed="3", prompt="crash_before")
    cancelled = await _job(client, job_type, cancel=True, seed="4", **_LONG)
    spare = [await _job(client, job_type, seed=str(seed)) for seed in range(5, 8)]
    kept = [complete, gone, failed, cancelled]
    return Made(_ids(kept), _ids(spare), etags, end.removeprefix("id: "))


def _ids(paths: list[str]) -> list[str]:
    return [path.rpartition("/")[2] for path in paths]


async def _job(
    client: aiohttp.ClientSession, job_type: JobType, *, cancel: bool = False, **fields: str
) -> str:
    """Ask for a job, and wait for its end, or cancel it; return its path."""
    form = aiohttp.FormData({"prompt": "a fox", **fields})
    for name in job_type.uploads:
        form.add_field(name, picture(), filename=f"{name}.png")
    async with client.post(f"/{job_type}", data=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        path = response.headers["Location"]
    if cancel:
        async with client.post(f"{path}/cancel") as response:
            assert response.status == 200
    async with asyncio.timeout(PATIENCE):
        while not await _has_ended(client, path):
            pass
    return path


async def _has_ended(client: aiohttp.ClientSession, path: str) -> bool:
    async with client.get(path, params={"wait": "30"}) as response:
        job: dict[str, Any] = await response.json()
        return job["status"] not in {"QUEUED", "IN_PROGRESS"}
