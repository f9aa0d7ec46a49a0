"""What small files of all kinds are recognised as, and what a user reads about each."""

import json
import os
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from sdrest.checkpoints.catalog import Catalog
from sdrest.checkpoints.contents import read
from sdrest.checkpoints.recognition import recognise
from sdrest.errors import InvalidRequestError
from sdrest.job_types import JobType
from tests.support.checkpoints import (
    TEXT,
    UNET,
    VAE,
    averaged,
    call,
    legacy_file,
    model,
    packed_file,
    safetensors_file,
    torch_file,
    torch_pickle,
)

Write = Callable[[Path], object]
LORA = {"lora_unet_down_blocks_0.lora_up.weight": (320, 4)}


def safetensors(shapes: Any, **options: Any) -> Write:
    return lambda path: safetensors_file(path, shapes, **options)


def torch(shapes: Any, **options: Any) -> Write:
    return lambda path: torch_file(path, shapes, **options)


def content(data: bytes) -> Write:
    return lambda path: path.write_bytes(data)


def packed(write: Callable[[Path, Any], Path], name: str) -> Write:
    return lambda path: packed_file(path, write(path.with_name(f".{name}"), model()))


def cut(path: Path) -> None:
    path.write_bytes(torch_file(path, model()).read_bytes()[:-100])


def program(path: Path) -> None:
    with zipfile.ZipFile(torch_file(path, model()), "a") as archive:
        archive.writestr("archive/constants.pkl", b"\x80\x02).")


TABLE: tuple[tuple[str, Write, str, str], ...] = (
    ("safetensors", safetensors(model()), "text-to-image", ""),
    ("safetensors of half precision", safetensors(model(), dtype="Half"), "text-to-image", ""),
    ("torch", torch(model()), "text-to-image", ""),
    ("torch of half precision", torch(model(), dtype="Half"), "text-to-image", ""),
    ("no state_dict", torch(model(), wrap=False), "text-to-image", ""),
    ("averaged weights", torch(averaged(model())), "text-to-image", ""),
    ("before torch 1.6", lambda path: legacy_file(path, model()), "text-to-image", ""),
    (
        "objects of Lightning",
        torch(model(), more=call("pytorch_lightning.callbacks", "ModelCheckpoint", "loss")),
        "text-to-image",
        "",
    ),
    ("zip around torch", packed(torch_file, "last.ckpt"), "text-to-image", ""),
    ("zip around safetensors", packed(safetensors_file, "x.safetensors"), "text-to-image", ""),
    ("zip around legacy", packed(legacy_file, "last.ckpt"), "text-to-image", ""),
    ("the fork's inpainting", torch(model(7)), "inpainting", ""),
    ("inpainting in safetensors", safetensors(model(7)), "inpainting", ""),
    ("SD 1.5 inpainting", safetensors(model(9)), "sd-inpainting", "9 input channels"),
    ("SD 2", safetensors(model(context=1024)), "sd2", "A Stable Diffusion 2 model. The scripts ru"),
    ("SD 2 by its encoder", torch({**model(), TEXT + "model.ln_final.weight": (1024,)}), "sd2", ""),
    ("SDXL", safetensors({"conditioner.embedders.0.x": (1,), **model()}), "sdxl", "XL model. The"),
    ("SD 3", safetensors({UNET + "joint_blocks.0.x.weight": (1,)}), "sd3", "version 1.4 or 1.5"),
    (
        "Flux",
        safetensors({"double_blocks.0.img_attn.x": (1,)}),
        "flux",
        "A Flux model. The scripts",
    ),
    ("depth to image", torch(model(5)), "depth", "A depth-to-image model"),
    ("InstructPix2Pix", torch(model(8)), "instruct-pix2pix", "An InstructPix2Pix model"),
    ("LoRA", safetensors(LORA), "lora", "A LoRA, an addition to a model. Choose a checkpoint that"),
    (
        "textual inversion",
        safetensors({"emb_params": (8, 768)}),
        "textual-inversion",
        "an addition",
    ),
    (
        "ControlNet",
        safetensors({"control_model.x": (1,)}),
        "controlnet",
        "Choose a whole checkpoint",
    ),
    ("VAE", safetensors({"decoder.conv_in.weight": (512, 4, 3, 3)}), "vae", "A VAE, which turns"),
    ("text encoder", safetensors({"text_model.x": (1,)}), "text-encoder", "Choose the whole"),
    ("one weight", safetensors({UNET + "out.0.bias": (1,)}), "unknown", "is not known"),
    (
        "network without VAE",
        safetensors({name: shape for name, shape in model().items() if VAE not in name}),
        "network",
        "A network without its VAE",
    ),
    ("part of diffusers", safetensors({"down_blocks.0.x": (1,)}), "diffusers", "One part of a mod"),
    (
        "bfloat16",
        torch(model(alphas_cumprod=(1000,)), dtype="BFloat16"),
        "bfloat16",
        "Convert it to",
    ),
    ("GGUF", content(b"GGUF\3\0\0\0"), "gguf", "A GGUF file"),
    ("TorchScript", program, "torchscript", "A TorchScript program"),
    ("web page", content(b"\n<!doctype html><html>"), "web-page", "curl --location --fail"),
    (
        "Git LFS pointer",
        content(b"version https://git-lfs.github.com"),
        "lfs-pointer",
        "git lfs pull",
    ),
    ("cut torch file", cut, "truncated", "Incomplete: its end is missing. Download it again."),
    ("cut legacy", lambda path: legacy_file(path, model(), whole=False), "truncated", "Incomplete"),
    ("cut safetensors", safetensors(model(), whole=False), "truncated", "Incomplete"),
    (
        "damaged safetensors",
        content(b"\x40" + bytes(7) + b'{"a":{'),
        "damaged",
        "Download it again",
    ),
    ("empty", content(b""), "empty", "Empty. Download it again."),
    ("no weights", torch({}), "no-weights", "A file without weights"),
    (
        "a pickle of something else",
        content(b"\x80\x02K\x01."),
        "unknown",
        "Its content is not known",
    ),
    ("a text", content(b"notes"), "unknown", "Its content is not known"),
)


