"""The packages that people use OpenAI's images API with, against the bundled engine."""

import asyncio
import base64
import io
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper
from PIL import Image

from tests.support.pictures import encoded
from tests.support.server import Server, environment, starter

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

TOKEN = "a-secret-of-many-letters"
COLOUR = (200, 120, 40)
HOLE = (64, 64, 192, 192)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> AsyncIterator[Server]:
    """A server with HTTPS and a token."""
    folder = tmp_path_factory.mktemp("clients")
    async with starter(folder, certificate)(env={"SDREST_TOKEN": TOKEN}) as started:
        yield started


def base(server: Server) -> str:
    return server.url.replace("0.0.0.0", "127.0.0.1") + "v1"


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(verify=ssl.create_default_context(cafile=server.cert))
    async with openai.AsyncOpenAI(base_url=base(server), api_key=TOKEN, http_client=http) as made:
        yield made


def decoded(data: str | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(base64.b64decode(data)))


async def test_openai_generates_with_its_extra_fields(client: openai.AsyncOpenAI) -> None:
    async def pixels(**extra: Any) -> bytes:
        answer = await client.images.generate(
            prompt="a lighthouse",
            size="256x256",
            response_format="b64_json",
            extra_body={"steps": 4} | extra,
        )
        return decoded(answer.data[0].b64_json).tobytes() if answer.data else b""

    first = await pixels(seed=7)
    assert first == await pixels(seed=7)
    assert first != await pixels(seed=8)
    assert first != await pixels(seed=7, negative_prompt="lighthouse")


async def test_openai_edits_what_the_mask_has_transparent(client: openai.AsyncOpenAI) -> None:
    image = Image.new("RGB", (256, 256), COLOUR)
    mask = Image.new("RGBA", (256, 256))
    mask.putalpha(255)
    mask.paste((0, 0, 0, 0), HOLE)
    answer = await client.images.edit(
        image=encoded(image),
        mask=encoded(mask),
        prompt="a boat",
        response_format="b64_json",
        extra_body={"steps": 4},
    )
    assert answer.data
    made = decoded(answer.data[0].b64_json).convert("RGB")
    assert made.crop(HOLE).getcolors(1) is None
    made.paste(COLOUR, HOLE)
    assert made.getcolors() == [(256 * 256, COLOUR)]


async def test_openai_makes_variations_and_streams(client: openai.AsyncOpenAI) -> None:
    picture = encoded(Image.new("RGB", (256, 256), COLOUR))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        varied = await client.images.create_variation(
            image=picture, n=2, response_format="b64_json"
        )
    assert [decoded(each.b64_json).size for each in varied.data or ()] == [(256, 256)] * 2
    stream = await client.images.generate(
        prompt="a lighthouse", model="gpt-image-1", stream=True, partial_images=3, quality="high"
    )
    events = [event async for event in stream]
    *partial, last = events
    assert last.type == "image_generation.completed"
    assert {event.type for event in partial} <= {"image_generation.partial_image"}
    assert all(decoded(event.b64_json).size == (512, 512) for event in events)


async def test_openai_raises_what_it_should(client: openai.AsyncOpenAI, server: Server) -> None:
    with pytest.raises(openai.BadRequestError, match="n: Should") as wrong:
        await client.images.generate(prompt="a lighthouse", n=11)
    assert wrong.value.param == "n"
    with pytest.raises(openai.NotFoundError) as missing:
        await client.models.retrieve("absent")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="wrong").models.list()
    models = [model.id async for model in client.models.list()]
    assert (await client.models.retrieve(models[0])).id == models[0]


async def test_langchain_gets_an_address_that_anybody_can_fetch(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.cert))
    wrapper = DallEAPIWrapper(
        base_url=base(server), api_key=TOKEN, size="256x256", model="dall-e-2"
    )
    url = await asyncio.to_thread(wrapper.run, "a lighthouse")
    wrapper.client._client.close()  # the wrapper cannot; the server would wait at its stop
    async with server.client() as anybody, anybody.get(url) as response:
        assert Image.open(io.BytesIO(await response.read())).size == (256, 256)


NODE = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.BASE, apiKey: process.env.TOKEN });
const wanted = { prompt: "a lighthouse", n: 2, size: "256x256", seed: 7, steps: 4 };
const { data } = await client.images.generate(wanted);
console.log(data.map((picture) => `${picture.seed} ${picture.b64_json.length > 999}`).join());
"""


@pytest.fixture
def node(tmp_path: Path) -> list[str]:
    """The command that runs NODE, where Node and its package openai are."""
    program, packages = shutil.which("node"), os.environ.get("NODE_PATH", "")
    if program is None or not Path(packages, "openai").is_dir():
        pytest.skip("There is no Node, or NODE_PATH has no folder with its package openai.")
    (tmp_path / "node_modules").symlink_to(packages)
    script = tmp_path / "make.mjs"
    script.write_text(NODE)
    return [program, str(script)]


async def test_the_node_sdk_generates(server: Server, node: list[str]) -> None:
    given = {"BASE": base(server), "TOKEN": TOKEN, "NODE_EXTRA_CA_CERTS": str(server.cert)}
    made = await asyncio.create_subprocess_exec(
        *node, env=environment(**given), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await made.communicate()
    assert out == b"7 true,8 true\n"
