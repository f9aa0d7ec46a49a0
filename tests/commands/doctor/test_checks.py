"""Deliberate breakages, each of which the doctor must name."""

import datetime as dt
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sdrest.cli import main
from sdrest.commands.certificate import self_signed
from sdrest.commands.certificate.files import HOSTS
from sdrest.commands.doctor.command import checks
from sdrest.commands.doctor.engine_checks import MODULES
from sdrest.commands.doctor.findings import Result, Verdict, results
from sdrest.settings import Settings
from tests.support.checkpoints import averaged, safetensors_file, torch_file
from tests.support.paths import DATA
from tests.support.server import environment

pytestmark = pytest.mark.integration

SCRIPTS = ("scripts/txt2img.py", "scripts/img2img.py", "scripts/inpaint.py")
ANSWER = {
    "version": [3, 11, 9],
    "modules": dict.fromkeys(MODULES),
    "torch": "2.9.1",
    "cuda": True,
    "mps": False,
}
CHECKPOINTS = DATA / "checkpoints"
INPAINT_CONFIG = "models/ldm/inpainting_big/config.yaml"


@dataclass
class Place:
    """A set-up in which all is right, but for the scripts, which are not the published ones."""

    home: Path
    settings: Settings

    @property
    def fork(self) -> Path:
        return self.home / "fork"

    @property
    def python(self) -> Path:
        return self.fork / "venv/bin/python"

    @property
    def model(self) -> Path:
        return self.home / "t.ckpt"

    def answer(self, **changes: object) -> None:
        (self.python.parent / "answer").write_text(json.dumps({**ANSWER, **changes}))

    def use(self, **changes: object) -> None:
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]  # by name

    def program(self, text: str) -> None:
        self.python.write_text(f"#!/bin/sh\n{text}\n")
        self.python.chmod(0o755)

    def found(self, *, probe_seconds: float = 60) -> list[Result]:
        return [
            result
            for check in checks(self.settings, probe_seconds=probe_seconds)
            for result in results(check)
        ]


@pytest.fixture
def place(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    fork = tmp_path / "fork"
    for name in (*SCRIPTS, INPAINT_CONFIG, "venv/bin/python"):
        (fork / name).parent.mkdir(parents=True, exist_ok=True)
        (fork / name).write_text("something")
    for model in ("openai/clip-vit-large-patch14", "CompVis/stable-diffusion-safety-checker"):
        (fork / model).mkdir(parents=True)
        for name in (
            *("config.json", "vocab.json", "merges.txt"),
            *("preprocessor_config.json", "pytorch_model.bin"),
        ):
            (fork / model / name).write_text("{}")
    (tmp_path / "models").mkdir()
    for name in ("t.ckpt", "i.ckpt"):
        (tmp_path / name).write_bytes(b"\x80\x02weights")
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificate / name, tmp_path / name)
    values = {
        "repository": str(fork),
        "text_to_image_model": str(tmp_path / "t.ckpt"),
        "inpaint_image_model": str(tmp_path / "i.ckpt"),
        "cert": str(tmp_path / "cert.pem"),
        "key": str(tmp_path / "key.pem"),
        "models": str(tmp_path / "models"),
        "output": str(tmp_path / "output"),
    }
    made = Place(tmp_path, Settings(**values, port=0, given=frozenset(values)))  # type: ignore[arg-type]  # texts
    made.program('cat "$(dirname "$0")/answer"')
    made.answer()
    return made


def test_a_working_setup_is_ok(place: Place) -> None:
    wrong = {r.name for r in place.found() if r.finding.verdict is not Verdict.OK}
    assert wrong - {"memory", "disk"} == {"scripts", "trust"}  # edited; self-signed


def _remove(name: str) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        path = place.home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _model(content: bytes) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        place.model.write_bytes(content)

    return damage


NEEDS: list[list[Any]] = [
    [["model.diffusion_model.input_blocks.0.0.weight"], [2, 4, 3, 3]],
    [["model.diffusion_model.input_blocks.0.0.bias"], [2]],
]


