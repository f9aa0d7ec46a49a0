"""How a job's JSON, its row and its pictures say which attention the script computed."""

import asyncio
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.fakes.running import copy_fork
from tests.support.paths import FAKES
from tests.support.server import PATIENCE, Serve

pytestmark = pytest.mark.integration


@pytest.fixture
def flags(tmp_path: Path) -> tuple[str, ...]:
    """Return the flags of the fake fork with a torch and the fork's attention."""
    root = tmp_path / "fork-with-attention"
    copy_fork(root)
    no_scripts = shutil.ignore_patterns("scripts", "__pycache__")
    shutil.copytree(FAKES / "torchlike", root, ignore=no_scripts, dirs_exist_ok=True)
    return ("--repository", str(root), "--python", sys.executable, "--keep-alive", "-1")


async def finished(
    client: aiohttp.ClientSession, prompt: str, status: str = "COMPLETE"
) -> dict[str, Any]:
    size = {"width": 256, "height": 256}
    fields = {"prompt": prompt, "steps": 2, "seed": 1, "iterations": 2, **size}
    async with client.post("text-to-image", json=fields) as answer:
        path = answer.url.path
    async with asyncio.timeout(PATIENCE):
        while True:
            async with client.get(path, params={"wait": 10}) as answer:
                job: dict[str, Any] = await answer.json()
            if job["status"] not in {"QUEUED", "IN_PROGRESS"}:
                assert job["status"] == status, job
                return job


async def accelerator(client: aiohttp.ClientSession) -> object:
    """Return what the server says that its scripts compute on."""
    async with client.get("workers") as answer:
        [worker] = (await answer.json())["workers"]
        return worker["accelerator"]


async def record(client: aiohttp.ClientSession, job: dict[str, Any]) -> dict[str, Any]:
    """Return the record in the text chunk of a job's picture."""
    async with client.get(job["imageUrls"][0]) as answer:
        picture = Image.open(io.BytesIO(await answer.read()))
    chunk: dict[str, Any] = json.loads(picture.info["sdrest"])
    return chunk


async def test_the_attention_is_in_answers_and_pictures_and_stays(
    serve: Serve, flags: tuple[str, ...]
) -> None:
    debug = ("--log-level", "debug")
    async with serve(*flags, *debug, warns=True) as server, server.client() as client:
        assert await accelerator(client) is None
        job = await finished(client, "attend")
        assert await accelerator(client) == "cpu"
        assert job["attention"] == "fast"
        assert list(job) == ["attention", "imageUrls", "resultUrl", "status"]
        assert (await record(client, job))["attention"] == "fast"
        on_mps = await finished(client, "attend device=mps")
        assert on_mps["attention"] == "exact"
        assert await accelerator(client) == "mps"
        failed = await finished(client, "attend memory=1", "FAILED")
        assert failed["attention"] == "fast"
        assert failed["error"]["code"] == "out_of_memory"
        assert "--attention" not in failed["error"]["message"]
        none = await finished(client, "paint")
        assert "attention" not in none
        assert "attention" not in await record(client, none)
        await server.err.line("the attention was fast")
    async with serve(*flags, "--attention", "exact") as server, server.client() as client:
        async with client.get(job["resultUrl"]) as answer:
            assert await answer.json() == job
        async with client.get("jobs") as answer:
            entries = (await answer.json())["jobs"]
        attentions = [entry.get("attention") for entry in entries]
        assert attentions == [None, "fast", "exact", "fast"]
        failed = await finished(client, "attend memory=1", "FAILED")
        assert failed["attention"] == "exact"
        assert "start the server with --attention fast" in failed["error"]["message"]


async def test_fast_attention_that_torch_does_not_have_is_reported(
    serve: Serve, flags: tuple[str, ...]
) -> None:
    async with (
        serve(*flags, "--attention", "fast", warns=True) as server,
        server.client() as client,
    ):
        assert (await finished(client, "attend torch=1"))["attention"] == "exact"
        await server.err.line("--attention fast needs PyTorch 2.0 or later")
