"""Images that tell how they were made, from the server, the command and the Python API."""

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

import sdrest
from sdrest.engine.base import Finished, ImageReady
from sdrest.engine.local.executor import LocalExecutor
from sdrest.job_types import JobType
from tests.fakes.running import FORK, collect, fake_repository, finished_events, task
from tests.support.pngs import bare, infotext
from tests.support.server import PATIENCE, Serve
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

SMALL: Any = {"width": 256, "height": 256}


def chunk_texts(content: bytes) -> tuple[str, dict[str, str], dict[str, Any]]:
    """What an image says: its prompt and its pairs, and its record."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        prompt, pairs = infotext(picture.info["parameters"])
        return prompt, pairs, json.loads(picture.info["sdrest"])


async def image(site: Served, url: str, number: int = 1) -> bytes:
    async with site.client.get(f"{url}/{number}.png") as response:
        assert response.status == 200
        return await response.read()


def upload(colour: str, size: tuple[int, int] = (300, 200)) -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    file.seek(0)
    return file


async def test_images_contain_what_they_were_asked_for(tmp_path: Path) -> None:
    asked = {"prompt": "paint a 狐\nSeed: 1", "iterations": 2, "batchSize": 2, "seed": False}
    async with served(tmp_path) as site:
        url = await site.job("/text-to-image", json={**asked, **SMALL})
        async with site.client.get(url) as response:
            seed = (await response.json())["seed"]
        contents = [await image(site, url, number) for number in (1, 2, 3, 4)]
    for number, content in enumerate(contents, 1):
        prompt, pairs, record = chunk_texts(content)
        assert prompt == asked["prompt"]
        assert (pairs["Seed"], pairs["Size"], pairs["Model"]) == (str(seed), "256x256", "model")
        assert (pairs["Image number"], pairs["Batch pos"]) == (str(number), str((number - 1) % 2))
        assert record["params"].items() >= {**asked, "seed": None, **SMALL}.items()
        assert (record["id"], record["seed"], record["image"]) == (
            url.rpartition("/")[2], seed, number,
        )  # fmt: skip
        assert record["model"] == "model.ckpt"
        for secret in (tmp_path, FORK):
            assert str(secret).encode() not in content


async def test_without_metadata_images_are_the_scripts_own(tmp_path: Path) -> None:
    contents: dict[bool, list[bytes]] = {}
    for wanted in (True, False):
        async with served(tmp_path / str(wanted), metadata=wanted) as site:
            urls = [
                await site.job("/text-to-image", json={"prompt": "paint", **SMALL}),
                await site.job("/image-to-image", data={"prompt": "paint", "image": upload("red")}),
                await site.job(
                    "/inpaint-image", data={"image": upload("red"), "mask": upload("white")}
                ),
            ]
            contents[wanted] = [await image(site, url) for url in urls]
    assert contents[False] == [bare(content) for content in contents[True]]
    assert all(plain != full for plain, full in zip(contents[False], contents[True], strict=True))
    sizes = [chunk_texts(content)[1]["Size"] for content in contents[True]]
    assert sizes == ["256x256", "1x1", "300x200"]


async def ask(client: aiohttp.ClientSession, **fields: Any) -> bytes:
    """Return the first image of a job of the bundled engine."""
    async with client.post("text-to-image", json={"steps": 2, **SMALL, **fields}) as answer:
        job = await answer.json()
    async with asyncio.timeout(PATIENCE):
        while job["status"] != "COMPLETE":
            async with client.get(f"{job['resultUrl'].lstrip('/')}?wait=10") as answer:
                job = await answer.json()
    async with client.get(job["imageUrls"][0].lstrip("/")) as answer:
        return await answer.read()


@pytest.mark.parametrize(
    ("flags", "env"), [(["--no-metadata"], {}), ([], {"SDREST_METADATA": "0"})]
)
async def test_it_can_be_switched_off(serve: Serve, flags: list[str], env: dict[str, str]) -> None:
    async with serve(*flags, env=env) as server, server.client() as client:
        content = await ask(client, prompt="a red circle")
    assert bare(content) == content


async def test_it_is_on_by_default(serve: Serve) -> None:
    async with serve() as server, server.client() as client:
        prompt, pairs, _ = chunk_texts(await ask(client, prompt="a red circle"))
    assert (prompt, pairs["Steps"]) == ("a red circle", "2")


async def test_images_without_a_server(tmp_path: Path) -> None:
    places: Any = {"repository": FORK, "python": sys.executable, "output": tmp_path}
    for wanted in (True, False):
        made = sdrest.text_to_image("paint", seed=7, metadata=wanted, **SMALL, **places)
        await collect(made)
    full, plain = ((tmp_path / name).read_bytes() for name in ("1.png", "2.png"))
    assert bare(full) == plain
    prompt, pairs, record = chunk_texts(full)
    assert (prompt, pairs["Seed"], record["id"]) == ("paint", "7", None)
    assert str(tmp_path).encode() not in full


async def test_the_scripts_own_files_make_room(tmp_path: Path) -> None:
    executor = LocalExecutor(fake_repository())
    given = task(tmp_path / "work", iterations=2)
    paths = [
        event.path
        for event in await collect(finished_events(executor, given, with_metadata=True))
        if isinstance(event, ImageReady)
    ]
    await executor.close()
    assert sorted(given.workdir.rglob("*.png")) == paths


@pytest.mark.parametrize("job_type", [JobType.TEXT_TO_IMAGE, JobType.INPAINT_IMAGE])
async def test_an_image_whose_metadata_cannot_be_written_is_ready_nevertheless(
    tmp_path: Path, job_type: JobType
) -> None:
    given: dict[str, Any] = {}
    if job_type is JobType.INPAINT_IMAGE:
        for name, mode in (("image", "RGB"), ("mask", "L")):
            given[name] = tmp_path / f"{name}.png"
            Image.new(mode, (64, 64), "white").save(given[name])
    executor = LocalExecutor(fake_repository())
    run = task(tmp_path / "work", job_type=job_type, **given)
    (run.workdir / "1.png").mkdir()  # nothing can be written there
    events = await collect(finished_events(executor, run, with_metadata=True))
    await executor.close()
    assert isinstance(events[-1], Finished)
    assert events[-1].failure is None
    (path,) = [event.path for event in events if isinstance(event, ImageReady)]
    assert path.read_bytes() == bare(path.read_bytes())
