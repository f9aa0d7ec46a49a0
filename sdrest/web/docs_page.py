"""The API's description as a page: everything is in the HTML, the script only copies. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sdrest.errors import ErrorCode
from sdrest.web import docs_html as h
from sdrest.web.docs_operation import HEADER, Operations, either, meaning, shown, target
from sdrest.web.errors import FAILURES, MEANINGS, STATUS
from sdrest.web.examples import BASE, continued
from sdrest.web.openapi import types
from sdrest.web.operations import OPERATIONS
from sdrest.web.page import PREFIX

_HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>API · sdrest</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" content="#edeff0" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#151412" media="(prefers-color-scheme: dark)">
<link rel="icon" href="{PREFIX}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{PREFIX}theme.css">
<link rel="stylesheet" href="{PREFIX}docs.css">
<script type="module" src="{PREFIX}docs.js"></script>
</head>
<body class="docs">
<a class="skip" href="#start">Skip to the description</a>
<header class="top">
<h1><img src="{PREFIX}icon.svg" alt="" width="26" height="26">sdrest API</h1>
<a class="quiet" href="/openapi.json">openapi.json</a>
<a class="quiet" href="/">Pictures</a>
</header>
<main>
"""
_TYPES = (
    "`TYPE` is `text-to-image`, `image-to-image` or `inpaint-image`; `ID` is the job's, as in the "
    "`Location` of the answer to its request."
)
_FIELDS = (
    "Fields come as a multipart form, urlencoded or as JSON; pictures need the multipart form. "
    "Numbers may be texts. In JSON, `null` and `false` are the same as nothing, but for `seed`. "
    "Other fields are ignored."
)
_TRUST = '--cacert "${CURL_CA_BUNDLE:-cert.pem}"'
"""What makes curl trust the server: the file that the README exports, else the one beside it."""

_COMMANDS = (
    "The commands on this page work in bash and zsh, in the folder of the server's `cert.pem` (or "
    "with its path in `CURL_CA_BUNDLE`). Leave `--cacert` out where the certificate is trusted. "
    "This is one picture from request to file; the events end when the job does:"
)
_LOCKED = (
    "This server has a token. Send it as `Authorization: Bearer TOKEN`; a page in a browser may "
    "turn it into a cookie with `POST /session`. What answers without it says so."
)
_OPEN = (
    "This server has no token (`--token`), so nothing needs to be sent. With one, requests carry "
    "`Authorization: Bearer TOKEN`, or the cookie of `POST /session`."
)
_ERRORS = (
    'A refused request is answered with `{"error": {"code": …, "message": …, "details": …}}`. '
    "Programs look at the code, people at the message."
)
_FAILURES = (
    "A job with the status `FAILED` has the same object as its `error`, with one of these codes."
)

Described = Mapping[str, Any]


