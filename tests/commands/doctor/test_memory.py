"""The memory that the models take, against the machine's and the container's."""

import json
import math
import platform
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sdrest.checkpoints.catalog import Catalog
from sdrest.checkpoints.contents import read
from sdrest.commands import sizes
from sdrest.commands.doctor.memory import memory_findings, model_findings
from sdrest.engine.local.memory import (
    Memory,
    Model,
    expected_attention,
    fitting,
    gpu_memory,
    models,
    needed_memory,
    published,
    usable_memory,
)
from sdrest.engine.local.repository import Repository, locate
from sdrest.job_types import JobType
from sdrest.settings import Settings
from tests.support.paths import DATA
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
    return Repository(folder, None, paths[0], paths[1], models=Catalog(folder / "models", {}))


PUBLISHED = {"text": sizes.TEXT_TO_IMAGE.disk, "inpaint": sizes.INPAINT.disk}


@pytest.mark.parametrize(
    ("checkpoints", "flags", "needed"),
    [
        (PUBLISHED, {"max_models": 2}, 11.95),
        (PUBLISHED, {"max_models": 1}, 7.97),
        ({**PUBLISHED, "inpaint": None}, {"max_models": 2}, 7.27),
        (PUBLISHED, {"max_models": 1, "attention": "exact"}, 8.87),
        ({**PUBLISHED, "text": None}, {"max_models": 2}, 7.97),
        ({"text": None, "inpaint": None}, {"max_models": 2}, 11.95),
        (PUBLISHED, {"concurrency": 2, "max_models": 2}, 23.89),
        (PUBLISHED, {"concurrency": 2, "max_models": 2, "attention": "exact"}, 25.69),
        ({**PUBLISHED, "text": sizes.TEXT_TO_IMAGE.disk + 3 * GIB}, {"max_models": 1}, 10.27),
        (
            {**PUBLISHED, "text": sizes.TEXT_TO_IMAGE.disk - GIB // 2, "inpaint": None},
            {"max_models": 1},
            6.77,
        ),
    ],
)
def test_the_needed_memory_follows_the_models_that_are_kept(
    tmp_path: Path, checkpoints: dict[str, int | None], flags: dict[str, int], needed: float
) -> None:
    settings = Settings(**{"attention": "fast", **flags})  # type: ignore[arg-type]  # by name
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


@pytest.mark.parametrize("name", ["bfloat16.ckpt", "ema.ckpt", "whole.ckpt"])
def test_a_model_is_in_float32_and_averaged_weights_count_for_inpainting(name: str) -> None:
    path = DATA / "checkpoints" / name
    contents = read(path)
    assert contents is not None
    counts = {key: math.prod(weight.shape) for key, weight in contents.weights.items()}
    trained = [count for key, count in counts.items() if not key.startswith("model_ema.")]
    none = path.with_name("none")
    no_more = Catalog(none, {})
    text, _ = models(Repository(DATA, None, path, none, models=no_more))
    assert text.size == 4 * sum(trained)
    missing, inpaint = models(Repository(DATA, None, none, path, models=no_more))
    assert inpaint.size == 4 * sum(counts.values())
    assert not missing.exists


@pytest.mark.parametrize(
    ("gib", "concurrency", "gpu", "kept"),
    [
        (23, 1, None, 2),
        (11.9, 1, None, 1),
        (12, 1, None, 2),
        (2, 1, None, 1),
        (16, 2, None, 1),
        (24, 2, None, 2),
        (64, 1, 6, 1),
        (64, 1, 12, 2),
        (64, 2, 12, 1),
        (8, 1, 48, 1),
    ],
)
def test_as_many_models_stay_as_fit(
    gib: float, concurrency: int, gpu: int | None, kept: int
) -> None:
    found = fitting(
        [published(JobType.TEXT_TO_IMAGE), published(JobType.INPAINT_IMAGE)],
        concurrency=concurrency,
        memory=round(gib * GIB),
        gpu=gpu and gpu * GIB,
    )
    assert found == kept


@pytest.mark.parametrize(
    ("asked", "system", "machine", "used"),
    [
        ("auto", "darwin", "arm64", "exact"),
        ("fast", "darwin", "arm64", "fast"),
        ("auto", "darwin", "x86_64", "fast"),
        ("auto", "linux", "aarch64", "fast"),
        ("exact", "linux", "x86_64", "exact"),
    ],
)
def test_the_memory_is_that_of_the_attention_that_will_run(
    monkeypatch: pytest.MonkeyPatch, asked: str, system: str, machine: str, used: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert expected_attention(Settings(attention=asked)) == used


def test_the_memory_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\ntest "$1" = --query-gpu=memory.total && echo 8188 && echo 9\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    gpu_memory.cache_clear()
    assert gpu_memory() == 8188 * 2**20
    program.write_text("#!/bin/sh\necho No devices were found; exit 6\n")
    gpu_memory.cache_clear()
    assert gpu_memory() is None
    gpu_memory.cache_clear()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
def test_the_doctor_reads_ulimit(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 * GIB, 6 * GIB))

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
    (memory,) = [row for row in json.loads(done.stdout)["checks"] if row["check"] == "memory"]
    assert memory["verdict"] == "warning"
    assert memory["message"].startswith("ulimit -v allows 6.0 GiB of memory, ")
    assert memory["message"].endswith("The models take up to 8.0 GiB.")
    assert "smaller checkpoints" in memory["remedy"]
    assert "--max-models" not in memory["remedy"]


def test_the_remedy_names_what_would_help(tmp_path: Path) -> None:
    settings = Settings(
        repository=str(tmp_path), concurrency=99, max_models=2, given=frozenset({"repository"})
    )
    (finding,) = memory_findings(settings, locate(settings))
    assert "--concurrency 1" in finding.remedy
    assert "--max-models 1" in finding.remedy


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
@pytest.mark.parametrize(("gib", "kept", "fits"), [(9, 1, True), (15, 2, True), (4, 1, False)])
def test_auto_and_what_each_checkpoint_takes_under_a_limit(
    tmp_path: Path, gib: int, kept: int, fits: bool
) -> None:
    found = repository(tmp_path, **PUBLISHED)
    program = (
        "import resource, sys; limit = int(sys.argv.pop(1)) << 30;"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit));"
        "from sdrest.__main__ import main; sys.exit(main())"
    )
    flags = (
        *("--repository", str(tmp_path), "--text-to-image-model", str(found.text_to_image_model)),
        *("--inpaint-image-model", str(found.inpaint_image_model), "--port", "0", "--json"),
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(gib), "doctor", *flags],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    rows = [row for row in json.loads(done.stdout)["checks"] if row["check"] == "memory"]
    assert {row["verdict"] for row in rows} == {"ok" if fits else "warning"}
    first, *others = [row["message"] for row in rows]
    assert f"a process keeps {kept} loaded" in first
    assert others == (
        [f"2 checkpoints fit into the memory; {kept} at once."]
        if fits
        else [
            f"{path} takes up to {size} GiB, more than there is: its jobs may fail."
            for path, size in ((found.text_to_image_model, 7.3), (found.inpaint_image_model, "8.0"))
        ]
    )


def test_a_checkpoint_that_does_not_fit_is_named_by_its_place_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    made = [
        Model(folder / "styles" / "large.ckpt", JobType.TEXT_TO_IMAGE, 20 * GIB),
        Model(tmp_path / "t.ckpt", JobType.TEXT_TO_IMAGE, 4 * GIB),
        Model(folder / "small.ckpt", JobType.TEXT_TO_IMAGE, 2 * GIB),
    ]
    findings = model_findings(Memory(16 * GIB, 0), made, folder, attention="fast", at_once=2)
    assert [finding.message for finding in findings] == [
        "styles/large.ckpt takes up to 23.3 GiB, more than there is: its jobs may fail.",
        "2 checkpoints fit into the memory; 2 at once.",
    ]
    (finding,) = model_findings(Memory(8 * GIB, 0), made[2:], folder, attention="fast", at_once=1)
    assert finding.message == "1 checkpoint fits into the memory."
