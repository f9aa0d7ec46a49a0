"""Writes small checkpoint files of all kinds, without torch: names of weights, no numbers."""

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."
FIRST, CONTEXT = (
    "input_blocks.0.0.weight",
    "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
)
Shapes = Mapping[str, tuple[int, ...]]

_MAGIC = 0x1950A86A20F9469CFC6C
_BYTES = {"Float": 4, "Half": 2, "BFloat16": 2, "Long": 8}
_SAFETENSORS = {"Float": "F32", "Half": "F16", "BFloat16": "BF16", "Long": "I64"}


def model(
    inputs: int = 4, context: int = 768, **more: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """Return some weights of a Stable Diffusion model by its channels and its context's size."""
    return {
        UNET + FIRST: (320, inputs, 3, 3),
        UNET + CONTEXT: (320, context),
        VAE + "decoder.conv_in.weight": (512, 4, 3, 3),
        TEXT + "transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
        **more,
    }


def averaged(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Return weights with the names that averaged ones (EMA) have in place of the network's."""
    return {
        "model_ema." + name[6:].replace(".", "") if name.startswith(UNET) else name: shape
        for name, shape in shapes.items()
    }


def torch_file(
    path: Path, shapes: Shapes, *, wrap: bool = True, more: bytes = b"", dtype: str = "Float"
) -> Path:
    """Write a file as `torch.save` does: `{"state_dict": …}`, or the weights alone.

    `more` are opcodes that a pickle has before its dict: a key and a value.
    """
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "archive/data.pkl", torch_pickle(shapes, wrap=wrap, more=more, dtype=dtype)
        )
        archive.writestr("archive/version", "3\n")
    return path


def legacy_file(path: Path, shapes: Shapes, *, whole: bool = True) -> Path:
    """Write a file as torch did before version 1.6; if not `whole`, without its numbers."""
    numbers = sum(_count(shape) * 4 for shape in shapes.values()) if whole else 0
    before = b"".join(pickle.dumps(value, 2) for value in (_MAGIC, 1001, {"little_endian": True}))
    path.write_bytes(
        before + torch_pickle(shapes) + pickle.dumps([*map(str, range(len(shapes)))], 2)
    )
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + numbers)  # a hole: the numbers are never read
    return path


def safetensors_file(
    path: Path, shapes: Shapes, *, whole: bool = True, dtype: str = "Float"
) -> Path:
    """Write a safetensors file; if not `whole`, without its numbers."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + _count(shape) * _BYTES[dtype]
        header[name] = {"dtype": _SAFETENSORS[dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with path.open("r+b") as file:
        file.truncate(8 + len(text) + (end if whole else 0))
    return path


def packed_file(path: Path, inner: Path) -> Path:
    """Write a zip archive around a file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "about")
        archive.write(inner, f"folder/{inner.name}")
    return path


def torch_pickle(
    shapes: Shapes, *, wrap: bool = True, more: bytes = b"", dtype: str = "Float"
) -> bytes:
    """Return the pickle of a checkpoint."""
    items = (
        _text(name) + _tensor(str(number), shape, dtype)
        for number, (name, shape) in enumerate(shapes.items())
    )
    weights = b"}(" + b"".join(items) + b"u"
    if wrap:
        weights = b"}(" + more + _text("state_dict") + weights + b"u"
    return b"\x80\x02" + weights + b"."


def call(module: str, name: str, argument: str) -> bytes:
    """Return opcodes that call a function: `more` for `torch_file`."""
    return _text("hparams") + f"c{module}\n{name}\n".encode() + b"(" + _text(argument) + b"tR"


def _tensor(key: str, shape: tuple[int, ...], dtype: str) -> bytes:
    storage = _text("storage") + f"ctorch\n{dtype}Storage\n".encode() + _text(key) + _text("cpu")
    storage = b"(" + storage + _number(_count(shape)) + b"tQ"
    sizes = b"(" + b"".join(map(_number, shape)) + b"t"
    hooks = b"ccollections\nOrderedDict\n)R"
    arguments = b"(" + storage + _number(0) + sizes + sizes + b"\x89" + hooks + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
