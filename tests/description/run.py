"""Runs schemathesis on a server's own description; all of its checks are on."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sdrest.job_types import JobType
from tests.description.jobs import Made, make
from tests.support.server import Server, environment
from tests.support.web import FORK

PROGRAM = Path(sys.executable).with_name("schemathesis")
ROOT = Path(__file__).parents[2]

TOKEN = "a-secret-of-many-letters"
FLAGS = ("--plain-http", "--repository", str(FORK), "--python", sys.executable)
"""The server's: the fake fork makes pictures quickly."""

_CONFIG = """\
hooks = "tests.description.hooks"
request-timeout = 70.0
continue-on-failure = true

[generation]
database = "none"

[phases.stateful]
max-steps = 20

[checks]
# Besides what is usual: 410, a job that was deleted; 412 and 416, an If-Match or a Range that was
# drawn at random.
positive_data_acceptance.expected-statuses = [
    "2xx", "3xx", 401, 403, 404, 409, 410, 412, 416, 429, "5xx",
]
# And 410 besides what is usual: a deleted job is reported before its request is read.
negative_data_rejection.expected-statuses = [
    400, 401, 403, 404, 405, 406, 409, 410, 415, 422, 428, 429, "5xx",
]

[[operations]]
# It ends with the server, so there is no answer to look at: tests of event streams listen to it.
include-operation-id = "getEvents"
enabled = false

[[operations]]
# The same handlers as below /v1.
include-path-regex = "^/images/"
phases.coverage.enabled = false
"""

_QUICK = """
[[operations]]
# Each case waits for a picture; the long run has this phase.
include-path-regex = "^/v1/images/|^/sdapi/"
phases.coverage.enabled = false
"""

_RANGES = ["bytes=0-9", "bytes=5-", "bytes=-5", "bytes=0-1,4-5", "bytes=99999999-", "lines=1-2"]
_WAITS = [0, 0.25]
_OFTEN = 0.7


async def examine(server: Server, *flags: str, token: str = "", quick: bool = False) -> str:
    """Let schemathesis ask, with `flags` of its own; return its report, whose last line is `ok`.

    The report ends with another line if it found something. `quick` makes fewer pictures.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with server.client(**headers) as client:
        made = {job_type: await make(client, job_type) for job_type in JobType}
    config = server.folder / "schemathesis.toml"
    config.write_text(_CONFIG + (_QUICK if quick else "") + "\n".join(_known(made)))
    sent = [word for item in headers.items() for word in ("--header", ": ".join(item))]
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "--config-file", str(config), "run", f"{url}openapi.json", *sent, *flags),
        cwd=server.folder,
        env=environment(PYTHONPATH=str(ROOT), COLUMNS="200", COVERAGE_PROCESS_CONFIG=""),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        report, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    end = "ok" if process.returncode == 0 else f"It ended with {process.returncode}."
    return f"{report.decode().rstrip()}\n{end}"


def _known(made: Mapping[JobType, Made]) -> Iterator[str]:
    """Yield the configuration of values that lead to jobs, images and parts of them."""
    etags = ["*", *(etag for jobs in made.values() for etag in jobs.etags)]
    yield from _dictionary("etags", etags)
    yield from _dictionary("ranges", _RANGES)
    yield from _dictionary("waits", _WAITS)
    yield from _dictionary("numbers", [1, 2])
    for job_type, jobs in made.items():
        yield from _dictionary(f"{job_type}-kept", jobs.kept)
        yield from _dictionary(f"{job_type}-spare", jobs.spare)
        yield from _dictionary(f"{job_type}-ends", [jobs.end])
    yield from (
        "[parameters]",
        _binding("header.If-None-Match", "etags"),
        _binding("header.If-Match", "etags"),
        _binding("header.Range", "ranges"),
        _binding("query.wait", "waits"),
        _binding("path.number", "numbers"),
    )
    for job_type in made:
        for word, ids in (("include", "spare"), ("exclude", "kept")):
            yield from (
                "[[operations]]",
                f'include-path-regex = "^/{job_type}/"',
                f'{word}-method = "DELETE"',
                "[operations.parameters]",
                _binding("path.id", f"{job_type}-{ids}"),
                _binding("header.Last-Event-ID", f"{job_type}-ends"),
            )


def _dictionary(name: str, values: Iterable[str | float]) -> Iterator[str]:
    yield f"[dictionaries.{name}]"
    yield f"values = {json.dumps(list(values))}"


def _binding(parameter: str, dictionary: str) -> str:
    return f'"{parameter}" = {{ dictionary = "{dictionary}", probability = {_OFTEN} }}'
