"""A JSON or urlencoded body becomes ordered fields, as express' body-parser reads them. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from qs_codec import Charset, DecodeKind, DecodeOptions, decode

from sdrest.errors import MalformedRequestError, TooLargeError, UnsupportedMediaTypeError

MAX_PARAMETERS = 1000
"""Most parameters of an urlencoded body."""

MAX_DEPTH = 200
"""Deepest nesting of a JSON body."""

_MAX_URLENCODED_DEPTH = 32
_MIN_LIST_LIMIT = 100
_MAX_SAFE_INTEGER = 2**53
_JSON_CHARSETS = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_BROKEN_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_TOO_DEEP = f"The body is nested more than {MAX_DEPTH} levels deep."

Fields = dict[str, Any]


def parse_json(body: bytes, charset: str) -> Fields:
    """Read a JSON object. Numbers are JavaScript's: 1.0 is 1, and large ones lose digits."""
    codec = _JSON_CHARSETS.get(charset.lower())
    if codec is None:
        raise UnsupportedMediaTypeError("A JSON body is in UTF-8 or UTF-16.")
    if not body:
        return {}
    try:
        fields = json.loads(
            body.decode(codec, errors="replace"),
            parse_int=_number,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise MalformedRequestError(_TOO_DEEP) from None
    except ValueError as error:
        raise MalformedRequestError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise MalformedRequestError("A JSON body is an object, with a name for each value.")
    _check_depth(fields)
    return fields


def parse_urlencoded(body: bytes, charset: str) -> Fields:
    """Read `a=1&b[c]=2&d[]=3`, with the nesting of npm's `qs`."""
    if charset.lower() != "utf-8":
        raise UnsupportedMediaTypeError("An urlencoded body is in UTF-8.")
    text = body.decode("utf-8-sig", errors="replace")
    parameters = text.count("&") + 1
    if parameters > MAX_PARAMETERS:
        raise TooLargeError(
            f"The body has more than {MAX_PARAMETERS} parameters.", limit=MAX_PARAMETERS
        )
    options = DecodeOptions(
        decoder=_decode_component,
        depth=_MAX_URLENCODED_DEPTH,
        list_limit=max(_MIN_LIST_LIMIT, parameters),
        parameter_limit=MAX_PARAMETERS,
        strict_depth=True,
    )
    try:
        fields: Fields = _without_prototypes(decode(text, options))
    except IndexError:
        raise MalformedRequestError(
            f"A name is nested more than {_MAX_URLENCODED_DEPTH} levels deep."
        ) from None
    return fields


def _check_depth(fields: Fields) -> None:
    """Make sure that whatever walks through `fields` by recursion comes to an end."""
    if not any(isinstance(value, dict | list) for value in fields.values()):
        return
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise MalformedRequestError(_TOO_DEEP)


def _children(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            yield from value.values()
        case list():
            yield from value


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= _MAX_SAFE_INTEGER else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _decode_component(
    text: str | None, charset: Charset | None = None, *, kind: DecodeKind = DecodeKind.VALUE
) -> str | None:
    """Undo percent-encoding as `qs` does: what is not well-formed UTF-8 stays as it is."""
    del charset, kind
    if text is None:
        return None
    plain = text.replace("+", " ")
    if _BROKEN_ESCAPE.search(plain):
        return plain
    try:
        return unquote(plain, errors="strict")
    except UnicodeDecodeError:
        return plain


def _without_prototypes(value: Any) -> Any:
    """Leave out the one name that `qs` never assigns."""
    match value:
        case dict():
            return {
                key: _without_prototypes(item) for key, item in value.items() if key != "__proto__"
            }
        case list():
            return [_without_prototypes(item) for item in value]
        case _:
            return value
