import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sdrest.settings import FLAGS
from tests.support.in_process import run_here
from tests.support.server import environment
from tests.support.workers import running_scheduler, running_worker

pytestmark = pytest.mark.integration


def sdrest(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdrest", *words]
    env = environment(TMPDIR=str(folder), **variables)
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        ((), {}, "address is missing"),
        (("tcp://10.1.1.1",), {}, "tcp://10.1.1.1:8786 is refused: without TLS"),
        ((), {"SDREST_SCHEDULER": "front"}, "cluster.pem (--cluster-credentials): there is none"),
        (("front", "--concurrency", "0"), {}, "--concurrency of at least 1"),
        (("front", "--models", "nowhere"), {}, "There is no folder nowhere (--models)"),
        (("front", "--port", "1"), {}, "No such option"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    variables: dict[str, str],
    said: str,
) -> None:
    env = environment(TMPDIR=str(tmp_path), **variables)
    status, _, err = run_here(capfd, tmp_path, env, "worker", *words)
    assert status == 1
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_help_lists_the_flags_of_the_engine(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, text, _ = run_here(capfd, tmp_path, environment(), "help", "worker")
    for name in ("repository", "models", "concurrency", "grace", "name", "cluster_credentials"):
        assert next(flag.option for flag in FLAGS if flag.name == name) in text
    assert "--port" not in text


async def test_settings_of_dask_have_no_effect(tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    settings = folder / "home" / ".config" / "dask"
    settings.mkdir(parents=True)
    lines = ["temporary-directory: elsewhere", "distributed:", "  worker:", "    preload: [none]"]
    (settings / "dask.yaml").write_text("\n".join(lines))
    variables = {"DASK_DISTRIBUTED__WORKER__PRELOAD": "none"}
    async with (
        running_scheduler() as scheduler,
        running_worker(scheduler.address, folder, env=variables) as worker,
    ):
        await worker.out.line("Connected to")
        assert await worker.stop() == 0
    assert sorted(os.listdir(folder)) == ["cache", "home", "tmp"]  # noqa: PTH208 (names)
    (settings / "dask.yaml").write_text("broken: [")
    done = sdrest(folder, "worker", "tcp://127.0.0.1:1", HOME=str(folder / "home"))
    assert "dask.yaml' is malformed" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        async with (
            running_scheduler() as scheduler,
            running_worker(scheduler.address, tmp_path, "--worker-port", port) as worker,
        ):
            line = await worker.err.line("Cannot connect")
            assert f"cannot listen at port {port} (--worker-port): Address already in use." in line
            other.close()
            await worker.out.line("Connected to")
