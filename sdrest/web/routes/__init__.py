"""The routes of the server: the one list from which the router and the descriptions derive."""

from sdrest.errors import UsageError
from sdrest.job_types import JobType
from sdrest.settings import Settings
from sdrest.web.route import Route
from sdrest.web.routes import a1111, jobs, openai, server

ROUTES: tuple[Route, ...] = (*jobs.ROUTES, *openai.ROUTES, *a1111.ROUTES, *server.ROUTES)


def require_free_base_path(settings: Settings) -> None:
    """Raise `UsageError` for a base path that begins as the path of a route does."""
    first = settings.base_path.partition("/")[2].partition("/")[0].lower()
    if first and first in {*JobType, *(route.path.split("/")[1] for route in ROUTES)}:
        raise UsageError(
            f"--base-path {settings.base_path}: /{first} is a route of the server. "
            f"Use another path, such as /sd{settings.base_path}."
        )
