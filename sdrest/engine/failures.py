"""Why a script failed, told so that a person can act on it. Pure."""

import errno
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdrest.engine.checkpoints import missing_model
from sdrest.engine.redaction import last_lines, redact
from sdrest.engine.resident.weights import UnusableCheckpointError
from sdrest.errors import Failure, FailureCode

BROKEN_PYTHON = (
    "The Python of the repository does not start. "
    "Make its virtual environment again, with Python 3.8 or later."
)


_NO_ROOM_FOR_PROCESSES = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def not_started(error: OSError) -> Failure:
    """Return why a process could not be started."""
    if error.errno == errno.ENOMEM:
        return Failure(
            FailureCode.OUT_OF_MEMORY,
            "There is no memory for another process. End other programs, or start the server with "
            "a lower --concurrency.",
        )
    if error.errno in _NO_ROOM_FOR_PROCESSES:
        return Failure(
            FailureCode.OUT_OF_RESOURCES,
            f"The machine allows no more files or processes ({error.strerror}). Send the request "
            "again; if that does not help, raise the limits (ulimit -n, ulimit -u).",
        )
    return Failure(FailureCode.PYTHON_MISSING, BROKEN_PYTHON)


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that ended a script: the names of its class and of that one's bases, its text.

    `files` are the names of the source files on its way.
    """

    types: tuple[str, ...]
    text: str
    errno: int | None = None
    module: str | None = None
    files: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.types[0]}: {self.text}" if self.text else self.types[0]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a script ended. `code` is negative for a signal, as in `subprocess`."""

    code: int
    stderr: str
    raised: Raised | None = None
    ready: bool = True  # whether the host in the repository's Python came up
    images: int = 0
    total_images: int = 1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What messages may name: the checkpoint's flag, how to install modules, names of paths."""

    model_flag: str
    pip: str
    names: Mapping[str, str] = field(default_factory=dict)


_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|Cannot allocate memory|not enough memory"
    r"|std::bad_alloc|MemoryError",
    re.IGNORECASE,
)
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_BAD_MODEL = re.compile(
    r"PytorchStreamReader|inline_container\.cc|Weights only load failed"
    r"|Error\(s\) in loading state_dict|size mismatch for|^'?state_dict'?$"
)
_LOADERS = {"serialization.py", "_weights_only_unpickler.py", "checkpoint.py"}
"""Files on the way of an exception that is due to the checkpoint: torch's, the bundled engine's."""

_OTHER_LOADERS = {"modeling_utils.py"}
"""Files on the way of an exception that is due to another model: those that transformers loads."""

_UNUSABLE = UnusableCheckpointError.__name__
"""What a host raises for a checkpoint that would give noise; its text follows the name."""

_PACKAGES = {
    "PIL": "pillow",
    "clip": "clip-anytorch",
    "cv2": "opencv-python-headless",
    "imwatermark": "invisible-watermark",
    "pytorch_lightning": "pytorch-lightning",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "taming": "taming-transformers-rom1504",
    "yaml": "pyyaml",
}
"""Packages by the module that they bring, where the two names differ."""

_OWN_MODULES = ("ldm", "main")
"""Modules that are folders and files of the repository."""

_LONGEST_TEXT = 500

_Diagnosis = tuple[FailureCode, str]


def classify(ending: Ending, surroundings: Surroundings) -> Failure:
    """Return the failure of a script that did not make all its images."""
    code, message = _diagnose(ending, surroundings)
    return Failure(code, message, _details(ending, surroundings))


