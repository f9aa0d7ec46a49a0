"""`GET /models`, and jobs that name a checkpoint."""

import asyncio
import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.job_types import JobType
from tests.support.checkpoints import model, safetensors_file, torch_file
from tests.support.forms import form, png
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

SMALL = {"steps": "2", "width": "256", "height": "256"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    """Serve with a folder of four checkpoints, of which two can be used."""
    folder = tmp_path / "models"
    (folder / "styles").mkdir(parents=True)
    safetensors_file(folder / "styles/Oil.safetensors", model())
    torch_file(folder / "painter.ckpt", model(7))
    torch_file(folder / "nine.ckpt", model(9))
    (folder / "page.safetensors").write_text("<html>")
    async with served(tmp_path, models=str(folder)) as site:
        yield site


async def submit(site: Served, job_type: str, **fields: str) -> tuple[int, Any]:
    """Submit a job; return the status and what the answer says: the job, or the error."""
    files = {"image": png((256, 256)), "mask": png((256, 256), "white")}
    wanted = {name: files[name] for name in JobType(job_type).uploads}
    async with site.client.post(job_type, data=form({**SMALL, **fields}, **wanted)) as answer:
        return answer.status, await answer.json()


async def finished(site: Served, url: str) -> dict[str, Any]:
    async with site.client.get(url, params={"wait": 30}) as answer:
        job: dict[str, Any] = await answer.json()
    return job if "error" in job or job["status"] == "COMPLETE" else await finished(site, url)


async def listed(client: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
    async with client.get("models") as answer:
        return {entry["name"]: entry for entry in (await answer.json())["models"]}


async def test_all_files_are_listed(site: Served) -> None:
    found = await listed(site.client)
    kinds = {
        name: (entry["kind"], entry["usable"], entry["default"]) for name, entry in found.items()
    }
    assert kinds == {
        "nine": ("sd-inpainting", False, []),
        "page": ("web-page", False, []),
        "painter": ("inpainting", True, []),
        "styles/Oil": ("text-to-image", True, []),
        "model": ("text-to-image", True, ["text-to-image", "image-to-image"]),
        "last": ("inpainting", True, ["inpaint-image"]),
    }
    oil = found["styles/Oil"]
    path = site.output.parent / "models/styles/Oil.safetensors"
    assert (oil["file"], oil["size"]) == ("styles/Oil.safetensors", path.stat().st_size)
    assert oil["types"] == ["text-to-image", "image-to-image"]
    assert found["page"]["reason"].startswith("A web page. Download the file itself")
    short = None
    async with asyncio.timeout(30):
        while short is None:
            short = (await listed(site.client))["styles/Oil"]["hash"]
    assert short == hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    async with site.client.post("sdapi/v1/options", json={"sd_model_checkpoint": short}) as answer:
        assert answer.status == 200
    async with site.client.get("sdapi/v1/options") as answer:
        assert (await answer.json())["sd_checkpoint_hash"] == short
    async with site.client.post("sdapi/v1/txt2img", json={"prompt": "a fox"}) as answer:
        made = await answer.json()
    (text,) = json.loads(made["info"])["infotexts"]
    assert f"Model hash: {short}, Model: Oil" in text
    with Image.open(io.BytesIO(base64.b64decode(made["images"][0]))) as picture:
        assert picture.info["parameters"] == text
        assert "sdrest" in picture.info


@pytest.mark.parametrize(
    ("job_type", "name", "file"),
    [
        ("text-to-image", "styles/Oil", "styles/Oil.safetensors"),
        ("image-to-image", "STYLES/oil.safetensors", "styles/Oil.safetensors"),
        ("inpaint-image", "painter", "painter.ckpt"),
        ("text-to-image", "model", "model.ckpt"),
    ],
)
async def test_a_job_names_a_model(site: Served, job_type: str, name: str, file: str) -> None:
    status, job = await submit(site, job_type, prompt="paint", model=name)
    assert (status, job["model"]) == (200, file)
    job = await finished(site, job["resultUrl"])
    assert job["model"] == file
    async with site.client.get(job["imageUrls"][0]) as answer, site.client.get("jobs") as jobs:
        image = Image.open(io.BytesIO(await answer.read()))
        (entry,) = (await jobs.json())["jobs"]
    assert entry["params"]["model"] == file
    record = json.loads(image.text["sdrest"])  # type: ignore[attr-defined]  # it is a PNG
    assert (record["model"], record["params"]["model"]) == (Path(file).name, file)
    loaded = {one["file"] for one in (await listed(site.client)).values() if one["loaded"]}
    assert loaded == {file}


@pytest.mark.parametrize(
    ("job_type", "name", "text"),
    [
        (
            "text-to-image",
            "none",
            "There is no model 'none' here. Models for text-to-image: 'styles/Oil', 'model'.",
        ),
        ("text-to-image", "../models/painter", "There is no model"),
        ("text-to-image", "nine", "'nine' cannot be used. A Stable Diffusion inpainting model"),
        ("text-to-image", "painter", "'painter' is a model for inpaint-image. Models for text"),
        ("inpaint-image", "styles/Oil", "Models for inpaint-image: 'painter', 'last'."),
    ],
)
async def test_a_model_that_does_not_fit_is_refused(
    site: Served, job_type: str, name: str, text: str
) -> None:
    status, answer = await submit(site, job_type, prompt="paint", model=name)
    assert status == 422
    (wrong,) = answer["error"]["details"]["fields"]
    assert wrong["field"] == "model"
    assert text in wrong["message"]
    assert str(site.output.parent) not in wrong["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("text-to-image", {"prompt": "paint", "model": "both"}),
        ("v1/images/generations", {"prompt": "paint", "model": "both"}),
        (
            "sdapi/v1/txt2img",
            {"prompt": "paint", "override_settings": {"sd_model_checkpoint": "both"}},
        ),
    ],
)
async def test_an_ambiguous_name_is_refused(site: Served, path: str, body: dict[str, Any]) -> None:
    for ending in (".ckpt", ".safetensors"):
        safetensors_file(site.output.parent / f"models/both{ending}", model())
    async with site.client.post(path, json=body) as answer:
        assert answer.status in {404, 422}
        said = "'both' is ambiguous: both.ckpt or both.safetensors. Write the whole name."
        assert said in await answer.text()


async def test_without_a_model_jobs_are_as_before(site: Served) -> None:
    _, job = await submit(site, "text-to-image", prompt="paint")
    _, same = await submit(site, "text-to-image", prompt="paint")
    assert same["resultUrl"] == job["resultUrl"]
    assert "model" not in await finished(site, job["resultUrl"])
    async with site.client.get("jobs") as jobs:
        (entry,) = (await jobs.json())["jobs"]
    assert entry["params"]["model"] == ""


async def test_a_model_that_is_gone_fails_its_job(site: Served) -> None:
    _, running = await submit(
        site, "text-to-image", prompt=f"hang lifeline={site.output.parent / 'pid'}"
    )
    _, job = await submit(site, "text-to-image", prompt="paint", model="styles/Oil")
    (site.output.parent / "models/styles/Oil.safetensors").unlink()
    async with site.client.post(f"{running['resultUrl']}/cancel") as answer:
        assert answer.status == 200
    job = await finished(site, job["resultUrl"])
    assert job["error"]["code"] == "model_missing"
    assert "(model=styles/Oil.safetensors) is no longer" in job["error"]["message"]
