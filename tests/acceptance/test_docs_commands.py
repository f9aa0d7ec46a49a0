"""Every command on the API's page, pasted into bash in the folder of a server as it starts."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from sdrest.params import JobType
from sdrest.web.examples import ID
from tests.support.server import PATIENCE, Server, environment, running

COMMAND = re.compile(r'<div class="command"><pre[^>]*><code>(.*?)</code></pre>', re.DOTALL)
NEEDED = ("bash", "curl")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"needs {' and '.join(NEEDED)}"
)


@pytest.fixture(params=["", "secret"], ids=["open", "token"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A server as it starts in an empty folder, with and without a token."""
    token = {"SDREST_TOKEN": request.param} if request.param else {}
    env = {"CAROOT": str(tmp_path), **token}
    async with running(tmp_path, tmp_path / "cert.pem", env=env) as started:
        yield started


async def bash(server: Server, script: str) -> str:
    """Run a script as a person does who pastes it; return what it prints."""
    with_token = "SDREST_TOKEN" in script
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-o", "pipefail", "-c", script),
        cwd=server.folder,
        env=environment(**({"SDREST_TOKEN": "secret"} if with_token else {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode == 0, (script, err.decode())
    return out.decode()


async def commands(server: Server) -> list[str]:
    async with server.client() as client, client.get("/docs") as answer:
        page = await answer.text()
    port = server.url.rstrip("/").rpartition(":")[2]
    return [unescape(found).replace(":8888", f":{port}") for found in COMMAND.findall(page)]


async def test_the_first_command_makes_a_picture(server: Server) -> None:
    first, *_ = await commands(server)
    out = await bash(server, first)
    assert "event: status" in out
    assert '"status":"COMPLETE"' in out
    with Image.open(server.folder / "image.png") as image:
        assert image.size == (512, 512)


async def test_every_command_works(server: Server) -> None:
    first, *others = await commands(server)
    asking, rest = others[: len(JobType)], others[len(JobType) :]
    assert len(rest) > 10
    await bash(server, first)
    Image.new("L", (512, 512), 255).save(server.folder / "image-mask.png")
    for job_type, command in zip(JobType, asking, strict=True):
        assert f"/{job_type} " in command
        out = await bash(server, command)
        found = re.search(f'"resultUrl":"/{job_type}/([0-9a-f]{{32}})"', out)
        assert found, out
        await server.out.line(f"{found[1]} Done")
        assert (found[1] == ID) is (job_type is JobType.TEXT_TO_IMAGE)
    rest.sort(key=lambda command: "--request DELETE" in command)  # else the job is gone
    for command in rest:
        if re.search(r"/events( |$)", command) and ID not in command:
            command = f"{command} --max-time 1 || test $? = 28"  # noqa: PLW2901 (it never ends)
        out = await bash(server, command)
        if "/retry" in command:
            assert "conflict" in out  # as the page says of a job that is COMPLETE
        else:
            assert '"error"' not in out[:20], (command, out)
    with Image.open(server.folder / "1.png") as image:
        assert image.size == (512, 512)
