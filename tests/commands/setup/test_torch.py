"""Which build of torch is installed: a GPU, the options and what indexes have decide."""

import json
import os
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdrest.commands.gpu import has_nvidia_gpu
from sdrest.commands.setup import environment as setup_environment
from sdrest.commands.setup.environment import Packages, normalised, pins_of, platform_name
from sdrest.commands.setup.step import StepError
from sdrest.commands.setup.torch_build import (
    CPU_INDEX,
    TorchBuild,
    cpu_index,
    is_cpu_build,
    is_other_build,
)
from sdrest.commands.terminal import Terminal
from tests.support.setup_machine import Machine

pytestmark = pytest.mark.integration

LINUX = "linux-x86_64"
PACKAGES = Path(setup_environment.__file__).with_name("packages")
has_the_choice = pytest.mark.skipif(
    platform_name() != LINUX, reason="this platform has one build of torch alone"
)
CPU_PINS, CUDA_PINS = "torch-linux-x86_64-cpu.txt", "torch-linux-x86_64.txt"


@pytest.fixture
def machine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capfd)


@pytest.fixture
def terminal(capfd: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with Terminal() as opened:
        yield opened
    capfd.readouterr()


def test_the_cpu_build_is_for_linux_on_x86_64_without_a_gpu() -> None:
    auto, cpu, cuda = TorchBuild.AUTO, TorchBuild.CPU, TorchBuild.CUDA
    assert is_cpu_build(auto, platform=LINUX, gpu=False)
    assert not is_cpu_build(auto, platform=LINUX, gpu=True)
    assert is_cpu_build(cpu, platform=LINUX, gpu=True)
    assert not is_cpu_build(cuda, platform=LINUX, gpu=False)
    for platform in ("linux-aarch64", "macos-arm64"):
        assert not is_cpu_build(cpu, platform=platform, gpu=False)


def test_the_index_of_the_cpu_build() -> None:
    assert cpu_index("", "") == CPU_INDEX
    assert cpu_index("", "https://mirror.example") == ""
    assert cpu_index("https://cpu.example", "https://mirror.example") == "https://cpu.example"


@pytest.mark.parametrize(
    ("build", "installed", "other"),
    [
        ("auto", "2.9.1+cpu", False),
        ("auto", "2.9.1", False),
        ("cuda", "2.9.1+cpu", True),
        ("cuda", "2.9.1", False),
        ("cpu", "2.9.1", True),
        ("cpu", "2.9.1+cpu", False),
    ],
)
def test_a_build_that_was_named_replaces_the_other_one(
    build: str, installed: str, *, other: bool
) -> None:
    found = {"torch": installed}
    assert is_other_build(TorchBuild(build), found, platform=LINUX) is other
    assert not is_other_build(TorchBuild(build), found, platform="macos-arm64")
    assert not is_other_build(TorchBuild(build), {}, platform=LINUX)


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("echo 'GPU 0: NVIDIA GeForce RTX 3060 (UUID: GPU-1)'", True),
        ("echo 'NVIDIA-SMI has failed because it could not communicate'; exit 9", False),
        ("echo 'No devices found.'", False),
    ],
)
def test_a_gpu_is_seen_by_nvidia_smi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, *, found: bool
) -> None:
    path = tmp_path / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert has_nvidia_gpu(tmp_path / "no driver") is found


def test_a_gpu_is_seen_by_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "driver/gpus").mkdir(parents=True)
    (tmp_path / "driver/gpus/0000:01:00.0").mkdir()
    assert has_nvidia_gpu(tmp_path / "driver")


def installed(machine: Machine, *options: str, **variables: str) -> tuple[list[list[str]], str]:
    """Return what a set-up asked pip to install, and its stderr."""
    log = machine.fifo.with_name("pip.log")
    log.unlink(missing_ok=True)
    status, _, err = machine.run(*options, **variables)
    assert status == 0, err
    return [json.loads(line) for line in log.read_text().splitlines()], err


def files(calls: list[list[str]]) -> list[str]:
    return [Path(call[-1]).name for call in calls]


@has_the_choice
def test_without_a_gpu_the_cpu_build_is_installed(machine: Machine) -> None:
    calls, err = installed(machine, "--torch-build", "cpu")
    assert files(calls) == [CPU_PINS, "main.txt", "without-dependencies.txt"]
    assert calls[0][calls[0].index("--extra-index-url") + 1] == CPU_INDEX
    assert not any("--extra-index-url" in call for call in calls[1:])
    assert "warning" not in err


