"""The pieces of HTML that the API's page is made of. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_CODE = re.compile("`([^`]+)`")


def text(words: str) -> str:
    """Return a text as HTML; what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(words, quote=False))


def paragraph(words: str) -> str:
    """Return a paragraph."""
    return f"<p>{text(words)}</p>\n"


def link(target: str, html: str) -> str:
    """Return a link to a place on the page."""
    return f'<a href="#{target}">{html}</a>'


def heading(level: int, target: str, html: str) -> str:
    """Return a heading that can be linked to."""
    return f'<h{level} id="{target}">{link(target, html)}</h{level}>\n'


def method(name: str) -> str:
    """Return the badge of a method."""
    return f'<span class="method" data-method="{name}">{name}</span>'


def path(template: str) -> str:
    """Return a path; what varies in it stands out."""
    marked = re.sub("({[^}]+}|TYPE|ID)", r"<var>\1</var>", escape(template))
    return f'<code class="path">{marked}</code>'


def breakable(name: str) -> str:
    """Return the HTML of a long name, which may go on in the next line after a dot."""
    return escape(name).replace(".", ".<wbr>")


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    ids: Iterable[str] = (),
    narrow: bool = False,
) -> str:
    """Return a table of HTML; the first cell names its row, `ids` are places to link to.

    In a `narrow` one all columns but the last are as wide as what they hold.
    """
    lines = [list(row) for row in rows]
    if not lines:
        return ""
    named = [*ids, *[""] * len(lines)]
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    body = "".join(
        f'<tr{_id(name)}><th scope="row">{first}</th>{_cells(rest)}</tr>\n'
        for name, (first, *rest) in zip(named, lines, strict=False)
    )
    kind_ = ' class="narrow"' if narrow else ""
    return f"<table{kind_}><thead><tr>{titles}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _id(name: str) -> str:
    return f' id="{name}"' if name else ""


def code(value: Any) -> str:
    """Return a block of code: a text as it stands, anything else as JSON."""
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f'<pre tabindex="0"><code>{escape(shown, quote=False)}</code></pre>\n'


def command(line: str) -> str:
    """Return a command that can be copied; the page's script makes the button work."""
    button = '<button type="button" class="quiet copy" hidden>Copy</button>'
    return f'<div class="command">{code(line)}{button}</div>\n'


def details(summary: str, html: str) -> str:
    """Return what is opened on demand; `summary` is HTML."""
    return f"<details><summary>{summary}</summary>\n{html}</details>\n"


def kind(schema: Mapping[str, Any]) -> str:
    """Return in words which values a schema takes, of several ways the plain one."""
    plain = _plain(schema)
    if "$ref" in plain:
        return link_to_shape(plain["$ref"])
    if "const" in plain:
        return f"<code>{escape(str(plain['const']))}</code>"
    if "enum" in plain:
        return "one of " + ", ".join(f"<code>{escape(str(item))}</code>" for item in plain["enum"])
    if plain.get("format") == "binary":
        return "file"
    if plain.get("type") == "array":
        return f"list: {kind(plain['items'])}"
    return escape(_type(plain.get("type", "anything")) + _limits(plain))


def link_to_shape(reference: str) -> str:
    """Return a link to a shape of the page."""
    name = reference.rpartition("/")[2]
    places = {"ErrorCode": "errors", "FailureCode": "failures"}
    return link(places.get(name, f"shape-{name}"), name)


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return schema if "type" in schema else schema.get("anyOf", [schema])[0]


def _type(name: str | list[str]) -> str:
    names = {"integer": "whole number", "string": "text"}
    if isinstance(name, str):
        return names.get(name, name)
    return " or ".join(names.get(item, item) for item in name)


def _limits(schema: Mapping[str, Any]) -> str:
    ranges = ", ".join(filter(None, map(_range, schema.get("anyOf", [schema]))))
    step = f", a multiple of {schema['multipleOf']}" if "multipleOf" in schema else ""
    return (f", {ranges}" if ranges else "") + step


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None:
        return ""
    if high is None:
        return f"at least {low}"
    return f"{low}" if low == high else f"{low} to {high}"
