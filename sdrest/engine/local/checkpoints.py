"""Whether a file can be a checkpoint: the mistakes that its first bytes show.

Looking takes a millisecond; the scripts find out after seconds of imports, each mistake with an
error of its own that names none of them.
"""

import os
import zipfile
from pathlib import Path

from sdrest.errors import Failure, FailureCode

_ZIP = b"PK\x03\x04"
_SAFETENSORS = b"{"
"""Begins the header of such a file, behind its length in 8 bytes, the lowest first."""
_LFS = b"version https://git-lfs"


def problem(path: Path, *, flag: str) -> Failure | None:
    """Return what is wrong with the checkpoint at `path`, which `flag` chooses; None if it may do.

    A checkpoint that passes may still be damaged or another model's: loading it tells.
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


def missing_model(flag: str) -> str:
    """Return what to tell where the checkpoint that `flag` chooses is not there."""
    return (
        f"The model checkpoint is missing. Download it, and start the server with {flag} "
        "followed by its path."
    )


def mistake(path: Path, *, reads_safetensors: bool = False) -> str | None:
    """Return, as the end of a sentence, what is wrong with a file and what to do; else None.

    `reads_safetensors` says that what loads the file can read that format.
    """
    if not path.is_file():
        return "is no file. Give the path of the .ckpt file itself"
    with path.open("rb") as file:
        head = file.read(512)
    if head[8:9] == _SAFETENSORS and not any(head[5:8]):
        if reads_safetensors:
            return None
        return "is a safetensors file, which the scripts cannot read. Use the model's .ckpt file"
    return _mistake_in_zip(path) if head.startswith(_ZIP) else _mistake_in_head(head)


def _mistake_in_head(head: bytes) -> str | None:
    text = head.lstrip()
    if not text:
        return "is empty. Download it again"
    if text.startswith(_LFS):
        return "is a Git LFS pointer, not the model. Fetch it with git lfs pull"
    if text.startswith(b"<"):
        return "is a web page, not the model. Download it with curl --location --fail"
    return None


def _mistake_in_zip(path: Path) -> str | None:
    """Tell apart torch's own format (a zip that holds `data.pkl`) and a zip around a checkpoint."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "is incomplete: its end is missing. Download it again"
    inner = next((name for name in names if name.endswith(".ckpt")), None)
    if inner:
        return f"is a zip archive around {inner.rpartition('/')[2]}. Unzip it"
    return None
