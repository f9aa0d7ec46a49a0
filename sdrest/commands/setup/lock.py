"""Allow one set-up at a time in a folder."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sdrest.errors import UsageError
from sdrest.jobs.lock import lock_file


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder itself; the system releases it when this process ends.

    Raises `UsageError` if another set-up holds it or the folder cannot be made. A file system
    without locks does not prevent the set-up.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"Cannot set up in {folder}: {error.strerror}.") from error
    try:
        try:
            lock_file(descriptor)
        except BlockingIOError as error:
            raise UsageError(
                f"Another `sdrest setup` works in {folder}. Let it come to its end, then run again."
            ) from error
        yield
    finally:
        os.close(descriptor)