@has_the_choice
def test_with_a_gpu_the_other_build_is_installed(machine: Machine) -> None:
    program = machine.bin / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200'\n")
    program.chmod(0o755)
    calls, _ = installed(machine)
    assert files(calls)[0] == CUDA_PINS
    assert not any("--extra-index-url" in call for call in calls)


@has_the_choice
def test_a_mirror_is_asked_alone_and_may_lack_the_cpu_build(machine: Machine) -> None:
    if has_nvidia_gpu():
        pytest.skip("this machine has a GPU")
    mirror = ("--index-url", "https://mirror.example/simple")
    calls, err = installed(machine, *mirror, FAKE_NO_CPU_BUILD="1")
    assert files(calls)[:2] == [CPU_PINS, CUDA_PINS]
    assert all(call[call.index("--index-url") + 1] == mirror[1] for call in calls)
    assert not any("--extra-index-url" in call for call in calls)
    assert "warning No index that pip reached has torch's CPU build." in err


@has_the_choice
def test_the_cpu_build_has_an_index_of_its_own_beside_a_mirror(machine: Machine) -> None:
    indexes = ("--index-url", "https://a.example", "--torch-index-url", "https://b.example")
    calls, _ = installed(machine, *indexes, "--torch-build", "cpu")
    assert calls[0][calls[0].index("--extra-index-url") + 1] == "https://b.example"


@has_the_choice
def test_a_cpu_build_that_was_named_and_is_nowhere_fails(machine: Machine) -> None:
    status, _, err = machine.run("--torch-build", "cpu", FAKE_NO_CPU_BUILD="1")
    assert status == 1
    assert "error packages: " in err


@has_the_choice
def test_the_other_build_replaces_the_cpu_build_when_it_is_named(machine: Machine) -> None:
    installed(machine, "--torch-build", "cpu")
    calls, _ = installed(machine, "--torch-build", "cuda")
    assert files(calls) == [CUDA_PINS]
    assert "--force-reinstall" in calls[0]


def test_a_dry_run_names_the_build(machine: Machine) -> None:
    _, cpu, _ = machine.run("--dry-run", "--torch-build", "cpu")
    _, cuda, _ = machine.run("--dry-run", "--torch-build", "cuda")
    if platform_name() == LINUX:
        assert f"torch's CPU build from {CPU_INDEX}" in cpu
        assert "(4.2 GB)" in cuda
    assert "CPU build" not in cuda


def wheel(index: Path, name: str, version: str) -> None:
    """Put an empty package into a package index that is a folder (PEP 503)."""
    folder = index / normalised(name)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    links = [
        f'<a href="{item.name.replace("+", "%2B")}">{item.name}</a>'
        for item in folder.glob("*.whl")
    ]
    (folder / "index.html").write_text("<!DOCTYPE html><html><body>" + "".join(links))


@pytest.mark.slow
@pytest.mark.timeout(600)
@has_the_choice
def test_pip_takes_each_build_from_its_index(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    mirror, cpu = tmp_path / "mirror", tmp_path / "cpu"
    for name in (CUDA_PINS, "main.txt", "without-dependencies.txt"):
        for package, version in pins_of((PACKAGES / name).read_text()).items():
            wheel(mirror, package, version)
    for package, version in pins_of((PACKAGES / CPU_PINS).read_text()).items():
        wheel(cpu, package, version)
    python = tmp_path / "environment/bin/python"
    venv.create(tmp_path / "environment", with_pip=True)

    def version_after(build: TorchBuild, torch_index: str = "") -> str:
        step = Packages(python, mirror.as_uri(), build, torch_index)
        step.run(terminal)
        assert step.done()
        program = "import importlib.metadata as found; print(found.version('torch'))"
        return subprocess.check_output([python, "-c", program], text=True).strip()

    with pytest.raises(StepError):
        version_after(TorchBuild.CPU)
    assert version_after(TorchBuild.CPU, cpu.as_uri()) == "2.9.1+cpu"
    assert version_after(TorchBuild.AUTO, cpu.as_uri()) == "2.9.1+cpu"
    assert version_after(TorchBuild.CUDA, cpu.as_uri()) == "2.9.1"
    if not has_nvidia_gpu():
        subprocess.run([python, "-m", "pip", "uninstall", "--yes", "torch"], check=True)
        assert version_after(TorchBuild.AUTO) == "2.9.1"  # all that the mirror has


def test_the_builds_have_the_same_versions() -> None:
    cpu, cuda = (pins_of((PACKAGES / name).read_text()) for name in (CPU_PINS, CUDA_PINS))
    assert cpu == {name: f"{version}+cpu" for name, version in cuda.items()}
