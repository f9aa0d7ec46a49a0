import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from sdrest.engine.base import NO_OWNER
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.process import MARK, Pipe, ProcessTree, Tail, kill_orphans
from tests.fakes.running import (
    FORK,
    HOLDER,
    PATIENCE,
    Lifeline,
    collect,
    fake_repository,
    images,
    task,
)

pytestmark = pytest.mark.integration

OWNER = f"{uuid.uuid4().hex}:2a"
"""A folder of this process alone: another one may run these tests at the same time."""

# A server of the folder OWNER that runs a deaf tree, as `python -c SERVER WORKDIR PROMPT`.
SERVER = f"""
import asyncio, sys
from pathlib import Path
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.pool import PoolConfig
from tests.fakes.running import fake_repository, task

async def main():
    executor = LocalExecutor(fake_repository(), config=PoolConfig(owner="{OWNER}"))
    async for event in executor.run(task(Path(sys.argv[1]), sys.argv[2])):
        print(event, flush=True)

asyncio.run(main())
"""


@pytest.fixture(params=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    if request.param == "asyncio":
        return asyncio.Runner()
    uvloop = pytest.importorskip("uvloop")
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def start(program: str, *arguments: str, receive: bytearray | None = None) -> ProcessTree:
    stderr = Pipe((bytearray() if receive is None else receive).extend)
    tree = await ProcessTree.start(
        [sys.executable, "-c", program, *arguments], environment=os.environ, stderr=stderr
    )
    stderr.handed_over()
    tree.exited.add_done_callback(lambda _: stderr.close())
    return tree


async def exited(tree: ProcessTree) -> int | None:
    await asyncio.wait({tree.exited}, timeout=PATIENCE)
    return tree.returncode


def test_a_process_and_its_end_on_each_loop(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def main() -> None:
        written = bytearray()
        tree = await start("import sys; sys.stderr.write('x' * 300_000); sys.exit(3)",
                           receive=written)  # fmt: skip
        assert await exited(tree) == 3
        await tree.end()
        assert bytes(written) == b"x" * 300_000

    with runner:
        runner.run(main())


def test_a_whole_job_on_each_loop(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def main() -> list[int]:
        executor = LocalExecutor(fake_repository(), grace=0.2)
        deaf = executor.run(task(tmp_path / "deaf", f"deaf lifeline={line.path}"))
        await anext(deaf)
        await line.pids(3)
        await deaf.aclose()
        assert await line.all_gone()
        events = await collect(executor.run(task(tmp_path / "work", iterations=2)))
        await executor.close()
        return images(events)

    line = Lifeline(tmp_path / "lifeline")
    with runner:
        assert runner.run(main()) == [1, 2]
    line.close()


async def test_sigterm_ends_a_process_that_handles_it() -> None:
    tree = await start("import signal; signal.pause()")
    await tree.end(grace=PATIENCE)
    assert tree.returncode == -signal.SIGTERM


async def test_no_grace_is_sigkill_at_once() -> None:
    tree = await start("import signal; signal.pause()")
    await tree.end(grace=0)
    assert tree.returncode == -signal.SIGKILL


async def test_the_end_of_a_process_that_has_ended() -> None:
    tree = await start("pass")
    assert await exited(tree) == 0
    await tree.end()
    await tree.end()
    assert not psutil.pid_exists(tree.pid)  # nor is a zombie left


async def test_a_program_that_cannot_be_started() -> None:
    stderr = Pipe(bytearray().extend)
    with pytest.raises(FileNotFoundError):
        await ProcessTree.start(["/nowhere/python"], environment={}, stderr=stderr)
    stderr.handed_over()
    stderr.close()
    stderr.close()


async def test_a_loop_that_closes_ends_the_tree(lifeline: Lifeline) -> None:
    tree = await start(HOLDER, str(lifeline.path))
    await lifeline.pids(1)
    end = asyncio.create_task(tree.end(grace=PATIENCE))
    await asyncio.wait({end}, timeout=0)
    assert tree._ending
    tree._ending.cancel()  # as asyncio.run does to all tasks
    with pytest.raises(asyncio.CancelledError):
        await end
    assert await lifeline.all_gone()


def test_a_tail_keeps_the_last_bytes() -> None:
    tail = Tail(4)
    for data in (b"ab", b"cdefgh", b"\xff"):
        tail.append(data)
    assert str(tail) == "fgh\N{REPLACEMENT CHARACTER}"


async def test_sigkill_of_the_server_leaves_no_process(tmp_path: Path, lifeline: Lifeline) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, str(tmp_path / "work")),
        f"deaf_with_child lifeline={lifeline.path}",
        cwd=FORK.parents[2],
        stdout=asyncio.subprocess.DEVNULL,
    )
    await lifeline.pids(2)
    server.kill()
    await server.wait()
    assert await lifeline.all_gone()


async def test_processes_that_left_the_group_are_killed_by_the_next_server(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, str(tmp_path / "work"), f"deaf lifeline={lifeline.path}"),
        cwd=FORK.parents[2],
        stdout=asyncio.subprocess.DEVNULL,
    )
    await lifeline.pids(3)
    server.kill()
    await server.wait()
    await asyncio.to_thread(kill_orphans, OWNER)
    assert await lifeline.all_gone()


async def hold(lifeline: Lifeline, mark: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(lifeline.path)),
        env={**os.environ, **({MARK: mark} if mark else {})},
        stdin=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("mark", ["", "{shorter}b/x", "{shorter}/x", f"{NO_OWNER}/x", "x/{owner}"])
async def test_kill_orphans_leaves_other_processes_alone(lifeline: Lifeline, mark: str) -> None:
    process = await hold(lifeline, mark.format(owner=OWNER, shorter=OWNER[:-1]))
    await lifeline.pids(1)
    await asyncio.to_thread(kill_orphans, OWNER)
    await process.communicate(b"\n")
    assert process.returncode == 0


async def test_kill_orphans_without_a_lock_kills_nothing(lifeline: Lifeline) -> None:
    process = await hold(lifeline, f"{NO_OWNER}/x")
    await lifeline.pids(1)
    await asyncio.to_thread(kill_orphans, NO_OWNER)
    await process.communicate(b"\n")
    assert process.returncode == 0


async def test_an_orphan_with_an_unusual_mark_is_killed(lifeline: Lifeline) -> None:
    process = await hold(lifeline, f"{OWNER}/")
    await lifeline.pids(1)
    await asyncio.to_thread(kill_orphans, OWNER)
    async with asyncio.timeout(PATIENCE):
        await process.wait()
    assert process.returncode == -signal.SIGKILL


async def test_kill_orphans_spares_its_own_process(lifeline: Lifeline) -> None:
    program = f"from sdrest.engine.local.process import kill_orphans\nkill_orphans('{OWNER}')"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), env={**os.environ, MARK: f"{OWNER}/x"}
    )
    assert await process.wait() == 0
