"""Check what the output folder's file system supports."""

import os
from collections.abc import Iterator
from pathlib import Path

from sdrest.commands.doctor.findings import Finding, failure, ok, warning
from sdrest.engine.local import links
from sdrest.errors import UsageError
from sdrest.jobs.durable import UNSYNCED, syncs_folders
from sdrest.jobs.journal import ROLLBACK, Journal, best_mode
from sdrest.jobs.lock import UNLOCKED, can_lock

_ANOTHER = "Choose an --output on a local disk of this machine."


def filesystem_findings(folder: Path) -> Iterator[Finding]:
    """Try what the server needs in an existing folder; remove the files of the trial."""
    if not os.access(folder, os.W_OK | os.X_OK):
        yield warning(f"{folder} cannot be written, so its file system was not tried.", _ANOTHER)
        return
    missing = list(_missing(folder))
    yield from missing
    if not missing:
        yield ok(f"The file system of {folder} has all that the server needs.")


def _missing(folder: Path) -> Iterator[Finding]:
    try:
        if best_mode(folder) is not Journal.WAL:
            yield warning(ROLLBACK, _ANOTHER)
    except UsageError as error:
        yield failure(error.message, _ANOTHER)
    if not can_lock(folder):
        yield warning(UNLOCKED, _ANOTHER)
    if not syncs_folders(folder):
        yield warning(UNSYNCED, _ANOTHER)
    if not links.has_links(folder):
        yield warning(links.COPIES, _ANOTHER)