TINY = {
    **{names[0]: tuple(shape) for names, shape in NEEDS},
    "first_stage_model.decoder.conv_in.weight": (2, 3),
}
"""The weights of a whole checkpoint for that network."""


def _checkpoint(name: str) -> Callable[[Place], None]:
    """Put a checkpoint of torch's in place of the text-to-image model, whose network is known."""

    def put(place: Place) -> None:
        shutil.copy(CHECKPOINTS / f"{name}.ckpt", place.model)
        place.answer(**{"configs/stable-diffusion/v1-inference.yaml": {"needs": NEEDS}})

    return put


@pytest.mark.parametrize("name", ["whole", "legacy"])
def test_a_whole_checkpoint_is_ok(place: Place, name: str) -> None:
    _checkpoint(name)(place)
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


def _no_models(place: Place) -> None:
    place.use(models="nope")


def _lora(place: Place) -> None:
    folder = place.home / "models/styles"
    folder.mkdir(parents=True)
    safetensors_file(folder / "lora.safetensors", {"lora_unet_x.lora_up.weight": (4, 4)})


def _zip(place: Place) -> None:
    with zipfile.ZipFile(place.model, "w") as archive:
        archive.writestr("inpainting_big/last.ckpt", b"weights")


def _truncated(place: Place) -> None:
    with zipfile.ZipFile(place.model, "w") as archive:
        archive.writestr("archive/data.pkl", b"weights" * 100)
    place.model.write_bytes(place.model.read_bytes()[:-100])


def _module(name: str) -> Callable[[Place], None]:
    modules = {**ANSWER["modules"], name: f"ModuleNotFoundError: No module named {name!r}"}  # type: ignore[dict-item]  # a dict
    return lambda place: place.answer(modules=modules)


def _program(text: str) -> Callable[[Place], None]:
    return lambda place: place.program(text)


def _damaged_encoder(place: Place) -> None:
    (place.fork / "openai/clip-vit-large-patch14/config.json").write_text('{"a": ')


def _lacking_config(place: Place) -> None:
    text = 'default="configs/stable-diffusion/v1-inference.yaml",'
    (place.fork / "scripts/img2img.py").write_text(text)


def _certificate(hosts: tuple[str, ...]) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        (place.home / "key.pem").unlink()
        self_signed.write(place.home / "cert.pem", place.home / "key.pem", hosts=hosts)

    return damage


def _expired(place: Place) -> None:
    age = dt.timedelta(days=900)
    (place.home / "key.pem").unlink()
    self_signed.write(
        place.home / "cert.pem",
        place.home / "key.pem",
        hosts=HOSTS,
        now=dt.datetime.now(dt.UTC) - age,
    )


def _no_key(place: Place) -> None:
    (place.home / "key.pem").write_text("no key")


def _output_is_a_file(place: Place) -> None:
    (place.home / "output").write_text("a file")


def _table(place: Place) -> Path:
    path = place.home / "output/.sdrest/jobs.sqlite3"
    path.parent.mkdir(parents=True)
    return path


def _damaged_table(place: Place) -> None:
    _table(place).write_bytes(b"no database" * 1000)


def _foreign_table(place: Place) -> None:
    connection = sqlite3.connect(_table(place))
    connection.execute("CREATE TABLE other (id)")
    connection.close()


