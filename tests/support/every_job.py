"""Jobs of every type, and what they leave in an output folder."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from tests.fakes.running import FORK
from tests.support.fake_fork import FAKE, MODEL
from tests.support.server import Server, environment

INPAINT_MODEL = ("--inpaint-image-model", str(FORK / "models/ldm/inpainting_big/last.ckpt"))


FLAGS = (*FAKE, *MODEL, *INPAINT_MODEL, "--output", "output")


TYPES = ("text-to-image", "image-to-image", "inpaint-image")


def png(colour: int) -> bytes:
    file = io.BytesIO()
    picture = Image.new("RGB", (256, 256))
    picture.paste((colour, colour, colour), (64, 64, 128, 128))
    picture.save(file, "PNG")
    return file.getvalue()


def form(job_type: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    if job_type != "inpaint-image":
        data.add_field("prompt", "a lighthouse")
    if job_type == "text-to-image":
        data.add_field("width", "256")
        data.add_field("height", "256")
    else:
        data.add_field("image", png(90), filename="image.png", content_type="image/png")
    if job_type == "inpaint-image":
        data.add_field("mask", png(255), filename="mask.png", content_type="image/png")
    return data


async def completes(server: Server, job_type: str) -> None:
    async with server.client() as client:
        async with client.post(job_type, data=form(job_type), allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            place = answer.headers["Location"].lstrip("/")
        job = await ended(client, place)
        assert job["status"] == "COMPLETE", job
        async with client.get(f"{place}/1.png") as answer:
            assert answer.status == 200
            Image.open(io.BytesIO(await answer.read())).load()


async def ended(client: aiohttp.ClientSession, place: str) -> dict[str, Any]:
    while True:
        async with client.get(f"{place}?wait=30") as answer:
            job: dict[str, Any] = await answer.json()
        if job["status"] not in {"QUEUED", "IN_PROGRESS"}:
            return job


async def all_complete(server: Server) -> None:
    await asyncio.gather(*(completes(server, job_type) for job_type in TYPES))


async def problems(server: Server) -> str:
    async with server.client() as client, client.get("readyz") as answer:
        found = await answer.json()
        assert (answer.status, found["usable"]) == (200, list(TYPES))
    return " ".join(problem["message"] for problem in found["problems"])


def tidy(output: Path) -> None:
    """Check that nothing partial is left."""
    assert list(output.rglob("*.part")) == []
    assert [path.name for path in (output / ".sdrest" / "work").iterdir()] == []


def generated(output: Path, number: int, env: Mapping[str, str] | None = None) -> Path:
    """Run `sdrest generate`, and return the image that should be there."""
    subprocess.run(
        [*(sys.executable, "-m", "sdrest", "generate", "a lighthouse", *FAKE, *MODEL),
         *("--output", str(output), "--width", "256", "--height", "256")],
        check=True, capture_output=True, env=environment(**(env or {})),
    )  # fmt: skip
    return output / f"{number}.png"
