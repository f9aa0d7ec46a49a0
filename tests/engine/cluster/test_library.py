"""Dask's own settings, which a user may have for other programs."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import FRONT
from tests.support.server import Serve, environment

pytestmark = pytest.mark.integration

OTHERS = """
distributed:
  comm: {require-encryption: true}
  scheduler: {preload: ["/nowhere/preload.py"]}
  logging: {distributed: debug}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The file of the settings, in a home of its own."""
    folder = tmp_path / "home/.config/dask"
    folder.mkdir(parents=True)
    return folder / "distributed.yaml"


async def test_settings_of_other_programs_have_no_effect(
    tmp_path: Path, serve: Serve, settings: Path
) -> None:
    await asyncio.to_thread(settings.write_text, OTHERS)
    async with serve(*FRONT, env={"HOME": str(tmp_path / "home")}):  # nothing on stderr
        pass
    assert os.listdir(settings.parent) == [settings.name]  # noqa: PTH208 (a test's own folder)
    assert not {*os.listdir(tmp_path)} - {"home", "output"}  # noqa: PTH208 (as above)


def test_damaged_settings_are_one_line(tmp_path: Path, settings: Path) -> None:
    settings.write_text("distributed: [")
    done = subprocess.run(
        [sys.executable, "-m", "sdrest", "--plain-http", "--port", "0", *FRONT],
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path / "home")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{settings}' is malformed" in done.stderr
