"""The routes for many jobs or images at once."""

from http import HTTPStatus

from sdrest.errors import ErrorCode
from sdrest.web.dialects import gallery
from sdrest.web.route import ResponseSpec, Route
from sdrest.web.routes.shared import BODY_ERRORS, OK

_JOB_ERRORS = (ErrorCode.NOT_FOUND, ErrorCode.GONE)

ROUTES: tuple[Route, ...] = (
    Route(
        "PUT",
        "/TYPE/{id}/{number}.png/favourite",
        gallery.mark_favourite,
        "Mark an image as a favourite",
        {HTTPStatus.NO_CONTENT: ResponseSpec("It is a favourite.")},
        _JOB_ERRORS,
        text="A job with a favourite is not removed by `--keep-days` and `--keep-bytes`.",
    ),
    Route(
        "DELETE",
        "/TYPE/{id}/{number}.png/favourite",
        gallery.unmark_favourite,
        "Unmark a favourite",
        {HTTPStatus.NO_CONTENT: ResponseSpec("It is not a favourite.")},
        _JOB_ERRORS,
    ),
    Route(
        "POST",
        "/jobs/cancel",
        gallery.cancel_jobs,
        "Cancel all jobs that wait or run",
        {HTTPStatus.NO_CONTENT: ResponseSpec("All that waited or ran have ended.")},
        tag="jobs",
    ),
    Route(
        "POST",
        "/jobs/delete",
        gallery.delete_jobs,
        "Delete several jobs with all their files",
        {HTTPStatus.NO_CONTENT: ResponseSpec("They are gone.")},
        BODY_ERRORS,
        body="JobPaths",
        tag="jobs",
        text="As `DELETE` of each; jobs that are gone already are left out.",
    ),
    Route(
        "POST",
        "/jobs/zip",
        gallery.send_zip,
        "Download several images as one zip file",
        {OK: ResponseSpec("The file.", "application/zip", headers=("Content-Disposition",))},
        BODY_ERRORS,
        body="ImagePaths",
        tag="jobs",
        text="The names in it are `WORDS-OF-THE-PROMPT-SEED-NUMBER.png`; a `missing.txt` names "
        "images that are gone. A form may send `images` too, as one text with spaces between the "
        "paths.",
    ),
)
