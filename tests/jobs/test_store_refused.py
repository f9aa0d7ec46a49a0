"""What is not a job table of this version, or is another server's, is refused and left alone."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sdrest.errors import (
    UsageError,
)
from sdrest.jobs.folders import Folders
from sdrest.jobs.store import Store
from tests.support.jobs import add


async def test_a_second_server_is_refused(store: Store, folders: Folders) -> None:
    with pytest.raises(UsageError, match="Another server") as caught:
        await Store(folders).open()
    assert str(folders.output) in caught.value.message
    program = (
        "import asyncio, pathlib, sys; from sdrest.jobs.folders import Folders;"
        "from sdrest.jobs.store import Store;"
        "asyncio.run(Store(Folders(pathlib.Path(sys.argv[1]))).open())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folders.output), stderr=subprocess.PIPE
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert b"UsageError: Another server (process " in stderr
    await add(store, "a")


async def test_a_lock_that_is_a_link_is_refused(folders: Folders, tmp_path: Path) -> None:
    folders.create()
    folders.lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="Cannot lock"):
        await Store(folders).open()
    assert not (tmp_path / "elsewhere").exists()


async def refusal(folders: Folders) -> str:
    with pytest.raises(UsageError) as caught:
        await Store(folders).open()
    folders.database.unlink()
    async with Store(folders):  # the lock was given back
        pass
    return caught.value.message


async def test_what_is_no_database_is_refused(folders: Folders) -> None:
    folders.create()
    folders.database.write_bytes(b"These are the notes of somebody." * 100)
    assert "file is not a database" in await refusal(folders)


async def test_a_database_of_another_program_is_refused(folders: Folders) -> None:
    folders.create()
    connection = sqlite3.connect(folders.database)
    connection.execute("CREATE TABLE jobs (id)")
    connection.close()
    assert "another program" in await refusal(folders)


async def test_a_later_database_is_refused(folders: Folders) -> None:
    async with Store(folders):
        pass
    connection = sqlite3.connect(folders.database)
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    assert "later version" in await refusal(folders)


async def test_a_broken_database_is_refused(folders: Folders) -> None:
    async with Store(folders) as store:
        await asyncio.gather(*(add(store, f"job {number}") for number in range(500)))
    content = folders.database.read_bytes()
    folders.database.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    message = await refusal(folders)
    assert "damaged" in message or "malformed" in message


async def test_a_truncated_database_is_refused(folders: Folders) -> None:
    async with Store(folders) as store:
        await asyncio.gather(*(add(store, f"job {number}") for number in range(500)))
    folders.database.write_bytes(folders.database.read_bytes()[:-4096])
    message = await refusal(folders)
    assert "damaged" in message or "malformed" in message
