"""UTF-8 for paths, arguments and the programs that are run, whatever the locale.

Without it a locale such as de_DE.ISO-8859-1 reads UTF-8 in paths and prompts as other letters,
and prompts that the locale has no letters for reach no script.
"""

import contextlib
import locale
import os
import sys
from pathlib import Path

_VARIABLE = b"PYTHONUTF8"


def restart_in_utf8_mode() -> None:
    """Replace this process by the same one in Python's UTF-8 mode, unless its paths are UTF-8.

    The process keeps its number, its streams and its arguments, byte for byte. Python itself
    switches to this mode in the locales C and POSIX, and from 3.15 on everywhere.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environb.get(_VARIABLE) == b"1":
        return
    command = [os.fsencode(sys.executable), b"-X", b"utf8", *_arguments()]
    with contextlib.suppress(OSError):  # then paths in the locale's letters have to do
        os.execve(command[0], command, os.environb | {_VARIABLE: b"1"})  # noqa: S606 (this very Python)


def _arguments() -> list[bytes]:
    """Return the arguments behind the program's name as they came.

    Python has decoded them, which cannot be undone in every encoding (EUC-JP, for one).
    """
    try:
        return Path("/proc/self/cmdline").read_bytes().split(b"\0")[1:-1]
    except OSError:  # a system without it
        return [os.fsencode(argument) for argument in sys.orig_argv[1:]]


def decoded(argument: str) -> str:
    """Return an argument as text: bytes that are no UTF-8 are read in the locale's encoding.

    What that cannot read either stays as it is.
    """
    try:
        argument.encode()
    except UnicodeEncodeError:
        with contextlib.suppress(UnicodeDecodeError):
            return os.fsencode(argument).decode(locale.getencoding())
    return argument
