"""AUTOMATIC1111's API over HTTP, with scripts that make one-coloured pictures at once."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support.a1111 import API, BASIC, TOKEN, ask, asked, bearer, opened, png
from tests.support.web import PATIENCE, Served, served

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

NO_CONTENT_TYPE = {"Content-Type": ""}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """An application with a token, for all tests of this module."""
    async with served(tmp_path_factory.mktemp("a1111"), token=TOKEN, max_upload=1) as made:
        made.client.headers["Authorization"] = BASIC
        yield made


async def test_the_answer_is_true_to_what_ran(site: Served) -> None:
    wish = {"negative_prompt": "", "seed": 7, "steps": 9, "n_iter": 2, "sampler_name": "Euler a"}
    answer = await asked(site, "txt2img", {"prompt": "a fox", "width": 300, "height": 400, **wish})
    info = json.loads(answer["info"])
    assert [opened(image).size for image in answer["images"]] == [(300, 400)] * 2
    assert info["all_seeds"] == [7, 8]
    assert (info["seed"], info["steps"], info["sampler_name"]) == (7, 10, "DDIM")
    assert (info["width"], info["height"], info["cfg_scale"]) == (300, 400, 7)
    assert any("Euler a" in warning for warning in info["warnings"])
    for seed, text, image in zip([7, 8], info["infotexts"], answer["images"], strict=True):
        assert f"Seed: {seed}, Size: 300x400" in text
        assert opened(image).info["parameters"] == text
        shown = await asked(site, "png-info", {"image": f"data:image/png;base64,{image}"})
        assert shown["info"] == text
        assert shown["parameters"]["Prompt"] == "a fox"
        assert shown["parameters"]["Seed"] == str(seed)
        assert (shown["parameters"]["Size-1"], shown["parameters"]["Size-2"]) == (
            "300",
            "400",
        )
    assert answer["parameters"]["prompt"] == "a fox"


async def test_each_picture_is_an_ordinary_job(site: Served) -> None:
    await asked(site, "txt2img", {"prompt": "a lamp", "seed": 70, "batch_size": 2})
    async with site.client.get("/jobs", params={"limit": 2}, headers=bearer()) as response:
        jobs = (await response.json())["jobs"]
    assert [(job["seed"], job["status"]) for job in jobs] == [(71, "COMPLETE"), (70, "COMPLETE")]


async def test_pictures_come_back_only_where_asked_for(site: Served) -> None:
    wish = {"prompt": "a fox", "init_images": [png()], "mask": png(), "width": 64, "height": 64}
    answer = await asked(site, "img2img", wish)
    assert (answer["parameters"]["init_images"], answer["parameters"]["mask"]) == (None, None)
    answer = await asked(site, "img2img", {**wish, "include_init_images": True})
    assert answer["parameters"]["init_images"] == [png()]
    assert (await asked(site, "txt2img", {"send_images": False}))["images"] == []


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("a castle\nSteps: 20, Sampler: Euler a, Seed: 3, Size: 512x768", "20"),
        ("", None),
    ],
)
async def test_png_info_of_the_web_ui(site: Served, text: str, info: str | None) -> None:
    chunks = PngInfo()
    chunks.add_text("Software", "x")
    if text:
        chunks.add_text("parameters", text)
    shown = await asked(site, "png-info", {"image": png(text=chunks)})
    assert shown["info"] == text
    assert shown["items"] == {"Software": "x"}
    assert shown["parameters"].get("Steps") == info


async def test_png_info_reads_the_comment_of_a_jpeg(site: Served) -> None:
    text = "a fox über\nSteps: 20, Sampler: DDIM, Seed: 3"
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"UNICODE\0" + text.encode("utf-16-be")}
    written = io.BytesIO()
    Image.new("RGB", (8, 8)).save(written, "JPEG", exif=exif)
    shown = await asked(site, "png-info", {"image": base64.b64encode(written.getvalue()).decode()})
    assert shown["info"] == text


@pytest.mark.parametrize(
    ("wish", "size"),
    [
        ({"upscaling_resize": 2, "upscaler_1": "Lanczos"}, (128, 64)),
        ({"upscaling_resize": "1.5", "upscaler_1": "nearest"}, (96, 48)),
        ({"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 80}, (100, 80)),
        (
            {
                "resize_mode": 1,
                "upscaling_crop": False,
                "upscaling_resize_w": 100,
                "upscaling_resize_h": 80,
            },
            (100, 50),
        ),
    ],
)
async def test_pictures_are_resized(
    site: Served, wish: dict[str, Any], size: tuple[int, int]
) -> None:
    one = await asked(site, "extra-single-image", {"image": png(64, 32), **wish})
    assert opened(one["image"]).size == size
    images = [{"data": png(64, 32), "name": "x"}] * 2
    many = await asked(site, "extra-batch-images", {"imageList": images, **wish})
    assert [opened(image).size for image in many["images"]] == [size] * 2


REFUSED: list[tuple[str, Any, int, str]] = [
    ("img2img", {"prompt": "a boat"}, 404, "Init image not found"),
    ("img2img", {"init_images": [""]}, 404, "Init image not found"),
    ("img2img", {"init_images": ["broken"]}, 422, "Invalid encoded image"),
    ("img2img", {"init_images": ["\u00e4\u00f6"]}, 422, "Invalid encoded image"),
    ("img2img", {"init_images": [png()[:60]]}, 422, "Invalid encoded image"),
    ("img2img", {"init_images": ["http://127.0.0.1/x.png"]}, 422, "addresses are not fetched"),
    ("img2img", {"init_images": [png()], "mask": "data:image/png;base64,AAAA"}, 422, "mask"),
    ("img2img", {"init_images": "text"}, 422, "init_images"),
    ("img2img", {"init_images": [png()] * 102}, 422, "more than 101 pictures"),
    ("img2img", {"init_images": [png(), "A" * 1_500_000]}, 413, "1 MiB"),
    ("txt2img", {"enable_hr": True}, 422, "enable_hr"),
    ("txt2img", {"alwayson_scripts": {"x": {"args": [True]}}}, 422, "Script 'x' not found"),
    ("txt2img", {"override_settings": {"sd_model_checkpoint": "none"}}, 404, "model 'none' not"),
    ("options", {"sd_model_checkpoint": "there is none"}, 404, "not found"),
    ("interrogate", {"image": png(), "model": "clip"}, 404, "Model not found"),
    ("png-info", {"image": "x"}, 422, "Invalid encoded image"),
    ("png-info", {}, 422, "image"),
    ("extra-batch-images", {"imageList": [[None], "x"]}, 422, "imageList.0"),
    ("extra-single-image", {"image": png(), "upscaler_1": "ESRGAN"}, 422, "no upscaler ESRGAN"),
    ("extra-single-image", {"image": png(4000, 9), "upscaling_resize": 16}, 422, "64000x144"),
]


@pytest.mark.parametrize(("path", "body", "status", "sentence"), REFUSED)
async def test_refusals_have_the_shape_of_the_web_ui(
    site: Served, path: str, body: Any, status: int, sentence: str
) -> None:
    found, answer = await ask(site, path, body)
    assert found == status, answer
    assert sentence in answer["detail"]
    assert answer == {
        "error": "HTTPException",
        "detail": answer["detail"],
        "body": "",
        "errors": answer["detail"],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'"text"',
        b"\xff\xfe{}",
        b'{"a":' * 100_000,
        b'{"seed":' + b"9" * 5000 + b"}",
        b'{"steps":NaN}',
    ],
)
async def test_hostile_bodies_are_refused(site: Served, body: bytes) -> None:
    status, answer = await ask(site, "img2img", data=body, headers=NO_CONTENT_TYPE)
    assert 400 <= status < 500
    assert answer["detail"]


async def test_a_body_is_as_large_as_two_uploads_in_base64(site: Served) -> None:
    status, answer = await ask(site, "txt2img", {"x": " " * 5_000_000})
    assert status == 413, answer
    assert await asked(site, "txt2img", {"x": " " * 2_500_000})


async def test_a_failed_job_is_answered_with_its_code(site: Served) -> None:
    status, answer = await ask(site, "txt2img", {"prompt": "crash_before"})
    assert (status, answer["error"]) == (500, "script_failed")
    assert answer["detail"] == answer["errors"] != ""


async def test_unknown_addresses_and_methods(site: Served) -> None:
    assert await ask(site, "there-is-none") == (404, {"detail": "Not Found"})
    assert (await ask(site, "txt2img"))[0] == 405


async def test_who_may_come_in(site: Served) -> None:
    for header in ("", "Basic ", "Basic dXNlcjp3cm9uZw==", "Bearer wrong"):
        async with site.client.get(f"{API}/options", headers={"Authorization": header}) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Basic realm="sdrest"'
            assert (await response.json())["detail"] == "Incorrect username or password"
    async with site.client.get(
        f"{API}/options", headers={"Authorization": "", "User-Agent": "Mozilla/5.0 (X11)"}
    ) as response:  # a browser would keep the password
        assert "Basic" not in response.headers["WWW-Authenticate"]
    await asked(site, "options", headers=bearer())
    async with site.client.get("/jobs") as response:
        assert response.status == 401  # elsewhere the token is no password


async def test_pages_of_other_origins(site: Served) -> None:
    """KoboldAI Lite makes pictures; no page changes what others see."""
    foreign = {"Origin": "https://lite.koboldai.net"}
    for path in ("options", "sd-models"):
        await asked(site, path, headers=foreign)
    await asked(site, "txt2img", {"prompt": "a fox"}, headers=foreign)
    for path in ("options", "interrupt", "skip", "unload-checkpoint", "refresh-loras"):
        assert (await ask(site, path, {}, headers=foreign))[0] == 403
    ask_first = {"Access-Control-Request-Method": "POST", **foreign}
    async with site.client.options(f"{API}/txt2img", headers=ask_first) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_options_name_a_model_of_the_list(site: Served) -> None:
    async with asyncio.timeout(PATIENCE):
        while not (options := await asked(site, "options"))["sd_checkpoint_hash"]:
            pass  # it is being computed
    models = await asked(site, "sd-models")
    assert options["sd_model_checkpoint"] in [model["title"] for model in models]
    assert not any("/" in model["filename"] for model in models)
    assert await asked(site, "options", options) is None  # Open WebUI sends all of them back
    assert await asked(site, "options") == options


async def test_idle_progress(site: Served) -> None:
    progress = await asked(site, "progress", params={"skip_current_image": "true"})
    assert (progress["progress"], progress["state"]["job_count"]) == (0, 0)
    assert progress["current_image"] is None
    assert await asked(site, "interrupt", {}) == {}
    assert await asked(site, "skip", {}) is None


async def test_without_a_token_a_password_does_not_matter(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for header in ("Basic ", "Basic dW5kZWZpbmVk", "x"):
            await asked(site, "options", headers={"Authorization": header})


async def test_without_metadata_the_answer_still_says_how(tmp_path: Path) -> None:
    async with served(tmp_path, metadata=False) as site:
        answer = await asked(site, "txt2img", {"prompt": "a fox", "seed": 3})
    assert "parameters" not in opened(answer["images"][0]).info
    assert "Seed: 3" in json.loads(answer["info"])["infotexts"][0]


async def test_models_are_unloaded_and_loaded(site: Served) -> None:
    for path in ("unload-checkpoint", "reload-checkpoint", "unload-checkpoint"):
        assert await asked(site, path, "") == {}


async def test_memory(site: Served) -> None:
    memory = await asked(site, "memory")
    assert memory["ram"]["total"] > memory["ram"]["free"] > 0
    assert isinstance(memory["cuda"], dict)
