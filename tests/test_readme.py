"""What the README says is so."""

import asyncio
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from pydantic.alias_generators import to_snake

from sdrest.cli import COMMANDS
from sdrest.commands.options import settings
from sdrest.job_types import JobType
from sdrest.params import PARAMS_BY_TYPE
from sdrest.web.description.bodies import schemas
from tests.support.paths import ROOT
from tests.support.server import PATIENCE, Server, environment, running

pytestmark = pytest.mark.integration

README = (ROOT / "README.md").read_text(encoding="utf-8")
SIZE = (512, 384)


def block(after: str) -> str:
    """Return the shell commands that follow a text."""
    found = re.search(rf"{re.escape(after)}.*?```sh\n(.*?)```", README, re.DOTALL)
    assert found, after
    return found[1]


def test_tables_are_those_of_the_declarations() -> None:
    command = [sys.executable, str(ROOT / "docs" / "tables.py"), "--check"]
    done = subprocess.run(command, check=False, timeout=PATIENCE)
    assert done.returncode == 0, "run `make docs`"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^):#]+)[)#]", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_command_that_starts_the_server_is_understood() -> None:
    program, *words = shlex.split(block("every path spelled out"))
    assert program == ".venv/bin/sdrest"
    read = settings(COMMANDS["serve"]().make_context("sdrest", words))
    assert {"output", "port", "concurrency"} < read.given


def test_generate_has_an_option_for_each_field_but_those_named() -> None:
    sentence = re.search(r"Every field of the API is an option([^.]*)\.", README)
    assert sentence
    bodies = [schemas()[f"{model.__name__}Form"] for model in PARAMS_BY_TYPE.values()]
    fields = {to_snake(name) for body in bodies for name in body["properties"]}
    options = {option.name for option in COMMANDS["generate"]().params}
    named = {to_snake(name) for name in re.findall(r"`(\w+)`", sentence[1])}
    assert fields - options == named


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server started in an empty folder that then gets the pictures of the examples."""
    cert = tmp_path / "cert.pem"
    async with running(tmp_path, cert, env={"CAROOT": str(tmp_path)}) as started:
        image = Image.linear_gradient("L").resize(SIZE).convert("RGB")
        image.save(tmp_path / "image.png")
        mask = Image.new("L", SIZE)
        ImageDraw.Draw(mask).ellipse((150, 100, 350, 300), fill=255)
        mask.save(tmp_path / "image-mask.png")
        yield started


def test_the_newest_of_many_pictures_becomes_the_image(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b c", "d")):
        folder = tmp_path / "output/text-to-image" / name
        folder.mkdir(parents=True)
        (folder / "1.png").write_text(name)
        os.utime(folder / "1.png", (number % 2, number % 2))
    subprocess.run(["sh", "-ec", block("this takes the newest")], cwd=tmp_path, check=True)
    assert (tmp_path / "image.png").read_text() == "b c"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_first_block_ends_with_a_picture(server: Server) -> None:
    port = server.url.rstrip("/").rpartition(":")[2]
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", block("<!-- first picture -->").replace("8888", port)),
        cwd=server.folder,
        env=environment(),
    )
    async with asyncio.timeout(PATIENCE):
        assert await shell.wait() == 0
    with Image.open(server.folder / "lighthouse.png") as picture:
        assert picture.size == (512, 512)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_three_requests_work_as_they_stand(server: Server) -> None:
    port = server.url.rstrip("/").rpartition(":")[2]
    script = block("trust it:")
    for job_type in JobType:
        script += "echo; " + block(f"<!-- request: {job_type} -->").replace("8888", port)
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", script),
        cwd=server.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await shell.communicate()
    assert shell.returncode == 0, err
    urls = re.findall(r'"resultUrl":"([^"]+)"', out.decode())
    assert [url.split("/")[1] for url in urls] == list(JobType)
    async with server.client() as client:
        for url, images in zip(urls, (3, 3, 1), strict=True):
            await server.out.line(f"{url.rpartition('/')[2]} Done")
            async with client.get(url) as answer:
                assert await answer.json() == {
                    "imageUrls": [f"{url}/{number}.png" for number in range(1, images + 1)],
                    "resultUrl": url,
                    "status": "COMPLETE",
                }
            sums = set()
            for number in range(1, images + 1):
                async with client.get(f"{url}/{number}.png") as answer:
                    data = await answer.read()
                    sums.add(hashlib.sha256(data).hexdigest())
                    size = Image.open(io.BytesIO(data)).size
                    assert size == ((512, 512) if "text-to-image" in url else SIZE)
            assert len(sums) == images
    assert urls[0] == "/text-to-image/5665cb87031fe0e8953778ee9e76743c"  # the original's id
