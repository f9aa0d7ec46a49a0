"""What the doctor says of a set-up that works, and of one with more than a fault."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sdrest.cli import main
from sdrest.commands.doctor.findings import Verdict
from tests.support.checkpoints import averaged, safetensors_file, torch_file
from tests.support.doctor import NEEDS, TINY, Place, checkpoint
from tests.support.server import environment

pytestmark = pytest.mark.integration


def test_a_working_setup_is_ok(place: Place) -> None:
    wrong = {r.name for r in place.found() if r.finding.verdict is not Verdict.OK}
    assert wrong - {"memory", "disk"} == {"scripts", "trust"}  # edited; self-signed


@pytest.mark.parametrize("name", ["whole", "legacy"])
def test_a_whole_checkpoint_is_ok(place: Place, name: str) -> None:
    checkpoint(name)(place)
    (found,) = [result.finding for result in place.found() if result.name == "checkpoints"]
    assert found.verdict is Verdict.OK


@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch_file(path, TINY, wrap=False),
        lambda path: torch_file(path, averaged(TINY)),
        lambda path: safetensors_file(path, TINY),
    ],
)
def test_a_checkpoint_in_another_format_is_ok(place: Place, write: Callable[[Path], Path]) -> None:
    write(place.model)
    place.answer(**{"configs/stable-diffusion/v1-inference.yaml": {"needs": NEEDS}})
    (found,) = [result.finding for result in place.found() if result.name == "checkpoints"]
    assert found.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("asked", "answer", "verdict", "text"),
    [
        ("auto", {"cuda": False}, "ok", "fast (auto, on a CPU)"),
        ("auto", {"cuda": True}, "ok", "fast (auto, on CUDA)"),
        ("auto", {"cuda": False, "mps": True}, "ok", "exact (auto, on MPS)"),
        ("exact", {}, "ok", "exact (--attention exact)"),
        ("auto", {"torch": "1.13.1"}, "ok", "exact (torch 1.13.1 has no fast one)"),
        ("fast", {"torch": "1.13.1"}, "warning", "exact (torch 1.13.1 has no fast one)"),
    ],
)
def test_the_attention_that_would_be_used(
    place: Place, asked: str, answer: dict[str, object], verdict: str, text: str
) -> None:
    place.answer(**answer)
    place.use(attention=asked)
    (attention,) = [result for result in place.found() if result.name == "attention"]
    assert (attention.finding.verdict, attention.finding.message) == (verdict, text)


def test_a_python_that_hangs(place: Place) -> None:
    place.program("exec sleep 60")
    (python,) = [result for result in place.found(probe_seconds=0.2) if result.name == "python"]
    assert "it did not answer within 0.2 seconds." in python.finding.message


def test_a_port_in_use(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place.use(port=taken.getsockname()[1])
        (port,) = [result for result in place.found() if result.name == "port"]
        place.use(port=0, a1111_port=taken.getsockname()[1])
        _, second = [result for result in place.found() if result.name == "port"]
    for found in (port, second):
        assert found.finding.verdict is Verdict.WARNING
        assert "another program listens there" in found.finding.message
    assert "--a1111-port" in second.finding.message


def test_a_certificate_that_is_trusted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "darwin":
        pytest.skip("there the keychain decides")
    monkeypatch.setenv("SSL_CERT_FILE", place.settings.cert)
    (trust,) = [result for result in place.found() if result.name == "trust"]
    assert trust.finding.verdict is Verdict.OK


def test_an_authority_of_mkcert_that_is_not_installed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(place.settings.cert, place.home / "rootCA.pem")
    mkcert = place.home / "mkcert"
    mkcert.write_text(f"#!/bin/sh\necho {place.home}\n")
    mkcert.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.home}:{os.environ['PATH']}")
    (trust,) = [result for result in place.found() if result.name == "trust"]
    assert "mkcert -install" in trust.finding.remedy


def test_without_a_fork_the_bundled_engine_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--plain-http", "--port", "0", "--json"]) in {0, 1}  # no models here
    rows = {row["check"]: row for row in json.loads(capfd.readouterr().out)["checks"]}
    assert rows["repository"]["verdict"] == "warning"
    assert rows["imports"] == {
        "check": "imports",
        "message": "3 modules can be imported.",
        "remedy": "",
        "verdict": "ok",
    }
    assert rows["certificate"]["verdict"] == "ok"


def test_the_report_is_lines_and_a_status(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sdrest", "doctor", "--repository", "nowhere"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert "error repository: The Stable Diffusion repository is missing." in done.stdout
    assert "failures" in done.stdout.splitlines()[-1]
