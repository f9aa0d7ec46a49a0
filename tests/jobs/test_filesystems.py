"""Output folders on file systems that lack something: each job type completes on each of them.

Errors of network file systems come from a library that is loaded before the C library; real volumes
are in test_volumes.py.
"""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.every_job import (
    FLAGS,
    all_complete,
    completes,
    ended,
    form,
    generated,
    problems,
    tidy,
)
from tests.support.filesystems import Shim, build_shim
from tests.support.server import Serve, environment

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return build_shim(tmp_path_factory.mktemp("shim"))


UNLOCKED = "cannot lock files"


SLOW_TABLE = "rollback journal"


UNSYNCED = "cannot sync folders"


COPIED = "copies its model"


ALL_AT_ONCE = (
    "shared_memory=EINVAL,flock=ENOLCK,posix_lock=ENOLCK,fsync_folder=EINVAL,symlink=EPERM,"
    "link=EPERM,rename=EXDEV,chmod=EPERM"
)


@pytest.mark.parametrize(
    ("faults", "limitations"),
    [
        ("flock=ENOLCK,symlink=EPERM,rename=EXDEV", ()),
        ("flock=EOPNOTSUPP,symlink=EOPNOTSUPP,link=EPERM", ()),
        ("flock=ENOSYS,symlink=EROFS,link=ENOSYS,chmod=EPERM", ()),
        ("flock=EOPNOTSUPP,posix_lock=EINVAL", (UNLOCKED, SLOW_TABLE)),
        ("shared_memory=ENODEV,fsync_folder=EACCES", (SLOW_TABLE, UNSYNCED)),
        (ALL_AT_ONCE, (UNLOCKED, SLOW_TABLE, UNSYNCED)),
    ],
)  # fmt: skip
async def test_every_job_completes_on_a_network_file_system_that_lacks(
    serve: Serve, shim: Shim, tmp_path: Path, faults: str, limitations: tuple[str, ...]
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "temporary").mkdir()
    env = shim.environment(tmp_path / "output", faults)
    env |= {"TMPDIR": str(tmp_path / "temporary")}  # where links work
    async with serve(*FLAGS, env=env, warns=True) as server:
        await all_complete(server)
        said = await problems(server)
    for sentence in (UNLOCKED, SLOW_TABLE, UNSYNCED, COPIED):
        assert (sentence in said) == (sentence in limitations)
    logged = "\n".join(server.err.lines)
    for sentence in {UNLOCKED, SLOW_TABLE} & {*limitations}:
        assert logged.count(sentence) == 1
    tidy(tmp_path / "output")
    assert list((tmp_path / "temporary").glob("sdrest-*")) == []
    if not limitations:
        return
    checked = doctor(tmp_path, env)
    assert all(sentence in checked for sentence in limitations)
    async with serve(*FLAGS, env=env, warns=True) as server:  # the table is there now
        await completes(server, "text-to-image")


def test_which_errors_mean_that_a_folder_cannot_be_synced(shim: Shim, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from sdrest.jobs.durable import sync_path\n"
        "for name in sys.argv[1:]:\n"
        "    os.environ['SHIM_FAULTS'] = f'fsync_folder={name}'\n"
        "    try:\n"
        "        sync_path(Path())\n"
        "    except OSError:\n"
        "        print(name)\n"
    )
    names = ("EINVAL", "ENOSYS", "EOPNOTSUPP", "EACCES", "EIO", "ENOSPC")
    env = environment(**shim.environment(tmp_path, ""))
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        cwd=tmp_path, env=env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["EIO", "ENOSPC"]


