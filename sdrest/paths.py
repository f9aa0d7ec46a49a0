"""Expand paths from the command line; recognise locales that are not UTF-8."""

import codecs
import locale
import os
from pathlib import Path


def expand_home(text: str) -> str:
    """Replace `~` or `~user` at the beginning by that home folder.

    As in a shell, the `~` of an unknown user stays.
    """
    return os.path.expanduser(text)  # noqa: PTH111 (Path.expanduser raises for unknown users)


def expand(text: str) -> Path:
    """Return the path of a flag's text, with `~` and `~user` expanded."""
    return Path(expand_home(text))


def locale_has_other_letters() -> bool:
    """Whether the locale encodes file names in another encoding than UTF-8, e.g. ISO-8859-1."""
    return codecs.lookup(locale.getencoding()).name not in {"ascii", "utf-8"}


def open_no_follow(path: Path) -> int:
    """Return a descriptor to read the file at `path`; raises `OSError`, also for a symbolic link.

    The caller checks that it is not a folder or a FIFO.
    """
    # O_NONBLOCK: opening a FIFO does not wait for its other end.
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
