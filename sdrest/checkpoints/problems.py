"""Whether a file can be a checkpoint: the mistakes that its first bytes show.

Looking takes a millisecond; the scripts find out after seconds of imports, each mistake with an
error of its own that names none of them.
"""

import os
import zipfile
from pathlib import Path

from sdrest.checkpoints.contents import ZIP, read_safetensors
from sdrest.checkpoints.recognition import kind_of_head
from sdrest.engine.runner.checkpoint_formats import is_safetensors, packed_checkpoint
from sdrest.errors import Failure, FailureCode

_MISTAKES = {
    "empty": "is empty. Download it again",
    "lfs-pointer": "is a Git LFS pointer, not the model. Fetch it with git lfs pull",
    "web-page": "is a web page, not the model. Download it with curl --location --fail",
}
"""By the kind of a file that its first bytes show."""


def problem(path: Path, *, flag: str) -> Failure | None:
    """Return what is wrong with the checkpoint at `path`, which `flag` chooses; None if it may do.

    A checkpoint that passes may still be damaged or another model's; only loading it shows that.
    """
    if not os.access(path, os.F_OK):
        return Failure(FailureCode.MODEL_MISSING, missing_model(flag), path=path)
    try:
        wrong = mistake(path)
    except OSError as error:
        wrong = f"cannot be read ({error.strerror}). Allow the server to read it"
    if wrong is None:
        return None
    message = f"The model checkpoint ({flag}) {wrong}."
    return Failure(FailureCode.MODEL_INVALID, message, path=path)


def named(model: str) -> str:
    """Return what stands for a flag in messages, for a checkpoint that a job names."""
    return f"model={model}"


def missing_model(flag: str) -> str:
    """Return what to say where the checkpoint that `flag` (or `named`) chooses does not exist."""
    if not flag.startswith("-"):
        return (
            f"The model checkpoint ({flag}) is no longer in the server's folder of models. Put it "
            "back, or choose another one; GET /models lists them."
        )
    return (
        f"The model checkpoint is missing. Download it, and start the server with {flag} "
        "followed by its path."
    )


def mistake(path: Path) -> str | None:
    """Return, as the end of a sentence, what is wrong with a file and what to do; else None."""
    if not path.is_file():
        return "is not a file. Give the path of the .ckpt file itself"
    with path.open("rb") as file:
        head = file.read(512)
    if is_safetensors(path):
        return _mistake_in_safetensors(path)
    return _mistake_in_zip(path) if head.startswith(ZIP) else _MISTAKES.get(kind_of_head(head))


def _mistake_in_safetensors(path: Path) -> str | None:
    found = read_safetensors(path)
    if found is None:
        return "is a safetensors file with a damaged header. Download it again"
    if path.stat().st_size < found.least_size:
        return "is incomplete: its end is missing. Download it again"
    return None


def _mistake_in_zip(path: Path) -> str | None:
    """Tell apart torch's own format (a zip that holds `data.pkl`) and a zip around a checkpoint."""
    if not zipfile.is_zipfile(path):
        return "is incomplete: its end is missing. Download it again"
    inner = packed_checkpoint(path)
    return f"is a zip archive around {inner.rpartition('/')[2]}. Unzip it" if inner else None
