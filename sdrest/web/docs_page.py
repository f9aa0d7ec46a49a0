"""The API's description as a page: everything is in the HTML, the script only copies. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from sdrest.errors import ErrorCode
from sdrest.params import JobType
from sdrest.web import docs_html as h
from sdrest.web.access import audience
from sdrest.web.errors import FAILURES, MEANINGS, STATUS
from sdrest.web.examples import ID, curl
from sdrest.web.openapi import ALWAYS, operation_id, types
from sdrest.web.operations import OPERATIONS
from sdrest.web.page import PREFIX

_BASE = "https://0.0.0.0:8888"
_HEADER = '--header "Authorization: Bearer $SDREST_TOKEN"'
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
        self._paths: Described = described["paths"]
        self._components: Described = described["components"]
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
        yield h.command(self._first())
        yield from map(h.paragraph, others)
        yield h.heading(2, "token", "Who may ask")
        yield h.paragraph(_LOCKED if self._locked else _OPEN)
        for target, (title, names) in self._groups.items():
            yield h.heading(2, target, title)
            yield h.paragraph({"ask": _FIELDS, "jobs": _TYPES}.get(target, ""))
            for name in names:
                for job_type in types(name) if target == "ask" else [None]:
                    yield from self._operation(name, job_type)
        yield from self._shapes()
        yield from _errors()
        yield '</div>\n</main>\n<div class="unseen" id="said" role="status"></div>\n'
        yield "</body>\n</html>\n"

    def _contents(self) -> Iterator[str]:
        yield '<nav class="contents" aria-label="Contents">\n<ul>\n'
        for target, (title, names) in self._groups.items():
            yield f"<li>{h.link(target, title)}<ul>\n"
            for name in names:
                verb, place = name.split(" ")
                for job_type in types(name) if target == "ask" else [None]:
                    shown = place.replace("TYPE", job_type or "TYPE").replace("{id}", "ID")
                    entry = f"{h.method(verb)} {h.path(shown)}"
                    yield f"<li>{h.link(_target(name, job_type), entry)}</li>\n"
            yield "</ul></li>\n"
        for target, title in (
            ("shapes", "Answers"),
            ("errors", "Errors"),
            ("failures", "Failures"),
        ):
            yield f"<li>{h.link(target, title)}</li>\n"
        yield "</ul>\n</nav>\n"

    def _operation(self, name: str, job_type: JobType | None) -> Iterator[str]:
        verb, place = name.split(" ")
        example = job_type or (JobType.TEXT_TO_IMAGE if "TYPE" in place else None)
        described = self._paths[place.replace("TYPE", example or "")][verb.lower()]
        shown = place.replace("TYPE", job_type or "TYPE").replace("{id}", "ID")
        target = _target(name, job_type)
        yield f'<section aria-labelledby="{target}">\n'
        yield h.heading(3, target, f"{h.method(verb)} {h.path(shown)}")
        yield f'<p class="summary">{h.text(described["summary"])}</p>\n'
        if "description" in described:
            yield h.paragraph(described["description"])
        yield f'<p class="hint">{h.text(_whom(name))}</p>\n'
        yield h.command(self._curl(verb, place, example, described))
        rows = [_parameter(item) for item in described["parameters"] if item["name"] != "id"]
        yield h.table(("Parameter", "Type", "Meaning"), rows)
        yield from self._body(described)
        yield from self._answers(described)
        yield "</section>\n"

    def _body(self, described: Described) -> Iterator[str]:
        content = described.get("requestBody", {}).get("content", {})
        for media in list(content.values())[:1]:
            schema = self._resolved(media["schema"])
            required = schema.get("required", ())
            rows = [
                (f"<code>{name}</code>", h.kind(field), _meaning(field, needed=name in required))
                for name, field in schema["properties"].items()
            ]
            yield h.table(("Field", "Type", "Meaning"), rows)
            yield h.paragraph(f"As {_list([f'`{name}`' for name in content])}.")
        for media_type, media in content.items():
            for example in media.get("examples", {}).values():
                yield h.details(f"Example: {media_type}", h.code(example["value"]))

    def _answers(self, described: Described) -> Iterator[str]:
        own, shared, examples = [], [], []
        for status, answer in described["responses"].items():
            codes = _codes(answer, int(status))
            found = self._resolved(answer)
            if codes and set(codes) <= _EVERYWHERE:
                shared += codes
                continue
            own.append((status, _reason(int(status)), self._answer(found, codes)))
            for media in found.get("content", {}).values():
                for name, example in media.get("examples", {}).items():
                    title = f"{status}: {escape(str(name).replace('_', ' '))}"
                    examples.append(h.details(title, h.code(example["value"])))
        yield h.table(("Status", "Name", "Answer"), own)
        links = [h.link(f"code-{code}", f"<code>{code}</code>") for code in shared]
        yield f'<p class="hint">As any route: {_list(links)}.</p>\n'
        if examples:
            yield h.details("Examples of answers", "".join(examples))

    def _answer(self, answer: Described, codes: list[str]) -> str:
        parts = [h.text(answer["description"])]
        if codes:
            parts.append(
                " or ".join(h.link(f"code-{code}", f"<code>{code}</code>") for code in codes)
            )
        else:
            for media_type, media in answer.get("content", {}).items():
                shape = media.get("schema", {})
                ref = shape.get("$ref") or shape.get("anyOf", [{}])[0].get("$ref")
                named = f": {h.link_to_shape(ref)}" if ref else ""
                parts.append(f"<code>{escape(media_type)}</code>{named}")
        if answer.get("headers"):
            parts.append("With " + _list([f"<code>{name}</code>" for name in answer["headers"]]))
        return "<br>".join(parts)

    def _shapes(self) -> Iterator[str]:
        yield h.heading(2, "shapes", "Answers")
        used = [name for name in self._components["schemas"] if _is_of_answers(name)]
        for name in used:
            schema = self._components["schemas"][name]
            yield f'<section aria-labelledby="shape-{name}">\n'
            yield h.heading(3, f"shape-{name}", name)
            parts = [h.kind(part) for part in schema.get("oneOf", ())]
            if parts:
                yield f"<p>{_list(parts)}.</p>\n"
            for part in schema.get("allOf", ()):
                yield f"<p>What {h.kind(part)} has, and besides:</p>\n"
            rows = [
                (f"<code>{name}</code>", h.kind(field), _meaning(field, optional=not always))
                for name, field, always in _flat(schema)
            ]
            yield h.table(("Name", "Type", "Meaning"), rows)
            yield "</section>\n"

    def _resolved(self, item: Described) -> Described:
        """Return what a description refers to, if it does."""
        if "allOf" in item:
            item = item["allOf"][0]
        while "$ref" in item:
            _, _, kind, name = item["$ref"].split("/")
            item = self._components[kind][name]
        return item

    def _first(self) -> str:
        token = f"{_HEADER} " if self._locked else ""
        return (
            f'curl {_BASE}/text-to-image {token}--form prompt="a red fox in the snow" --location\n'
            f"curl {_BASE}/text-to-image/{ID} {token}".rstrip()
            + f"\ncurl {_BASE}/text-to-image/{ID}/1.png {token}--output 1.png"
        )

    def _curl(self, verb: str, place: str, example: JobType | None, described: Described) -> str:
        token = [_HEADER] if self._locked and audience(verb, place).token else []
        if place == "/TYPE" and example is not None:
            return " \\\n  ".join([curl(example), *token])
        place = place.replace("TYPE", example or "").replace("{id}", ID).replace("{number}", "1")
        words = [f"curl {_BASE}{place}"]
        if verb != "GET":
            words.append(f"--request {verb}")
        if "requestBody" in described:
            words += ['--header "Content-Type: application/json"', '--data \'{"token": "TOKEN"}\'']
        if place.endswith(".png"):
            words.append("--output 1.png")
        if place.endswith("/events"):
            words.append("--no-buffer")
        return " ".join([*words, *token])


def html(described: Described, *, locked: bool = False) -> str:
    """Return the description, of a server with a token (`locked`) or none, as a page."""
    return "".join(_Page(described, locked=locked).html())


_EVERYWHERE = {*ALWAYS, ErrorCode.UNAUTHORIZED, ErrorCode.FOREIGN_ORIGIN}


def _is_of_jobs(name: str) -> bool:
    return name != "POST /TYPE" and ("/TYPE" in name or name in {"GET /jobs", "GET /events"})


def _is_of_server(name: str) -> bool:
    return name != "POST /TYPE" and not _is_of_jobs(name)


def _is_of_answers(name: str) -> bool:
    return not name.endswith("Code") and not any(
        name.startswith(word) for word in ("TextTo", "ImageTo", "Inpaint", "Session")
    )


def _target(name: str, job_type: JobType | None) -> str:
    verb, place = name.split(" ")
    return operation_id(verb, place, job_type)


def _whom(name: str) -> str:
    verb, place = name.split(" ")
    whom = audience(verb, place)
    token = "Needs the token, if the server has one." if whom.token else "Needs no token."
    foreign = "any origin" if whom.foreign else "this server and of `--cors-origin` alone"
    return f"{token} For pages of {foreign}."


def _parameter(item: Described) -> tuple[str, str, str]:
    place = {"query": "in the query", "header": "a header", "path": "in the path"}[item["in"]]
    name = f"<code>{item['name']}</code>"
    return name, f"{h.kind(item['schema'])}, {place}", _meaning(item | item["schema"])


def _meaning(schema: Described, *, needed: bool = False, optional: bool = False) -> str:
    parts = [h.text(schema.get("description", ""))]
    if needed:
        parts.append("<strong>Required.</strong>")
    if optional:
        parts.append("Not always there.")
    if "default" in schema:
        parts.append(f"Default: <code>{escape(_number(schema['default']))}</code>.")
    return " ".join(filter(None, parts))


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flat(schema: Described, prefix: str = "") -> Iterator[tuple[str, Described, bool]]:
    """Yield the properties of a shape, and whether they are required.

    Those inside of objects have the names of both.
    """
    for name, field in schema.get("properties", {}).items():
        yield f"{prefix}{name}", field, name in schema.get("required", ())
        yield from _flat(field, f"{prefix}{name}.")


def _codes(answer: Described, status: int) -> list[str]:
    """Return the codes of an answer that is a refusal and nothing else."""
    if "$ref" not in answer:
        return []
    name = answer["$ref"].rpartition("/")[2]
    return [
        code for code in ErrorCode if STATUS[code] == status
        and code.title().replace("_", "") in name.split("Or")
    ]  # fmt: skip


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase


def _list(items: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


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
