"""Answer health and readiness probes; the page uses them too.

Neither needs the token, since a probe has no place for it; neither names a path of the server.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from sdrest.errors import ErrorCode, FailureCode, RequestError
from sdrest.job_types import JobType
from sdrest.web import keys
from sdrest.web.responses.json_response import json_response
from sdrest.web.responses.server_answers import Engine

_BUNDLED = (
    "The bundled engine draws simple scenes; it is not Stable Diffusion. For that, run "
    "sdrest setup: it gets https://github.com/bfirsh/stable-diffusion and its models."
)
_OWN = "Jobs run in the repository that --repository names."

_TROUBLES: Mapping[ErrorCode, str] = {
    ErrorCode.STOPPING: "The server is stopping.",
    ErrorCode.STORAGE_UNAVAILABLE: (
        "The server cannot write to its output folder. See that the folder is there, that the "
        "server may write to it, and that its disk has room."
    ),
}
"""Problems that make the server refuse every job."""


async def send_health(_: web.Request) -> web.Response:
    """Answer that the server is alive."""
    return json_response({"status": "ok"})


class Readiness:
    """Checks whether jobs can be taken and run. Requests during a check share its result."""

    def __init__(self) -> None:
        self._looking: asyncio.Task[_Found] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """Answer which engine there is and what would make jobs fail; 503 if all of them would.

        What the file system of the output folder cannot do is a problem that leaves jobs usable.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(_look(request.app))
        found = await asyncio.shield(self._looking)
        usable = bool(found.usable)
        answer = {
            "engine": _engine(bundled=found.bundled),
            "problems": [
                {"code": code, "message": message} for message, code in found.problems.items()
            ],
            "status": "ready" if usable else "not ready",
            "usable": found.usable,
        }
        return json_response(answer, HTTPStatus.OK if usable else HTTPStatus.SERVICE_UNAVAILABLE)


READINESS = web.AppKey("readiness", Readiness)


async def send_readiness(request: web.Request) -> web.Response:
    """Answer whether the server could make a picture now."""
    return await request.app[READINESS].answer(request)


@dataclass(frozen=True, slots=True)
class _Found:
    """The types of jobs that would run, and codes of problems by their messages."""

    usable: list[JobType]
    problems: Mapping[str, ErrorCode | FailureCode]
    bundled: bool


async def _look(app: web.Application) -> _Found:
    health = await app[keys.EXECUTOR].health()
    problems = {failure.message: failure.code for failure in health.problems.values()}
    for limitation in app[keys.LIMITATIONS]:
        problems[limitation] = FailureCode.STORAGE_FAILED
    usable = [job_type for job_type in JobType if job_type not in health.problems]
    try:
        await app[keys.JOBS].check_writable()
    except RequestError as error:
        return _Found([], {_TROUBLES[error.code]: error.code, **problems}, health.bundled)
    return _Found(usable, problems, health.bundled)


def _engine(*, bundled: bool) -> Engine:
    if bundled:
        return {"kind": "bundled", "message": _BUNDLED}
    return {"kind": "repository", "message": _OWN}
