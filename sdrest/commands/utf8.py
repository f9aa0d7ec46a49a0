"""UTF-8 for paths, arguments and the programs that are run, whatever the locale.

Without it a locale such as de_DE.ISO-8859-1 reads UTF-8 in paths and prompts as other letters,
and prompts that the locale has no letters for reach no script.
"""

import contextlib
import locale
import os
import sys


def restart_in_utf8_mode() -> None:
    """Replace this process by the same one in Python's UTF-8 mode, unless its paths are UTF-8.

    The process keeps its number, its streams and its arguments, byte for byte. Python itself
    switches to this mode in the locales C and POSIX, and from 3.15 on everywhere.
    """
    variable = "PYTHONUTF8"
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get(variable) == "1":
        return
    command = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    with contextlib.suppress(OSError):  # then paths in the locale's letters have to do
        os.execve(sys.executable, command, os.environ | {variable: "1"})  # noqa: S606 (this very Python)


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
