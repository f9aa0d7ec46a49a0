"""The working folder of inpaint.py, whose files are links: on file systems without links too.

The script opens its checkpoint and its configuration by fixed names in its working folder. exFAT,
FAT and some network file systems have no symbolic links. Then the working folder is made in the
system's folder for temporary files, which hardly ever lacks them and costs no room; where that
fails too, hard links or copies take the place of the links. Copies are the last choice: the
fork's checkpoint has 3 GB.
"""

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sdrest.engine.local.invocation import Invocation

COPIES = (
    "Neither the file system of the output folder nor that of temporary files has links, so each "
    "inpainting job copies its model. Set TMPDIR to a folder whose file system has symbolic links."
)

_FULL = {errno.ENOSPC, errno.EDQUOT}

_log = logging.getLogger(__name__)


def lay_out(invocation: Invocation) -> Invocation:
    """Make the links that a script needs; return the invocation with the folder that has them.

    Raises `OSError`. May block. `clear` removes what is outside the task's work folder.
    """
    if not invocation.links or _made(invocation.links, os.symlink):
        return invocation
    elsewhere = _elsewhere(invocation)
    if elsewhere is not None:
        return elsewhere
    if not _made(invocation.links, os.link):
        _log.warning("%s", COPIES)
        for place, target in invocation.links.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, place)
    return invocation


def clear(invocation: Invocation) -> None:
    """Remove the folder of links outside the work folder, if there is one. May block."""
    if invocation.temporary:
        shutil.rmtree(invocation.cwd, ignore_errors=True)


def has_links(folder: Path) -> bool:
    """Whether a script's links can be made for a work folder in `folder`."""
    return _has_symlinks(folder) or _has_symlinks(None)


def _elsewhere(invocation: Invocation) -> Invocation | None:
    """Make the links in a new folder for temporary files; the pictures stay where they are."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="sdrest-"))
    except OSError:
        return None
    links = {folder / place.relative_to(invocation.cwd): target
             for place, target in invocation.links.items()}  # fmt: skip
    if invocation.inputs:
        links[folder / invocation.inputs.relative_to(invocation.cwd)] = invocation.inputs
    moved = replace(invocation, cwd=folder, links=links, temporary=True)
    try:
        if _made(links, os.symlink):
            return moved
    except OSError:
        clear(moved)
        raise
    clear(moved)
    return None


def _made(links: Mapping[Path, Path], link: Callable[[Path, Path], None]) -> bool:
    """Make all links; return False where the file system has none of that kind.

    It answers EPERM, ENOSYS, EOPNOTSUPP, or, for hard links, EXDEV; VirtualBox answers EROFS.
    Raises `OSError` for a full disk.
    """
    try:
        for place, target in links.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            link(target, place)
    except OSError as error:
        if error.errno in _FULL:
            raise
        for place in links:
            with suppress(OSError):
                place.unlink()
        return False
    return True


def _has_symlinks(folder: Path | None) -> bool:
    """Whether a folder, by default that of temporary files, is there and has them."""
    try:
        with tempfile.TemporaryDirectory(prefix=".sdrest-", dir=folder) as inside:
            Path(inside, "link").symlink_to("target")
    except OSError:
        return False
    return True
