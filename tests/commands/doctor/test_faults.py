"""Deliberate breakages, each of which the doctor must name."""

import datetime as dt
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sdrest.commands.certificate import self_signed
from sdrest.commands.certificate.files import HOSTS
from tests.support.checkpoints import safetensors_file
from tests.support.doctor import ANSWER, INPAINT_CONFIG, Place, checkpoint

pytestmark = pytest.mark.integration


def _remove(name: str) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        path = place.home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _model(content: bytes) -> Callable[[Place], None]:
    def damage(place: Place) -> None:
        place.model.write_bytes(content)

    return damage


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
        (_program("exit 3"), "device", "failure", "Without torch the device is unknown."),
        (_remove("t.ckpt"), "checkpoints", "failure", "(--text-to-image-model|is missing)"),
        (_remove("i.ckpt"), "checkpoints", "failure", "--inpaint-image-model"),
        (_model(b""), "checkpoints", "failure", "is empty"),
        (_model(b"<!doctype html>"), "checkpoints", "failure", "is a web page"),
        (_model(b"version https://git-lfs"), "checkpoints", "failure", "Git LFS pointer"),
        (_model(b"\x40" + bytes(7) + b'{"a":{'), "checkpoints", "failure", "a safetensors file"),
        (_zip, "checkpoints", "failure", "zip archive around last.ckpt"),
        (_truncated, "checkpoints", "failure", "its end is missing"),
        (checkpoint("ema"), "checkpoints", "failure", "holds only EMA weights: it lacks 2 of 2"),
        (checkpoint("part"), "checkpoints", "failure", ") lacks 1 of 2 weights that the script"),
        (checkpoint("inpainting"), "checkpoints", "failure", "is a Stable Diffusion inpainting"),
        (checkpoint("bfloat16"), "checkpoints", "failure", "is stored in bfloat16"),
        (checkpoint("vae"), "checkpoints", "failure", "is a VAE"),
        (checkpoint("lora"), "checkpoints", "failure", "is a LoRA"),
        (checkpoint("empty"), "checkpoints", "failure", "holds no weights"),
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
    texts = " ".join(f"{finding.message} {finding.remedy}" for finding in named)
    assert any(part in texts for part in text.strip("()").split("|")), texts
