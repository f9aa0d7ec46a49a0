"""The memory that the models take, against the machine's and the container's."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sdrest.commands import sizes
from sdrest.commands.doctor.memory import memory_findings, needed_memory, usable_memory
from sdrest.engine.local.repository import Repository, locate
from sdrest.settings import Settings
from tests.support.server import environment

GIB = 2**30


def repository(folder: Path, *, text: int | None, inpaint: int | None) -> Repository:
    """Return a repository whose checkpoints have so many bytes, all of them holes."""
    paths = []
    for name, count in (("t.ckpt", text), ("i.ckpt", inpaint)):
        paths.append(folder / name)
        if count is not None:
            with paths[-1].open("wb") as file:
                file.truncate(count)
    return Repository(folder, None, paths[0], paths[1])


PUBLISHED = {"text": sizes.TEXT_TO_IMAGE.disk, "inpaint": sizes.INPAINT.disk}


@pytest.mark.parametrize(
    ("checkpoints", "flags", "needed"),
    [
        (PUBLISHED, {}, 12.4),
        (PUBLISHED, {"max_models": 1}, 10.6),
        ({**PUBLISHED, "inpaint": None}, {}, 10.6),
        ({**PUBLISHED, "text": None}, {}, 8.0),
        ({"text": None, "inpaint": None}, {}, 12.4),
        (PUBLISHED, {"concurrency": 2}, 24.8),
        ({**PUBLISHED, "text": sizes.TEXT_TO_IMAGE.disk + 3 * GIB}, {"max_models": 1}, 13.6),
        ({**PUBLISHED, "text": sizes.TEXT_TO_IMAGE.disk - 2 * GIB}, {"max_models": 1}, 8.6),
    ],
)
def test_the_needed_memory_follows_the_models_that_are_kept(
    tmp_path: Path, checkpoints: dict[str, int | None], flags: dict[str, int], needed: float
) -> None:
    settings = Settings(**flags)  # type: ignore[arg-type]  # by name
    made = repository(tmp_path, **checkpoints)
    assert needed_memory(settings, made) / GIB == pytest.approx(needed, abs=0.01)


def group(folder: Path, limit: str, used: int, *, version: int = 2) -> None:
    names = ("memory.max", "memory.current")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(names, (limit, str(used)), strict=True):
        (folder / name).write_text(f"{text}\n")


def test_the_limit_of_a_control_group(tmp_path: Path) -> None:
    listing, cgroups = tmp_path / "listing", tmp_path / "cgroups"
    listing.write_text("0::/service/server\n")
    group(cgroups / "service", str(10**9), 4 * 10**8)  # of a parent
    group(cgroups / "service/server", "max", 10**8)
    memory = usable_memory(listing, cgroups)
    assert (memory.total, memory.free) == (10**9, 6 * 10**8)
    assert "control group" in memory.limit


def test_the_limit_of_a_container_that_sees_itself_as_the_root(tmp_path: Path) -> None:
    listing, cgroups = tmp_path / "listing", tmp_path / "cgroups"
    listing.write_text("0::/\n")
    group(cgroups, str(10**9), 2 * 10**9)
    memory = usable_memory(listing, cgroups)
    assert (memory.total, memory.free) == (10**9, 0)


def test_the_limit_of_an_old_control_group(tmp_path: Path) -> None:
    listing, cgroups = tmp_path / "listing", tmp_path / "cgroups"
    listing.write_text("5:cpu,cpuacct:/\n4:memory:/docker/1f\n1:name=systemd:/x\n")
    group(cgroups / "memory", str(10**9), 10**8, version=1)
    assert usable_memory(listing, cgroups).total == 10**9


def test_no_control_group_limits(tmp_path: Path) -> None:
    listing, cgroups = tmp_path / "listing", tmp_path / "cgroups"
    machine = psutil.virtual_memory().total
    assert usable_memory(listing, cgroups).total <= machine  # as on macOS: no such file
    listing.write_text("4:memory:/\n0::/\n")
    group(cgroups / "memory", str(2**63 - 4096), 0, version=1)
    group(cgroups, "max", 0)
    assert usable_memory(listing, cgroups).total <= machine


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
def test_the_doctor_reads_ulimit(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (7 * GIB, 7 * GIB))

    fork = tmp_path / "stable-diffusion"
    fork.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "sdrest", "doctor", "--json", "--port", "0", "--max-models", "1"],
        cwd=tmp_path,
        env=environment(),
        preexec_fn=limit,
        capture_output=True,
        check=False,
        timeout=60,
    )
    (told,) = [row for row in json.loads(done.stdout)["checks"] if row["check"] == "memory"]
    assert told["verdict"] == "warning"
    assert told["message"].startswith("ulimit -v allows 7.0 GiB of memory, ")
    assert told["message"].endswith("The models take up to 10.6 GiB.")
    assert "smaller checkpoints" in told["remedy"]
    assert "--max-models" not in told["remedy"]


def test_the_remedy_names_what_would_help(tmp_path: Path) -> None:
    settings = Settings(repository=str(tmp_path), concurrency=99, given=frozenset({"repository"}))
    (finding,) = memory_findings(settings, locate(settings))
    assert "--concurrency 1" in finding.remedy
    assert "--max-models 1" in finding.remedy
