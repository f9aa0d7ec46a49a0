"""schemathesis reads the API's description and finds nothing that the server does not keep."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sdrest.web.openapi import document
from tests.support.server import PATIENCE, Serve, Server, environment
from tests.support.web import FORK

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("schemathesis")
CONFIG = ROOT / "tests" / "support" / "schemathesis.toml"
TOKEN = "a-secret-of-many-letters"
FLAGS = ("--plain-http", "--repository", str(FORK), "--python", sys.executable)


async def examined(server: Server, examples: int, *flags: str) -> str:
    """Let schemathesis ask; return its report."""
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--config-file", CONFIG, "run", f"{url}openapi.json"),
        *("--max-examples", str(examples), *flags),
        cwd=server.folder,
        env=environment(PYTHONPATH=str(ROOT), COLUMNS="200"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(2 * PATIENCE):
        report, _ = await process.communicate()
    assert process.returncode == 0, report.decode()
    return report.decode()


@pytest.mark.timeout(3 * PATIENCE)
async def test_the_server_keeps_what_its_description_says(serve: Serve) -> None:
    async with serve(*FLAGS) as server:
        report = await examined(server, 8)
        for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
            assert f"✅ {phase}" in report
        described = sum(map(len, document()["paths"].values()))
        assert f"Tested: {described - 1}\n" in report  # all but the stream without an end


@pytest.mark.timeout(3 * PATIENCE)
async def test_a_server_with_a_token_lets_nobody_in_without_it(serve: Serve) -> None:
    async with serve(*FLAGS, env={"SDREST_TOKEN": TOKEN}) as server:
        await examined(
            server, 4, "--phases", "coverage,fuzzing", "--header", f"Authorization: Bearer {TOKEN}"
        )
