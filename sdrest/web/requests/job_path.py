"""The job that a request's path names: `/TYPE/ID`, with the type in any case."""

from aiohttp import web

from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey


def given_type(request: web.Request) -> str:
    """Return the job type as the client wrote it."""
    return request.path[1:].partition("/")[0]


def job_type(request: web.Request) -> JobType:
    """Return the job type that the path begins with."""
    return JobType(given_type(request).lower())


def job_key(request: web.Request) -> JobKey:
    """Return the key of the job."""
    return JobKey(job_type(request), request.match_info["id"])
