"""What a plain server and `--help` do not load: Dask takes half a second and 50 MB."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server, environment

pytestmark = pytest.mark.integration

TRACE = {"PYTHONPROFILEIMPORTTIME": "1"}
HEAVY = {"distributed", "dask", "tornado"}


def imported(lines: list[str]) -> set[str]:
    """Return the packages that Python says it has imported."""
    found = (re.match(r"import time:.*\| +(\w+)", line) for line in lines)
    return {match[1] for match in found if match}


async def test_a_plain_server_does_not_load_dask(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sdrest", "--plain-http", "--port", "0"),
        cwd=tmp_path,
        env=environment(**TRACE),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    server = Server(process, tmp_path, tmp_path)
    await server.started()
    async with server.client() as client, client.get("/workers") as answer:
        assert answer.status == 200
    assert await server.stop() == 0
    packages = imported(server.err.lines)
    assert {"sdrest", "aiohttp"} <= packages
    assert not HEAVY & packages


@pytest.mark.parametrize("words", [["--help"], ["cluster", "--help"], ["service", "--help"]])
def test_help_loads_neither_dask_nor_the_server(tmp_path: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sdrest", *words],
        cwd=tmp_path,
        env=environment(**TRACE),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    packages = imported(done.stderr.splitlines())
    assert "click" in packages
    assert not packages & {*HEAVY, "aiohttp", "cryptography"}
