"""`GET /openapi.json`, and the same to be read: `GET /docs`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

from aiohttp import web

from sdrest.web import keys
from sdrest.web.openapi import document
from sdrest.web.page import PREFIX, Handler, sender
from sdrest.web.render import JSON, json_body

_HTML = "text/html; charset=utf-8"
_HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>sdrest API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="{PREFIX}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{PREFIX}theme.css">
<link rel="stylesheet" href="{PREFIX}docs.css">
</head>
<body class="docs">
<header class="top"><h1>sdrest API</h1><a class="quiet" href="/">Page</a>
<a class="quiet" href="/openapi.json">OpenAPI</a></header>
<main>
"""


def add_to(router: web.UrlDispatcher) -> None:
    """Register both; they are made when they are first asked for."""
    router.add_get("/openapi.json", _send_document)
    router.add_get("/docs", _send_page)


async def _send_document(request: web.Request) -> web.StreamResponse:
    return await _document_sender(_is_locked(request))(request)


async def _send_page(request: web.Request) -> web.StreamResponse:
    return await _page_sender(_is_locked(request))(request)


def _is_locked(request: web.Request) -> bool:
    return request.app[keys.GUARD].locked


@cache
def _document_sender(locked: bool) -> Handler:  # noqa: FBT001 (`cache` takes what is given)
    return sender(json_body(document(locked=locked)), JSON)


@cache
def _page_sender(locked: bool) -> Handler:  # noqa: FBT001
    return sender(html(document(locked=locked)).encode(), _HTML)


def html(described: Mapping[str, Any]) -> str:
    """Return a description as a page without scripts. Pure."""
    parts = [_HEAD, f"<p>{escape(described['info']['description'])}</p>\n"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            parts += _section(f"{method.upper()} {path}", operation)
    parts.append("<h2>Shapes</h2>\n")
    for name, schema in described["components"]["schemas"].items():
        parts.append(f'<section><h3 id="{name}">{name}</h3>{_code(schema)}</section>\n')
    return "".join([*parts, "</main>\n</body>\n</html>\n"])


def _section(title: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<section><h2><code>{escape(title)}</code></h2><p>{escape(operation['summary'])}</p>\n"
    rows = [
        (item["name"], item["in"], item.get("description") or json.dumps(item["schema"]))
        for item in operation["parameters"]
    ]
    if rows:
        yield _table(("Parameter", "In", "Meaning"), rows)
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Body: {escape(media_type)}</h3>{_code(body['schema'])}\n"
    answers = operation["responses"].items()
    yield _table(("Status", "Answer"), [(status, item["description"]) for status, item in answers])
    for status, answer in answers:
        for media in answer.get("content", {}).values():
            for name, example in media.get("examples", {}).items():
                summary = f"{status}: {escape(name)}"
                code = _code(example["value"])
                yield f"<details><summary>{summary}</summary>{code}</details>\n"
    yield "</section>\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    lines = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>\n"


def _code(value: Any) -> str:
    text = escape(json.dumps(value, indent=2, ensure_ascii=False))
    return f'<pre tabindex="0"><code>{text}</code></pre>'
