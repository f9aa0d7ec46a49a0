"""The latest preview of each running job, in memory only."""

from dataclasses import dataclass

from sdrest.engine.base import Preview
from sdrest.jobs.model import JobKey


@dataclass(frozen=True, slots=True)
class JobPreview:
    """What image `index` (from 1) of a running job looks like so far.

    `data` are the bytes of a small picture file of the type `media_type`. `number` is larger for
    each later preview of any job.
    """

    number: int
    index: int
    data: bytes
    media_type: str


class Previews:
    """Keeps the latest preview of each running job."""

    def __init__(self) -> None:
        self._latest: dict[JobKey, JobPreview] = {}
        self._count = 0

    def put(self, key: JobKey, preview: Preview) -> None:
        """Replace the preview of a job."""
        self._count += 1
        self._latest[key] = JobPreview(self._count, preview.index, preview.data, preview.media_type)

    def get(self, key: JobKey) -> JobPreview | None:
        """Return the preview of a job, if there is one."""
        return self._latest.get(key)

    def number(self, key: JobKey) -> int | None:
        """Return the number of a job's preview, if there is one."""
        preview = self._latest.get(key)
        return None if preview is None else preview.number

    def drop(self, key: JobKey, *, up_to: int | None = None) -> None:
        """Forget the preview of a job; with `up_to`, if it is of that image or an earlier one."""
        preview = self._latest.get(key)
        if preview is not None and (up_to is None or preview.index <= up_to):
            del self._latest[key]