def doctor(folder: Path, env: Mapping[str, str]) -> str:
    """Return what the doctor says of the file system and the table of the output folder."""
    done = subprocess.run(
        [sys.executable, "-m", "sdrest", "doctor", "--plain-http", "--port", "0", *FLAGS],
        cwd=folder, env=environment(**env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert any(line.startswith("success job table: ") for line in lines), done.stdout
    return "\n".join(line for line in lines if "file system: " in line)


async def test_without_links_anywhere_an_inpainting_job_copies_its_model(
    serve: Serve, shim: Shim, tmp_path: Path
) -> None:
    env = shim.environment(tmp_path, "symlink=EPERM,link=EPERM")
    (tmp_path / "temporary").mkdir()
    async with serve(*FLAGS, env=env | {"TMPDIR": str(tmp_path / "temporary")}, warns=True) as it:
        assert COPIED in await problems(it)
        await completes(it, "inpaint-image")
    tidy(tmp_path / "output")
    assert list((tmp_path / "temporary").iterdir()) == []


async def test_a_table_in_wal_mode_is_used_where_there_is_no_shared_memory(
    serve: Serve, shim: Shim, tmp_path: Path
) -> None:
    table = tmp_path / "output" / ".sdrest" / "jobs.sqlite3"
    async with serve(*FLAGS, warns=True) as server:
        await completes(server, "text-to-image")
    for faults in ("shared_memory=ENODEV", "posix_lock=ENOLCK", ""):
        connection = sqlite3.connect(table)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        env = shim.environment(tmp_path / "output", faults)
        async with serve(*FLAGS, env=env, warns=True) as server:
            async with server.client() as client, client.get("jobs") as answer:
                assert len((await answer.json())["jobs"]) == 1
            await completes(server, "text-to-image")


@pytest.mark.parametrize("faults", ["flock=EOPNOTSUPP", ""])
async def test_a_second_server_is_noticed_where_there_are_only_posix_locks(
    serve: Serve, shim: Shim, tmp_path: Path, faults: str
) -> None:
    (tmp_path / "output").mkdir()
    env = shim.environment(tmp_path / "output", faults)
    async with serve(*FLAGS, env=env, warns=True) as server:
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sdrest", "--plain-http", "--port", "0", *FLAGS),
            cwd=tmp_path, env=environment(**env), stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await done.communicate()
        assert done.returncode == 1
        assert f"Another server (process {server.process.pid}) uses" in said.decode()


@pytest.mark.parametrize(
    ("folder", "faults"),
    [
        ("text-to-image", "fsync_folder=EIO"),
        (".sdrest/work", "fsync_file=EINVAL"),
    ],
)
async def test_an_error_of_the_disk_stays_an_error(
    serve: Serve, shim: Shim, tmp_path: Path, folder: str, faults: str
) -> None:
    env = shim.environment(tmp_path / "output" / folder, faults)
    async with serve(*FLAGS, env=env, warns=True) as server, server.client() as client:
        async with client.post(
            "text-to-image", data=form("text-to-image"), allow_redirects=False
        ) as answer:
            place = answer.headers["Location"].lstrip("/")
        job = await ended(client, place)
        assert (job["status"], job["error"]["code"]) == ("FAILED", "storage_failed")


def test_generate_takes_the_next_name_without_hard_links(shim: Shim, tmp_path: Path) -> None:
    env = shim.environment(tmp_path, "link=EPERM")
    for number in (1, 2):
        image = generated(tmp_path / "output", number, env)
        assert image.stat().st_size
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == ["1.png", "2.png"]


def test_a_certificate_is_made_without_chmod(shim: Shim, tmp_path: Path) -> None:
    program = (
        "from sdrest.commands.certificate.files import provide\n"
        "from sdrest.settings import Settings\n"
        "provide(Settings())\n"
    )
    env = environment(**shim.environment(tmp_path, "chmod=EPERM"))
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


def test_a_set_up_needs_no_lock_of_a_folder(shim: Shim, tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from pathlib import Path\n"
        "from sdrest.commands.setup.lock import locked\n"
        "for name in ('ENOLCK', 'ENOSYS', 'EOPNOTSUPP'):\n"
        "    os.environ['SHIM_FAULTS'] = f'flock={name}'\n"
        "    with locked(Path('fork')):\n"
        "        print(name, 'works')\n"
    )
    env = environment(**shim.environment(tmp_path, ""))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, check=True, capture_output=True
    )
    assert done.stdout == b"ENOLCK works\nENOSYS works\nEOPNOTSUPP works\n"
