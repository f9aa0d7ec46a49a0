"""Use UTF-8 for paths, arguments and child processes, whatever the locale.

Otherwise Python decodes UTF-8 paths and prompts wrongly in a locale such as de_DE.ISO-8859-1, and
cannot pass a prompt with other characters to a script.
"""

import contextlib
import locale
import os
import sys
from pathlib import Path

_VARIABLE = b"PYTHONUTF8"


def restart_in_utf8_mode() -> None:
    """Restart this process in Python's UTF-8 mode, unless its paths are UTF-8 already.

    Its pid, streams and arguments stay the same. Python itself uses this mode in the locales C
    and POSIX, and from 3.15 on everywhere.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environb.get(_VARIABLE) == b"1":
        return
    command = [os.fsencode(sys.executable), b"-X", b"utf8", *_arguments()]
    with contextlib.suppress(OSError):  # go on with paths in the locale's encoding
        os.execve(command[0], command, os.environb | {_VARIABLE: b"1"})  # noqa: S606 (this very Python)


def _arguments() -> list[bytes]:
    """Return the arguments after the program's name as bytes.

    Python's decoding of them cannot be undone in every encoding, e.g. not in EUC-JP.
    """
    try:
        return Path("/proc/self/cmdline").read_bytes().split(b"\0")[1:-1]
    except OSError:  # a system without it
        return [os.fsencode(argument) for argument in sys.orig_argv[1:]]


def decoded(argument: str) -> str:
    """Decode an argument that is not UTF-8 in the locale's encoding, if that is possible."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        with contextlib.suppress(UnicodeDecodeError):
            return os.fsencode(argument).decode(locale.getencoding())
    return argument