def _diagnose(ending: Ending, around: Surroundings) -> _Diagnosis:
    if not ending.ready and ending.code >= 0:
        return FailureCode.PYTHON_MISSING, BROKEN_PYTHON
    if _is_out_of_memory(ending):
        killed = "was killed, most likely because" if ending.code == -signal.SIGKILL else "failed:"
        return FailureCode.OUT_OF_MEMORY, (
            f"The script {killed} the machine ran out of memory. "
            "Ask for a smaller picture or a smaller batch, or run fewer tasks at once."
        )
    if ending.code < 0:
        name = _signal_name(-ending.code)
        return FailureCode.KILLED, f"The script was ended by the signal {name}. Ask again."
    if ending.raised is None:
        return _diagnose_exit(ending, around)
    return _diagnose_exception(ending.raised, around)


def _diagnose_exit(ending: Ending, around: Surroundings) -> _Diagnosis:
    if ending.code == 0:
        return FailureCode.IMAGES_MISSING, (
            f"The script ended without an error, but made only {ending.images} of "
            f"{ending.total_images} images. See the last lines of its output."
        )
    *_, last = ["", *last_lines(ending.stderr, around.names).splitlines()]
    reason = f": {_shorten(last)}" if last else "."
    return FailureCode.SCRIPT_FAILED, f"The script ended with exit code {ending.code}{reason}"


def _diagnose_exception(raised: Raised, around: Surroundings) -> _Diagnosis:
    text = redact(str(raised), around.names)
    if raised.errno in _DISK_ERRORS or _DISK_FULL.search(raised.text):
        return FailureCode.STORAGE_FAILED, (
            "The script could not write its images. "
            "Make room on the disk of the output folder, and see that it can be written."
        )
    if _UNUSABLE in raised.types:
        return FailureCode.MODEL_INVALID, (
            f"The model checkpoint ({around.model_flag}) {raised.text}"
        )
    if "ImportError" in raised.types:
        return FailureCode.IMPORT_FAILED, _import_advice(raised, text, around)
    if raised.files & _LOADERS and not raised.files & _OTHER_LOADERS:
        return _diagnose_model(raised, text, around)
    if _BAD_MODEL.search(raised.text):
        return _diagnose_model(raised, text, around)
    return FailureCode.SCRIPT_FAILED, f"The script failed: {_shorten(text)}"


def _diagnose_model(raised: Raised, text: str, around: Surroundings) -> _Diagnosis:
    if "FileNotFoundError" in raised.types:
        return FailureCode.MODEL_MISSING, missing_model(around.model_flag)
    return FailureCode.MODEL_INVALID, (
        f"The model checkpoint ({around.model_flag}) cannot be loaded: it is damaged, "
        "incomplete or not made for this script. Download it again. "
        f"({text.splitlines()[0][:200]})"
    )


def _import_advice(raised: Raised, text: str, around: Surroundings) -> str:
    module = (raised.module or "").partition(".")[0]
    if not module or "ModuleNotFoundError" not in raised.types:
        return (
            f"The repository's Python cannot import what the script needs: {_shorten(text)} "
            f"Install it again there, with {around.pip}."
        )
    if module in _OWN_MODULES:
        return (
            f"The repository lacks its own module {module}. Check it out again, and start the "
            "server with --repository followed by its folder."
        )
    return (
        f"The repository's Python has no module {module}. Install it there: "
        f"{around.pip} {module_package(module)}"
    )


def module_package(module: str) -> str:
    """Return the name of the package that brings a module."""
    return _PACKAGES.get(module, module.replace("_", "-"))


def _is_out_of_memory(ending: Ending) -> bool:
    if ending.raised:
        return (
            bool(_OUT_OF_MEMORY.search(str(ending.raised))) or ending.raised.errno == errno.ENOMEM
        )
    if ending.code == -signal.SIGKILL:  # nobody else sends it: the kernel, when memory is short
        return True
    return ending.code != 0 and bool(_OUT_OF_MEMORY.search(ending.stderr))


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def _details(ending: Ending, around: Surroundings) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if ending.code < 0:
        details["signal"] = _signal_name(-ending.code)
    else:
        details["exitCode"] = ending.code
    return {**details, "stderr": last_lines(ending.stderr, around.names)}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)
