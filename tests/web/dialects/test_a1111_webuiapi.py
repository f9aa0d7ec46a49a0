"""The package webuiapi, unchanged, against the server on its two addresses."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import webuiapi  # type: ignore[import-untyped]  # it has no types
from PIL import Image, ImageDraw

from tests.support.ports import free_port
from tests.support.server import Server, starter

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

TOKEN = "a-secret-of-many-letters"
ORANGE = (200, 120, 40)
SMALL = {"prompt": "a lighthouse", "seed": 42, "steps": 4, "width": 256, "height": 256}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> AsyncIterator[Server]:
    """A server with the bundled engine, a token and both addresses."""
    folder = tmp_path_factory.mktemp("webuiapi")
    start = starter(folder, certificate)
    async with start("--a1111-port", str(free_port()), env={"SDREST_TOKEN": TOKEN}) as server:
        yield server


async def plain_url(server: Server) -> str:
    """Return the second address, as the server's log names it."""
    line = await server.out.line("AUTOMATIC1111's API is at ")
    return line.partition(" is at ")[2].split(" ")[0]


@pytest_asyncio.fixture(params=["http", "https"], loop_scope="module")
async def api(
    server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> webuiapi.WebUIApi:
    """A client of one of the two addresses."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.cert))
    monkeypatch.setenv("NO_PROXY", "*")
    url = server.url.replace("0.0.0.0", "127.0.0.1").rstrip("/")
    if request.param == "http":
        url = await plain_url(server)
    make = partial(webuiapi.WebUIApi, baseurl=f"{url}/sdapi/v1", sampler="DDIM")
    client = await call(make, username="user", password=TOKEN)
    client.session.trust_env = True
    return client


async def call(function: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    """Call what blocks."""
    return await asyncio.to_thread(partial(function, *args, **fields))


def picture() -> Image.Image:
    return Image.new("RGB", (256, 256), ORANGE)


async def test_pictures_seeds_and_settings(api: webuiapi.WebUIApi) -> None:
    both = await call(api.txt2img, **SMALL, negative_prompt="fog", batch_size=2)
    assert [image.size for image in both.images] == [(256, 256)] * 2
    assert both.info["all_seeds"] == [42, 43]
    assert both.info["negative_prompt"] == "fog"
    second = await call(api.txt2img, **{**SMALL, "seed": 43}, negative_prompt="fog")
    assert second.image.tobytes() == both.images[1].tobytes() != both.images[0].tobytes()
    settings = await call(api.png_info, both.images[1])
    assert "Negative prompt: fog\nSteps: 4" in str(settings.info)
    assert "Seed: 43" in str(settings.info)


async def test_an_odd_size_is_met_exactly(api: webuiapi.WebUIApi) -> None:
    made = await call(api.txt2img, **{**SMALL, "width": 300, "height": 270})
    assert made.image.size == (300, 270)


async def test_a_picture_from_a_picture(api: webuiapi.WebUIApi) -> None:
    made = await call(api.img2img, images=[picture()], denoising_strength=0.5, **SMALL)
    assert made.image.size == (256, 256)
    assert made.parameters["init_images"] is None


@pytest.mark.parametrize("full", [False, True])
async def test_only_what_is_white_is_repainted(api: webuiapi.WebUIApi, *, full: bool) -> None:
    mask = Image.new("L", (256, 256))
    ImageDraw.Draw(mask).rectangle((64, 64, 191, 191), fill=255)
    made = await call(
        api.img2img,
        images=[picture()],
        mask_image=mask,
        mask_blur=0,
        inpainting_fill=1,
        inpaint_full_res=full,
        **SMALL,
    )
    outside = made.image.convert("RGB")
    inside = outside.crop((64, 64, 192, 192))
    ImageDraw.Draw(outside).rectangle((64, 64, 191, 191), fill=ORANGE)
    assert outside.getcolors() == [(256 * 256, ORANGE)]
    assert len(inside.getcolors(128 * 128) or ()) > 1


async def test_lists_and_options(api: webuiapi.WebUIApi) -> None:
    assert {"DDIM", "PLMS"} <= set(await call(api.util_get_sampler_names))
    names = await call(api.util_get_model_names)
    assert await call(api.util_get_current_model) in names
    await call(api.util_set_model, names[0])
    await call(api.util_wait_for_ready)
    assert await call(api.get_loras) == []
    larger = await call(api.extra_single_image, picture(), upscaler_1="Lanczos", upscaling_resize=2)
    assert larger.image.size == (512, 512)


async def test_the_second_address_serves_this_dialect_alone(server: Server) -> None:
    url = await plain_url(server)
    async with aiohttp.ClientSession() as client:
        for path, status in {
            "/": 200,
            "/healthz": 200,
            "/internal/ping": 200,
            "/config": 200,
            "/sdapi/v1/options": 401,
            "/docs": 404,
            "/openapi.json": 404,
        }.items():
            async with client.get(url + path) as response:
                assert response.status == status, path
                assert response.content_type == "application/json"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with client.get(f"{url}/jobs", headers=bearer) as response:
            assert (response.status, await response.json()) == (404, {"detail": "Not Found"})


async def test_a_password_in_a_body_is_in_no_log(server: Server) -> None:
    url = await plain_url(server)
    secret = "user:another-secret"
    basic = {"Authorization": aiohttp.encode_basic_auth("user", TOKEN)}
    bodies = ({"auth": secret, "url": "x", "steps": "many"}, {"auth": secret, "steps": 4})
    async with aiohttp.ClientSession(headers=basic) as client:
        for body in bodies:
            data = io.BytesIO(json.dumps(body).encode())
            async with client.post(f"{url}/sdapi/v1/txt2img", data=data) as response:
                assert secret not in await response.text()
    logged = "\n".join([*server.out.lines, *server.err.lines])
    assert secret not in logged
    assert TOKEN not in logged
