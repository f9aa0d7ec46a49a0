"""Which processes the kernel has killed for lack of memory: a real cgroup, a real kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdrest.engine.local.failures import oom
from sdrest.engine.local.failures.oom import OomCounter
from tests.fakes.running import FORK
from tests.support.cgroups import little_memory

pytestmark = pytest.mark.integration

DEVOUR = "import os\ntaken = []\nwhile True: taken.append(os.urandom(1 << 20))"
SLEEP = "import sys; sys.stdin.read()"

# Runs a task, as `python -c SERVER WORKDIR BEHAVIOUR MIB`, and holds so much memory itself.
SERVER = """
import asyncio, os, sys
from pathlib import Path
from tests.fakes.running import failure, run_alone, task

held = os.urandom(int(sys.argv[3]) << 20)
why = failure(asyncio.run(run_alone(task(Path(sys.argv[1]), sys.argv[2]))))
print(why.code, why.details.get("signal"), why.message)
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup with little memory."""
    with little_memory() as folder:
        yield folder


def start(program: str, *arguments: str, cgroup: Path | None) -> subprocess.Popen[str]:
    """Start a program, in a cgroup from its first instruction on."""
    join = f"from pathlib import Path\nPath({str(cgroup / 'cgroup.procs')!r}).write_text('0')\n" \
        if cgroup else ""  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", f"{join}{program}", *arguments],
        cwd=FORK.parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_kill_for_memory_is_counted_in_its_cgroup(cgroup: Path) -> None:
    with start(SLEEP, cgroup=cgroup) as other, start(SLEEP, cgroup=None) as outside:
        wait_for(cgroup, other.pid)
        inside, elsewhere = OomCounter(other.pid), OomCounter(outside.pid)
        before = inside.increased()
        with start(DEVOUR, cgroup=cgroup) as devourer:
            assert devourer.wait() == -signal.SIGKILL
        assert (before, inside.increased()) == (False, True)
        assert elsewhere.increased() is not None
        for process in (other, outside):
            process.communicate()


def wait_for(cgroup: Path, pid: int) -> None:
    while str(pid) not in (cgroup / "cgroup.procs").read_text().split():
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts such kills")
def test_another_kill_is_not_counted() -> None:
    counter = OomCounter(os.getpid())
    with start(SLEEP, cgroup=None) as process:
        process.kill()
    assert counter.increased() is False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts such kills")
def test_a_kill_in_a_cgroup_below_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cgroup v2 counts both ways; here its files are stood in for, as machines may have v1."""
    monkeypatch.setattr(oom, "_CGROUPS", tmp_path)
    counts = {name: tmp_path / name for name in ("memory.events", "memory.events.local")}
    for path in counts.values():
        path.write_text("oom 0\noom_kill 0\n")
    counter = OomCounter(os.getpid())
    counts["memory.events"].write_text("oom 1\noom_kill 1\n")
    assert counter.increased() is False
    counts["memory.events.local"].write_text("oom 1\noom_kill 1\n")
    assert counter.increased() is True


def test_of_no_process_nothing_is_known() -> None:
    assert OomCounter().increased() is None


@pytest.mark.parametrize(
    ("behaviour", "expected"), [("devour", "out_of_memory SIGKILL"), ("killed", "killed SIGKILL")]
)
def test_a_script_that_the_kernel_kills_has_run_out_of_memory(
    cgroup: Path, tmp_path: Path, behaviour: str, expected: str
) -> None:
    with start(SERVER, str(tmp_path / "work"), behaviour, "0", cgroup=cgroup) as server:
        out, _ = server.communicate()
    assert out.startswith(expected), out
    assert ("memory" in out) == (behaviour == "devour")


def test_the_kernel_ends_a_script_before_its_server(cgroup: Path, tmp_path: Path) -> None:
    with start(SERVER, str(tmp_path / "work"), "devour", "100", cgroup=cgroup) as server:
        out, _ = server.communicate()
    assert server.returncode == 0
    assert out.startswith("out_of_memory SIGKILL"), out
