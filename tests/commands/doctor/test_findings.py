import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdrest.commands.doctor import probe_program
from sdrest.commands.doctor.findings import Check, Finding, Verdict, results
from sdrest.commands.doctor.machine_checks import (
    disk_finding,
    requirement_findings,
)
from sdrest.commands.doctor.memory import memory_finding
from sdrest.engine.local import hub_models
from tests.support.server import environment


@pytest.mark.parametrize(("free", "verdict"), [(0, "failure"), (10**8, "warning"), (2**31, "ok")])
def test_room_on_the_disk(free: int, verdict: str) -> None:
    assert disk_finding(free, Path("/")).verdict == verdict


@pytest.mark.parametrize(("total", "verdict"), [(2**32, "warning"), (2**34, "ok")])
def test_memory(total: int, verdict: str) -> None:
    assert memory_finding(total, 0).verdict == verdict


def test_requirements_of_the_server() -> None:
    asked = ["pydantic>=2.9", "pydantic>=999", "nothing>=1", 'numpy>=999; extra == "bundled"']
    lacking = [finding.message for finding in requirement_findings(asked)]
    assert lacking == [
        "The server's Python lacks pydantic>=999.",
        "The server's Python lacks nothing>=1.",
    ]


def test_a_check_that_cannot_look_is_a_failure(tmp_path: Path) -> None:
    def look() -> Iterator[Finding]:
        (tmp_path / "nowhere").read_text()
        yield from ()

    (result,) = results(Check("looking", look))
    assert result.finding.verdict is Verdict.FAILURE
    assert "nowhere: No such file or directory" in result.finding.message


def test_the_probe_imports_what_it_is_asked_to(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("print('hello')\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "torch.py").write_text(
        "import types\n__version__ = '9'\nbackends = types.SimpleNamespace()\n"
        "cuda = types.SimpleNamespace(is_available=lambda: True)\n"
    )
    done = subprocess.run(
        [sys.executable, probe_program.__file__, "loud", "broken", "torch"],
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(done.stdout)
    assert answer["modules"] == {
        "loud": None,
        "broken": "ZeroDivisionError: division by zero",
        "torch": None,
    }
    assert (answer["torch"], answer["cuda"], answer["mps"]) == ("9", True, False)


def test_without_torch_there_are_no_devices() -> None:
    assert probe_program.problem("json") is None
    assert probe_program.problem("nothing_of_the_kind") is not None
    assert probe_program.devices() == {}


def test_the_caches_of_the_hub(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--openai--clip-vit-large-patch14/snapshots/1"
    snapshot.mkdir(parents=True)
    for name in ("config.json", "vocab.json", "merges.txt", "model.safetensors"):
        (snapshot / name).write_text("{}")
    for name, value in {"HF_HUB_CACHE": tmp_path, "TRANSFORMERS_CACHE": tmp_path}.items():
        assert hub_models.found(hub_models.TEXT_ENCODER, tmp_path, {name: str(value)}) == snapshot
    assert hub_models.found(hub_models.TEXT_ENCODER, tmp_path, {"HF_HOME": str(tmp_path)}) is None
    (snapshot / "model.safetensors").write_text("")
    location = {"HF_HUB_CACHE": str(tmp_path)}
    assert hub_models.found(hub_models.TEXT_ENCODER, tmp_path, location) is None
