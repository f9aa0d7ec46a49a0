"""One route of the API's page: what it does, takes and answers. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from sdrest.errors import ErrorCode
from sdrest.params import JobType
from sdrest.web import docs_html as h
from sdrest.web.access import audience
from sdrest.web.errors import STATUS
from sdrest.web.examples import BASE, ID, continued, curl
from sdrest.web.openapi import ALWAYS, operation_id

HEADER = '--header "Authorization: Bearer $SDREST_TOKEN"'

_SESSION = r'--data "{\"token\": \"$SDREST_TOKEN\"}"'

Described = Mapping[str, Any]

_EVERYWHERE = {*ALWAYS, ErrorCode.UNAUTHORIZED, ErrorCode.FOREIGN_ORIGIN}


class Operations:
    """The routes of a description, of a server with a token (`locked`) or none."""

    def __init__(self, described: Described, *, locked: bool) -> None:
        self._paths: Described = described["paths"]
        self._components: Described = described["components"]
        self._locked = locked

    def html(self, name: str, job_type: JobType | None) -> Iterator[str]:
        """Yield the HTML of a route; of one for all types where `job_type` is None."""
        verb, place = name.split(" ")
        example = job_type or (JobType.TEXT_TO_IMAGE if "TYPE" in place else None)
        described = self._paths[place.replace("TYPE", example or "")][verb.lower()]
        here = target(name, job_type)
        yield f'<section aria-labelledby="{here}">\n'
        yield h.heading(3, here, shown(name, job_type))
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
                (f"<code>{name}</code>", h.kind(field), meaning(field, needed=name in required))
                for name, field in schema["properties"].items()
            ]
            yield h.table(("Field", "Type", "Meaning"), rows)
            yield h.paragraph(f"As {either([f'`{name}`' for name in content])}.")
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
        yield h.table(("Status", "Name", "Answer"), own, narrow=True)
        links = [h.link(f"code-{code}", f"<code>{code}</code>") for code in shared]
        yield f'<p class="hint">As any route: {either(links)}.</p>\n'
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
            parts.append(
                "With " + either([f"<code>{name}</code>" for name in answer["headers"]], "and")
            )
        return "<br>".join(parts)

    def _resolved(self, item: Described) -> Described:
        """Return what a description refers to, if it does."""
        if "allOf" in item:
            item = item["allOf"][0]
        while "$ref" in item:
            _, _, kind, name = item["$ref"].split("/")
            item = self._components[kind][name]
        return item

    def _curl(self, verb: str, place: str, example: JobType | None, described: Described) -> str:
        token = [HEADER] if self._locked and audience(verb, place).token else []
        if place == "/TYPE" and example is not None:
            return continued(curl(example), *token)
        place = place.replace("TYPE", example or "").replace("{id}", ID).replace("{number}", "1")
        words = [f"curl {BASE}{place}"]
        if verb != "GET":
            words[0] += f" --request {verb}"
        if "requestBody" in described:
            words += ['--header "Content-Type: application/json"', _SESSION]
        if place.endswith(".png"):
            words.append("--output 1.png")
        if place.endswith("/events"):
            words.append("--no-buffer")
        return continued(*words, *token)


def target(name: str, job_type: JobType | None) -> str:
    """Return the place of a route on the page."""
    verb, place = name.split(" ")
    return operation_id(verb, place, job_type)


def shown(name: str, job_type: JobType | None) -> str:
    """Return the HTML of a route's name."""
    verb, place = name.split(" ")
    place = place.replace("TYPE", job_type or "TYPE").replace("{id}", "ID")
    return f"{h.method(verb)} {h.path(place)}"


def meaning(schema: Described, *, needed: bool = False) -> str:
    """Return what a field or parameter means, as HTML."""
    parts = [h.text(schema.get("description", ""))]
    if needed:
        parts.append("<strong>Required.</strong>")
    if "default" in schema:
        parts.append(f"Default: <code>{escape(_number(schema['default']))}</code>.")
    return " ".join(filter(None, parts))


def either(items: list[str], word: str = "or") -> str:
    """Return HTML of items with commas, and `word` before the last."""
    return f" {word} ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _whom(name: str) -> str:
    verb, place = name.split(" ")
    whom = audience(verb, place)
    token = "Needs the token, if the server has one." if whom.token else "Needs no token."
    foreign = "any origin" if whom.foreign else "this server and of `--cors-origin` alone"
    return f"{token} For pages of {foreign}."


def _parameter(item: Described) -> tuple[str, str, str]:
    place = {"query": "in the query", "header": "a header", "path": "in the path"}[item["in"]]
    name = f"<code>{item['name']}</code>"
    return name, f"{h.kind(item['schema'])}, {place}", meaning(item | item["schema"])


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
