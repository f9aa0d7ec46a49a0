"""Decide why a script failed, and say what helps. Pure."""

import errno
import os
import re
import signal
from typing import Any

from sdrest.checkpoints.problems import missing_model
from sdrest.engine.local.failures.ending import Ending, FailureContext, Raised
from sdrest.engine.local.failures.imports import import_advice
from sdrest.engine.local.failures.model_failures import (
    config_problem,
    hub_model_problem,
    state_dict_reason,
)
from sdrest.engine.local.failures.redaction import last_lines, redact, shorten
from sdrest.engine.local.failures.resources import (
    lacks_memory,
    lacks_storage,
    memory_advice,
    storage_advice,
)
from sdrest.engine.runner.weights import UnusableCheckpointError
from sdrest.errors import Failure, FailureCode, out_of_resources

BROKEN_PYTHON = (
    "The Python of the repository does not start. "
    "Make its virtual environment again, with Python 3.8 or later."
)


_NO_ROOM_FOR_PROCESSES = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}
_NO_THREADS = re.compile(r"can't start new thread|pthread_create (?:failed|error)")
_NO_MORE_THREADS = (
    "The machine allows the script no more files, threads or processes. Submit the request again; "
    "if that does not help, raise the limits (ulimit -n, ulimit -u, ulimit -v, the container's)."
)


def not_started(error: OSError) -> Failure:
    """Return why a process could not be started."""
    if error.errno == errno.ENOMEM:
        return Failure(
            FailureCode.OUT_OF_MEMORY,
            "There is no memory for another process. End other programs, or start the server with "
            "a lower --concurrency.",
        )
    if error.errno in _NO_ROOM_FOR_PROCESSES:
        return out_of_resources(error)
    return Failure(FailureCode.PYTHON_MISSING, BROKEN_PYTHON)


_BAD_MODEL = re.compile(
    r"PytorchStreamReader|inline_container\.cc|Weights only load failed"
    r"|Error\(s\) in loading state_dict|size mismatch for|^'?state_dict'?$"
)
_LOADERS = {"serialization.py", "_weights_only_unpickler.py", "checkpoint.py"}
"""Files on the way of an exception that is due to the checkpoint: torch's, the bundled engine's."""

_UNUSABLE = UnusableCheckpointError.__name__
"""What a runner raises for a checkpoint that would give noise; its text follows the name."""


_Diagnosis = tuple[FailureCode, str]


def classify(ending: Ending, context: FailureContext) -> Failure:
    """Return the failure of a script that did not make all its images."""
    code, message = _diagnose(ending, context)
    return Failure(code, message, _details(ending, context))


def _diagnose(ending: Ending, context: FailureContext) -> _Diagnosis:
    lack = _lack_of_resources(ending, context)
    if lack:
        return lack
    if not ending.ready and ending.code >= 0:
        return FailureCode.PYTHON_MISSING, BROKEN_PYTHON
    if _is_out_of_memory(ending):
        return FailureCode.OUT_OF_MEMORY, _memory_advice("", ending, context)
    number = _killing_signal(ending)
    if number:
        return FailureCode.KILLED, _killed(number, ending.oom_killed)
    if ending.raised is None:
        return _diagnose_exit(ending, context)
    return _diagnose_exception(ending.raised, context)


def _evidence(ending: Ending) -> str:
    """Return the texts that say why a script failed: of its exceptions, else its whole stderr.

    Libraries replace a lack of memory by an error of their own; the cause keeps it.
    """
    raised = ending.raised
    if raised:
        known = os.strerror(raised.errno) if raised.errno else ""
        return "\n".join([str(raised), known, *raised.causes])
    return ending.stderr if ending.code else ""


def _lack_of_resources(ending: Ending, context: FailureContext) -> _Diagnosis | None:
    raised, evidence = ending.raised, _evidence(ending)
    if lacks_memory(evidence, noexec=context.noexec):
        return FailureCode.OUT_OF_MEMORY, _memory_advice(evidence, ending, context)
    if _NO_THREADS.search(evidence) or (raised and raised.errno in _NO_ROOM_FOR_PROCESSES):
        return FailureCode.OUT_OF_RESOURCES, _NO_MORE_THREADS
    if raised and lacks_storage(raised.errno, raised.text):
        return FailureCode.STORAGE_FAILED, storage_advice(raised.errno, loaded=ending.loaded)
    return None


