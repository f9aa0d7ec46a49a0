"""The job that a request asks for: the one with its id, or a new one where its seed is random."""

from collections.abc import Mapping
from typing import Any

from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey
from sdrest.parameter_values import draw_seed
from sdrest.params import asks_random_seed
from sdrest.web.dialects.original_ids import job_id


class RequestedJob:
    """The job that a request's `fields` ask for; the server adds `values` to its id.

    Two requests with a random seed are two jobs. The id is that of the same request with the
    number that was drawn, so sending that number later returns this job. JSON `false` has the id
    of the original tool, which leaves the seed out, as long as no job has or had that id.

    `key`, `seed` and `redraw` are those of `JobService.submit`.
    """

    def __init__(
        self, job_type: JobType, fields: Mapping[str, Any], values: Mapping[str, str]
    ) -> None:
        self._type = job_type
        self._fields = fields
        self._values = values
        self.key = self._key(fields)
        self.seed: int | None = None
        self.redraw = self._draw if asks_random_seed(fields) else None
        if self.redraw:
            key, self.seed = self._draw()
            self.key = self.key if fields["seed"] is False else key

    def _draw(self) -> tuple[JobKey, int]:
        seed = draw_seed()
        value = str(seed) if isinstance(self._fields["seed"], str) else seed
        return self._key({**self._fields, "seed": value}), seed

    def _key(self, fields: Mapping[str, Any]) -> JobKey:
        return JobKey(self._type, job_id(fields, self._values))