@pytest.mark.parametrize(
    ("write", "kind", "text"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_kinds(tmp_path: Path, write: Write, kind: str, text: str) -> None:
    write(tmp_path / "file.ckpt")
    catalog = Catalog(tmp_path, {})
    (found,) = catalog.entries()
    assert (found.name, found.kind) == ("file", kind)
    assert found.usable == (kind in {"text-to-image", "inpainting"})
    assert text in found.reason
    for job_type in JobType:
        if job_type in found.types:
            assert catalog.choose("file", job_type) == found
            continue
        with pytest.raises(InvalidRequestError) as raised:
            catalog.choose("file", job_type)
        assert found.reason in raised.value.message


def test_a_folder_of_diffusers_is_listed_as_one(tmp_path: Path) -> None:
    (tmp_path / "sd-v1.5/unet").mkdir(parents=True)
    (tmp_path / "sd-v1.5/model_index.json").write_text(json.dumps({"_class_name": "x"}))
    safetensors_file(tmp_path / "sd-v1.5/unet/model.safetensors", {"down_blocks.0.x": (1,)})
    (found,) = Catalog(tmp_path, {}).entries()
    assert (found.name, found.kind, found.usable) == ("sd-v1.5", "diffusers-folder", False)


def test_what_is_not_a_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    (tmp_path / "lost.ckpt").symlink_to("nowhere")
    (tmp_path / ".hidden.ckpt").write_text("x")
    (tmp_path / "again").symlink_to(tmp_path)  # a loop
    (lost, pipe) = Catalog(tmp_path, {}).entries()
    assert (lost.file, lost.kind, lost.usable) == ("lost.ckpt", "dangling-link", False)
    assert lost.reason.startswith("A link to a file that does not exist.")
    assert (pipe.file, pipe.kind, pipe.usable) == ("pipe.ckpt", "not-a-file", False)
    assert pipe.reason.startswith("Not a regular file.")


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    more = call("os", "mkdir", str(made))
    files = [
        torch_file(tmp_path / "torch.ckpt", model(), more=more),
        tmp_path / "bare.ckpt",
        packed_file(tmp_path / "packed.zip", tmp_path / "torch.ckpt"),
    ]
    files[1].write_bytes(torch_pickle(model(), more=more))
    assert [recognise(path) for path in files] == ["text-to-image", "unknown", "text-to-image"]
    assert not made.exists()


def test_a_pickle_cannot_reserve_memory(tmp_path: Path) -> None:
    path = tmp_path / "file.ckpt"
    path.write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    assert read(path) is None


@pytest.mark.parametrize("ints", [20_000_000, 40_000_000], ids=["short", "longer than is read"])
def test_a_pickle_of_many_opcodes_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ints: int
) -> None:
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"K\x01" * ints + b".")
    looked_at = 0

    def counted(file: IO[bytes]) -> Iterator[Any]:
        nonlocal looked_at
        for opcode in genops(file):
            looked_at += 1
            yield opcode

    genops = pickletools.genops
    monkeypatch.setattr(pickletools, "genops", counted)
    assert recognise(path) == "unknown"
    assert looked_at < 2_000_000
