"""A job table in an output folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sdrest.jobs.folders import Folders
from sdrest.jobs.store import Store


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "output")


@pytest.fixture
async def store(folders: Folders) -> AsyncIterator[Store]:
    async with Store(folders) as opened:
        yield opened