def _memory_advice(text: str, ending: Ending, context: FailureContext) -> str:
    return memory_advice(
        text,
        loaded=ending.loaded,
        attention=ending.attention,
        max_models=context.max_models,
        concurrency=context.concurrency,
    )


def _killing_signal(ending: Ending) -> int:
    """Return the number of the signal that ended a script; 0 for another end."""
    if ending.raised is not None and "KeyboardInterrupt" in ending.raised.types:
        return signal.SIGINT
    return max(0, -ending.code)


def _killed(number: int, oom_killed: bool | None) -> str:  # noqa: FBT001 (a fact, no switch)
    name = _signal_name(number)
    killed = f"The script was killed by {f'signal {name}' if name.isdigit() else name}."
    if number == signal.SIGKILL and oom_killed is None:
        return (
            f"{killed} The machine may have run out of memory: submit the request again, with a "
            "smaller picture or a smaller batch if that does not help."
        )
    return f"{killed} Submit the request again."


def _diagnose_exit(ending: Ending, context: FailureContext) -> _Diagnosis:
    if ending.code == 0:
        return FailureCode.IMAGES_MISSING, (
            f"The script ended without an error, but made only {ending.images} of "
            f"{ending.total_images} images. See the last lines of its output."
        )
    *_, last = ["", *last_lines(ending.stderr, context.names).splitlines()]
    reason = f": {shorten(last)}" if last else "."
    return FailureCode.SCRIPT_FAILED, f"The script ended with exit code {ending.code}{reason}"


def _diagnose_exception(raised: Raised, context: FailureContext) -> _Diagnosis:
    text = redact(str(raised), context.names)
    if _UNUSABLE in raised.types:
        return FailureCode.MODEL_INVALID, (
            f"The model checkpoint ({context.model_flag}) {raised.text}"
        )
    if "ImportError" in raised.types:
        return FailureCode.IMPORT_FAILED, import_advice(raised, text, context)
    diagnosis = hub_model_problem(
        raised, text, context.hub_problems, context.hub_folders
    ) or config_problem(raised.types, text, context.config)
    if diagnosis:
        return diagnosis.code, redact(diagnosis.message, context.names)
    if raised.files & _LOADERS:
        return _diagnose_model(raised, text, context)
    if _BAD_MODEL.search(raised.text):
        return _diagnose_model(raised, text, context)
    return FailureCode.SCRIPT_FAILED, f"The script failed: {shorten(text)}"


def _diagnose_model(raised: Raised, text: str, context: FailureContext) -> _Diagnosis:
    if "FileNotFoundError" in raised.types:
        return FailureCode.MODEL_MISSING, missing_model(context.model_flag)
    reason = state_dict_reason(text)[:400]
    if "size mismatch" in reason:
        return FailureCode.MODEL_INVALID, (
            f"The model checkpoint ({context.model_flag}) does not fit this script: {reason}. "
            + _other_model(context.model_flag)
        )
    return FailureCode.MODEL_INVALID, (
        f"The model checkpoint ({context.model_flag}) cannot be loaded: it is damaged, "
        f"incomplete or not made for this script. Download it again. ({reason})"
    )


def _other_model(flag: str) -> str:
    if flag.startswith("-"):
        return f"Start the server with {flag} followed by a model for it."
    return "Choose another one; GET /models lists them."


def _is_out_of_memory(ending: Ending) -> bool:
    return ending.raised is None and ending.code == -signal.SIGKILL and ending.oom_killed is True


def _details(ending: Ending, context: FailureContext) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if ending.code < 0:
        details["signal"] = _signal_name(-ending.code)
    else:
        details["exitCode"] = ending.code
    return {**details, "stderr": last_lines(ending.stderr, context.names)}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)