@pytest.mark.parametrize(
    ("damage", "check", "verdict", "text"),
    [
        (_remove("fork"), "repository", "failure", "The Stable Diffusion repository is missing."),
        (_remove("fork/scripts/inpaint.py"), "scripts", "failure", "has no scripts/inpaint.py"),
        (lambda _: None, "scripts", "warning", "scripts/txt2img.py is not the published one."),
        (_remove(f"fork/{INPAINT_CONFIG}"), "scripts", "failure", "config.yaml"),
        (_remove("fork/venv"), "python", "failure", "There is no Python to run the scripts."),
        (_program("exit 3"), "python", "failure", "it ended with exit code 3."),
        (_program("echo hello"), "python", "failure", "it is not Python."),
        (_module("torch"), "imports", "failure", "torch cannot be imported"),
        (_module("cv2"), "imports", "failure", "pip install opencv-python-headless"),
        (_module("ldm"), "imports", "failure", "Check the repository out again"),
        (_program("exit 3"), "imports", "failure", "Without a working Python"),
        (lambda place: place.answer(cuda=False), "device", "warning", "sees no GPU"),
        (_program("exit 3"), "device", "failure", "There is no torch that could tell."),
        (_remove("t.ckpt"), "checkpoints", "failure", "(--text-to-image-model|is missing)"),
        (_remove("i.ckpt"), "checkpoints", "failure", "--inpaint-image-model"),
        (_model(b""), "checkpoints", "failure", "is empty"),
        (_model(b"<!doctype html>"), "checkpoints", "failure", "is a web page"),
        (_model(b"version https://git-lfs"), "checkpoints", "failure", "Git LFS pointer"),
        (_model(b"\x40" + bytes(7) + b'{"a":{'), "checkpoints", "failure", "a safetensors file"),
        (_zip, "checkpoints", "failure", "zip archive around last.ckpt"),
        (_truncated, "checkpoints", "failure", "its end is missing"),
        (_checkpoint("ema"), "checkpoints", "failure", "holds only EMA weights: it lacks 2 of 2"),
        (_checkpoint("part"), "checkpoints", "failure", ") lacks 1 of 2 weights that the script"),
        (_checkpoint("inpainting"), "checkpoints", "failure", "is a Stable Diffusion inpainting"),
        (_checkpoint("bfloat16"), "checkpoints", "failure", "is stored in bfloat16"),
        (_checkpoint("vae"), "checkpoints", "failure", "is a VAE"),
        (_checkpoint("lora"), "checkpoints", "failure", "is a LoRA"),
        (_checkpoint("empty"), "checkpoints", "failure", "holds no weights"),
        (_no_models, "models", "failure", "There is no folder nope (--models). Make it, or "),
        (_lora, "models", "warning", "styles/lora.safetensors cannot be used. A LoRA, an additi"),
        (_remove("fork/openai"), "hub models", "warning", "openai/clip-vit-large-patch14 is not"),
        (
            _remove("fork/CompVis/stable-diffusion-safety-checker/pytorch_model.bin"),
            "hub models",
            "failure",  # the folder hides the hub
            "stable-diffusion-safety-checker has no pytorch_model.bin. Run `sdrest setup`",
        ),
        (_damaged_encoder, "hub models", "failure", "config.json is not valid JSON"),
        (_lacking_config, "scripts", "failure", "no configs/stable-diffusion/v1-inference.yaml"),
        (_remove("key.pem"), "certificate", "failure", "Cannot read"),
        (_no_key, "certificate", "failure", "is not a usable PEM file"),
        (_no_key, "trust", "warning", "no client trusts it"),
        (_expired, "certificate", "failure", "The certificate ended on"),
        (_certificate(("example.org",)), "certificate", "warning", "not for localhost"),
        (lambda _: None, "trust", "warning", "do not trust the certificate"),
        (_output_is_a_file, "output", "failure", "is not a folder"),
        (_damaged_table, "job table", "failure", "file is not a database"),
        (_foreign_table, "job table", "failure", "is a database of another program"),
    ],
)
def test_each_fault_is_named_with_its_remedy(
    place: Place,
    damage: Callable[[Place], None],
    check: str,
    verdict: str,
    text: str,
) -> None:
    damage(place)
    named = [
        result.finding
        for result in place.found()
        if result.name == check and result.finding.verdict == verdict
    ]
    told = " ".join(f"{finding.message} {finding.remedy}" for finding in named)
    assert any(part in told for part in text.strip("()").split("|")), told


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
    told = {row["check"]: row for row in json.loads(capfd.readouterr().out)["checks"]}
    assert told["repository"]["verdict"] == "warning"
    assert told["imports"] == {
        "check": "imports",
        "message": "3 modules can be imported.",
        "remedy": "",
        "verdict": "ok",
    }
    assert told["certificate"]["verdict"] == "ok"


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
