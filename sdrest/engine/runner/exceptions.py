"""Describes the exception that ended a script."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

_MAX_TEXT_LENGTH = 2000
_MAX_CAUSES = 10
_HIDDEN_FILES = (str(Path(__file__).parent), "<frozen importlib")
"""Prefixes of the files that a script's traceback does not show."""


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as JSON values."""
    text = ""
    with contextlib.suppress(Exception):  # __str__ is foreign code
        text = str(error)[:_MAX_TEXT_LENGTH]
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "types": [kind.__name__ for kind in type(error).__mro__],
        "text": text,
        "errno": error.errno if isinstance(error, OSError) else None,
        "module": error.name if isinstance(error, ImportError) else None,
        "files": sorted({Path(frame.filename).name for frame in frames}),
        "causes": [text_of(cause) for cause in causes_of(error)],
    }


def text_of(error: BaseException) -> str:
    """Return an exception's class and text, as the last line of a traceback."""
    with contextlib.suppress(Exception):  # __str__ is foreign code
        return f"{type(error).__name__}: {error}"[:_MAX_TEXT_LENGTH]
    return type(error).__name__


def causes_of(error: BaseException) -> list[BaseException]:
    """Return the causes of an exception, the nearest first."""
    found: list[BaseException] = [error]
    while len(found) <= _MAX_CAUSES:
        cause = found[-1].__cause__ or found[-1].__context__
        if cause is None or cause in found:
            break
        found.append(cause)
    return found[1:]


def is_caused_by(error: BaseException | None, cause: BaseException | None) -> bool:
    """Whether an exception is `cause`, or has it as its cause or context."""
    seen: set[int] = set()
    while error is not None and error is not cause and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return error is not None and error is cause


def script_frames(error: BaseException, script: str) -> TracebackType | None:
    """Return the traceback from the script on, without this package and runpy."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    last = frames
    while last:
        while last.tb_next and last.tb_next.tb_frame.f_code.co_filename.startswith(_HIDDEN_FILES):
            last.tb_next = last.tb_next.tb_next
        last = last.tb_next
    return frames
