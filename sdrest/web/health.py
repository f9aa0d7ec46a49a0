"""Whether the server is alive, and whether it could draw a picture now."""

import asyncio
from http import HTTPStatus

from aiohttp import hdrs, web

from sdrest.engine.repository import Repository, problem
from sdrest.errors import Failure
from sdrest.params import JobType
from sdrest.web import keys
from sdrest.web.render import JSON, json_body

_BUNDLED = (
    "The bundled engine draws simple scenes; it is no Stable Diffusion. For that, clone "
    "https://github.com/bfirsh/stable-diffusion and start the server with --repository."
)
_OWN = "Jobs run in the repository that --repository names."


def add_to(router: web.UrlDispatcher) -> None:
    """Register `/healthz` and `/readyz`."""
    router.add_get("/healthz", _alive)
    router.add_get("/readyz", _ready)


async def _alive(_: web.Request) -> web.Response:
    return _answer(HTTPStatus.OK, {"status": "ok"})


async def _ready(request: web.Request) -> web.Response:
    """Tell which engine there is and what would make jobs fail; 503 if all of them would."""
    repository = request.app[keys.REPOSITORY]
    found = await asyncio.to_thread(_problems, repository)
    usable = None in found.values()
    problems = {item.message: item.code for item in found.values() if item is not None}
    answer = {
        "engine": _engine(repository),
        "problems": [{"code": code, "message": message} for message, code in problems.items()],
        "status": "ready" if usable else "not ready",
        "usable": [job_type for job_type, item in found.items() if item is None],
    }
    return _answer(HTTPStatus.OK if usable else HTTPStatus.SERVICE_UNAVAILABLE, answer)


def _problems(repository: Repository) -> dict[JobType, Failure | None]:
    return {job_type: problem(repository, job_type) for job_type in JobType}


def _engine(repository: Repository) -> dict[str, str]:
    if repository.bundled:
        return {"kind": "bundled", "message": _BUNDLED}
    return {"kind": "repository", "message": _OWN}


def _answer(status: HTTPStatus, value: object) -> web.Response:
    headers = {hdrs.CONTENT_TYPE: JSON, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=status, body=json_body(value), headers=headers)
