"""The parts of the OpenAPI document that do not depend on the routes. Pure."""

from collections.abc import Mapping
from typing import Any

from sdrest.job_types import JobType
from sdrest.web.description import schemas
from sdrest.web.description.examples import ID

DESCRIPTION = """\
Stable Diffusion as a REST API. A request for a picture is answered with the path of its job; ask \
there until its `status` is `COMPLETE`, then fetch its `imageUrls`.

`HEAD` is answered wherever `GET` is, with the headers alone. The case of a job's type and a slash \
at the end of a path do not matter. Every error has the same shape and a code of its own.
"""

TAGS: Mapping[str, str] = {
    **{job_type: f"Jobs of the type {job_type}." for job_type in JobType},
    "jobs": "All jobs together.",
    "openai": "Pictures for clients of OpenAI's images API; docs/openai.md says what is exact.",
    "a1111": "For clients of AUTOMATIC1111's web UI; docs/a1111.md says what is exact.",
    "server": "The server itself.",
}

SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The server's `--token`. A server without one answers everybody.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The token as the password of any user, for AUTOMATIC1111's clients.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sdrest-XXXXXXXX",
        "description": "The cookie that `POST /session` sets; for X it has digits of its own.",
    },
}

PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "model": {
        "description": "The name of the model.",
        "schema": {"type": "string", "minLength": 1},
        "example": "text-to-image",
    },
    "name": {
        "description": "The name of the picture, as in its address.",
        "schema": {"type": "string", "minLength": 1},
        "example": f"{ID}.png",
    },
    "id": {
        "description": "The id of the job.",
        "schema": schemas.ID,
        "example": ID,
    },
    "number": {
        "description": "Which of the images, counted from 1.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999},
        "example": 1,
    },
}
