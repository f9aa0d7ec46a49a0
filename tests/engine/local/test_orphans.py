"""A start ends what former servers of its output folder have left, and nothing else."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.fakes.running import Lifeline
from tests.support.fake_fork import FAKE, MODEL, post
from tests.support.server import PATIENCE, Serve, Server, environment

pytestmark = pytest.mark.integration

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long offset(void) { return atol(getenv("CLOCK_OFFSET")); }

int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (result == 0 && id == CLOCK_REALTIME) now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
"""
"""A library that lets a process and its children see another time of day."""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    if sys.platform != "linux" or not shutil.which("gcc"):
        pytest.skip("a clock of its own needs Linux and gcc")
    source, library = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True
    )
    return library


def unshare(*namespace: str) -> list[str]:
    command = ["unshare", *namespace]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip(f"the machine does not allow {' '.join(command)}")
    return command


@contextlib.asynccontextmanager
async def server_under(folder: Path, *prefix: str, env: Mapping[str, str]) -> AsyncIterator[Server]:
    """Run a server behind a command; it is killed at the end."""
    await asyncio.to_thread(folder.mkdir)
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-m", "sdrest", "--port", "0", "--plain-http", *FAKE, *MODEL),
        cwd=folder,
        env=environment(**env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    server = Server(process, folder, Path())
    try:
        await server.started()
        yield server
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):  # an idle runner may end
                    child.kill()  # behind `unshare --fork` it is the server
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await server.ended()


async def still_runs(server: Server, job: str) -> None:
    async with server.client() as client, client.get(job) as answer:
        assert (await answer.json())["status"] == "IN_PROGRESS"


@pytest.mark.parametrize(
    "place",
    ["no namespace", "--pid --fork --mount-proc", "--time --boottime 100000", "ahead", "behind"],
)
async def test_a_start_leaves_the_scripts_of_other_servers_alone(
    request: pytest.FixtureRequest, serve: Serve, tmp_path: Path, place: str
) -> None:
    prefix, env = [], {}
    if place.startswith("--"):
        prefix = unshare(*place.split())
    elif place in {"ahead", "behind"}:
        shim = request.getfixturevalue("shim")
        env = {
            "LD_PRELOAD": str(shim),
            "CLOCK_OFFSET": {"ahead": "1", "behind": "-1"}[place] + "0" * 6,
        }
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with server_under(tmp_path / "other", *prefix, env=env) as other:
        job = await post(other, f"wait_between gate={gate}", iterations=2)
        await other.out.line("2/2 ")
        async with serve(*FAKE, *MODEL, warns=True):
            pass
        await still_runs(other, job)
        command = (sys.executable, "-m", "sdrest", "generate", "paint", *FAKE, *MODEL)
        size = ("--height", "256", "--width", "256", "-o", "out")
        made = await asyncio.create_subprocess_exec(
            *command, *size, cwd=tmp_path, env=environment(), stderr=asyncio.subprocess.DEVNULL
        )
        assert await made.wait() == 0
        await still_runs(other, job)
        await asyncio.to_thread(gate.write_text, "")
        await other.out.line(f"{job.rpartition('/')[2]} Done")


async def test_a_start_on_a_copy_of_the_output_folder_ends_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(*FAKE, *MODEL, warns=True) as server:
        job = await post(server, f"wait_between gate={gate}", iterations=2)
        await server.out.line("2/2 ")
        await asyncio.to_thread(shutil.copytree, tmp_path / "output", tmp_path / "copy")
        flags = ("--output", "copy", "--delete-incomplete")
        async with serve(*FAKE, *MODEL, *flags, warns=True):
            pass
        await still_runs(server, job)
        await asyncio.to_thread(gate.write_text, "")
        await server.out.line(f"{job.rpartition('/')[2]} Done")


async def test_a_moved_output_folder_keeps_its_orphans(
    serve: Serve, tmp_path: Path, lifeline: Lifeline
) -> None:
    async with serve(*FAKE, *MODEL, warns=True, status=-signal.SIGKILL) as server:
        await post(server, f"deaf lifeline={lifeline.path}")
        await lifeline.pids(3)
        server.process.kill()
        await server.process.wait()
    (tmp_path / "output").rename(tmp_path / "moved")
    async with serve(*FAKE, *MODEL, "--output", "moved", "--delete-incomplete", warns=True):
        assert await lifeline.all_gone()


@pytest.mark.parametrize("offset", ["-1000000", "1000000"])
async def test_children_of_a_job_end_when_the_clock_is_set(
    tmp_path: Path, lifeline: Lifeline, shim: Path, offset: str
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    env = {"LD_PRELOAD": str(shim), "CLOCK_OFFSET": offset}
    async with server_under(tmp_path / "other", env=env) as server:
        job = await post(server, f"leave_children lifeline={lifeline.path} gate={gate}")
        started = set(await lifeline.pids(3))
        hosts = {child.pid for child in psutil.Process(server.process.pid).children()}
        await asyncio.to_thread(gate.write_text, "")
        await server.out.line(f"{job.rpartition('/')[2]} Done")
        children = started - hosts
        assert len(children) == 2
        numbers = itertools.count()
        async with asyncio.timeout(PATIENCE):
            while any(map(psutil.pid_exists, children)):
                following = await post(server, f"next {next(numbers)}")  # its host buries them
                await server.out.line(f"{following.rpartition('/')[2]} Done")