class _Page:
    def __init__(self, described: Described, *, locked: bool) -> None:
        self._words: str = described["info"]["description"]
        self._schemas: Described = described["components"]["schemas"]
        self._operations = Operations(described, locked=locked)
        self._locked = locked
        self._groups = {
            "ask": ("Ask for a picture", [name for name in OPERATIONS if name == "POST /TYPE"]),
            "jobs": ("Jobs", [name for name in OPERATIONS if _is_of_jobs(name)]),
            "server": ("The server", [name for name in OPERATIONS if _is_of_server(name)]),
        }

    def html(self) -> Iterator[str]:
        yield _HEAD
        yield from self._contents()
        yield '<div class="text" id="start" tabindex="-1">\n'
        first, *others = self._words.strip().split("\n\n")
        yield h.paragraph(first)
        yield h.paragraph(_COMMANDS)
        yield h.command(self._first())
        yield from map(h.paragraph, others)
        yield h.heading(2, "token", "Who may ask")
        yield h.paragraph(_LOCKED if self._locked else _OPEN)
        for group, (title, names) in self._groups.items():
            yield h.heading(2, group, title)
            yield h.paragraph({"ask": _FIELDS, "jobs": _TYPES}.get(group, ""))
            for name in names:
                for job_type in types(name) if group == "ask" else [None]:
                    yield from self._operations.html(name, job_type)
        yield from self._shapes()
        yield from _errors()
        yield '</div>\n</main>\n<div class="unseen" id="said" role="status"></div>\n'
        yield "</body>\n</html>\n"

    def _contents(self) -> Iterator[str]:
        yield '<nav class="contents" aria-label="Contents">\n'
        yield "<details open><summary>Contents</summary>\n<ul>\n"
        for group, (title, names) in self._groups.items():
            yield f"<li>{h.link(group, title)}<ul>\n"
            for name in names:
                for job_type in types(name) if group == "ask" else [None]:
                    yield f"<li>{h.link(target(name, job_type), shown(name, job_type))}</li>\n"
            yield "</ul></li>\n"
        for place, title in (
            ("shapes", "Answers"),
            ("errors", "Errors"),
            ("failures", "Failures"),
        ):
            yield f"<li>{h.link(place, title)}</li>\n"
        yield "</ul>\n</details>\n</nav>\n"

    def _shapes(self) -> Iterator[str]:
        yield h.heading(2, "shapes", "Answers")
        used = [name for name in self._schemas if _is_of_answers(name)]
        for name in used:
            schema = self._schemas[name]
            yield f'<section aria-labelledby="shape-{name}">\n'
            yield h.heading(3, f"shape-{name}", name)
            parts = [h.kind(part) for part in schema.get("oneOf", ())]
            if parts:
                yield f"<p>{either(parts)}.</p>\n"
            for part in schema.get("allOf", ()):
                yield f"<p>What {h.kind(part)} has, and besides:</p>\n"
            rows = [
                (f"<code>{h.breakable(name)}</code>", h.kind(field), meaning(field))
                for name, field in _flat(schema)
            ]
            yield h.table(("Name", "Type", "Meaning"), rows)
            yield "</section>\n"

    def _first(self) -> str:
        token = [HEADER] if self._locked else []
        ask = continued(
            f"curl {BASE}/text-to-image",
            *token,
            '--form prompt="a red fox in the snow"',
            "--location --silent --output job.json --write-out '%{url_effective}'",
        )
        return "\n\n".join(
            (
                f"job=$({ask})",
                continued('curl "$job/events"', *token, "--no-buffer"),
                continued('curl "$job/1.png"', *token, "--output image.png"),
            )
        )


def html(described: Described, *, locked: bool = False, prefix: str = "") -> str:
    """Return the description, of a server with a token (`locked`) or none, as a page.

    Its addresses and commands have `prefix` before the path.
    """
    page = "".join(_Page(described, locked=locked).html())
    page = re.sub(rf'\bcurl (?={BASE}|"\$job)', f"curl {_TRUST} ", page)
    if not prefix:
        return page
    return page.replace('="/', f'="{prefix}/').replace(f"{BASE}/", f"{BASE}{prefix}/")


def _is_of_jobs(name: str) -> bool:
    return name != "POST /TYPE" and ("/TYPE" in name or name in {"GET /jobs", "GET /events"})


def _is_of_server(name: str) -> bool:
    return name != "POST /TYPE" and not _is_of_jobs(name)


def _is_of_answers(name: str) -> bool:
    return not name.endswith("Code") and not any(
        name.startswith(word) for word in ("TextTo", "ImageTo", "Inpaint", "Session")
    )


def _flat(schema: Described, prefix: str = "") -> Iterator[tuple[str, Described]]:
    """Yield the properties of a shape; those inside of objects have the names of both."""
    for name, field in schema.get("properties", {}).items():
        yield f"{prefix}{name}", field
        yield from _flat(field, f"{prefix}{name}.")


def _errors() -> Iterator[str]:
    yield h.heading(2, "errors", "Errors")
    yield h.paragraph(_ERRORS)
    rows = [
        (f"<code>{code}</code>", str(STATUS[code].value), h.text(MEANINGS[code]))
        for code in ErrorCode
    ]
    yield h.table(("Code", "Status", "Meaning"), rows, ids=[f"code-{code}" for code in ErrorCode])
    yield h.heading(2, "failures", "Failures")
    yield h.paragraph(_FAILURES)
    failed = [(f"<code>{code}</code>", h.text(words)) for code, words in FAILURES.items()]
    yield h.table(("Code", "Meaning"), failed, ids=[f"failure-{code}" for code in FAILURES])
