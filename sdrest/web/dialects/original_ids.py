"""A job's id: the md5 of its request as the original tool's JavaScript writes it. Pure.

The original takes `md5(JSON.stringify({...body, ...server}))`, so equal requests are one job. Here
the same text comes out of Python values: dicts, lists, strings, numbers, True, False and None.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

from sdrest.job_types import JobType
from sdrest.settings import Settings

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ARRAY_INDEX = re.compile("0|[1-9][0-9]{0,9}")
_MAX_ARRAY_INDEX = 2**32 - 2
_MAX_SAFE_INTEGER = 2**53 - 1
_MAX_PLAIN_EXPONENT = 21
_MIN_PLAIN_EXPONENT = -6

# A string's escapes are Python's; `json` has no public name for its encoder of single strings.
_quote = json.JSONEncoder(ensure_ascii=False).encode


def job_id(fields: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Return the id (32 hex digits) of a request with `fields`, to which the server adds `values`.

    A key of both keeps the request's place and takes the server's value.
    """
    text = stringify({**fields, **values})
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def server_values(
    job_type: JobType, settings: Settings, uploads: Mapping[str, str]
) -> dict[str, str]:
    """Return what the server adds to a request's fields, in the original's names and order.

    `uploads` are the SHA-256 of the uploaded files by name. They stand for the original's random
    paths, so that the same upload is the same job.
    """
    values = {
        f"{name}FilePath": uploads[name]
        for name in job_type.all_uploads
        if name in uploads or name in job_type.uploads
    }
    match job_type:
        case JobType.INPAINT_IMAGE:
            return values | {"modelFilePath": settings.inpaint_image_model}
        case JobType.TEXT_TO_IMAGE | JobType.IMAGE_TO_IMAGE:
            return values | {
                "modelFilePath": settings.text_to_image_model,
                "stableDiffusionRepositoryDirectoryPath": settings.repository,
            }
        case _:
            assert_never(job_type)


def stringify(value: Any) -> str:
    """Return what JavaScript's `JSON.stringify` makes of a value, character by character."""
    match value:
        case str():
            return _string(value)
        case bool() | None:
            return _quote(value)
        case int() | float():
            return _number(value)
        case dict():
            members = [f"{_string(key)}:{stringify(value[key])}" for key in _ordered(value)]
            return "{" + ",".join(members) + "}"
        case _:
            return "[" + ",".join(map(stringify, value)) + "]"


def _ordered(keys: Mapping[str, Any]) -> list[str]:
    """Put keys into JavaScript's order: array indices first, by value, then the rest as given."""
    if not any(key[:1].isdigit() for key in keys):
        return list(keys)
    return sorted(keys, key=lambda key: int(key) if _is_array_index(key) else math.inf)


def _is_array_index(key: str) -> bool:
    return _ARRAY_INDEX.fullmatch(key) is not None and int(key) <= _MAX_ARRAY_INDEX


def _string(text: str) -> str:
    quoted = _quote(text)
    if quoted.isascii():
        return quoted
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):x}", quoted)


def _number(value: float) -> str:
    """Write a number as JavaScript's `Number.prototype.toString` does (ECMA-262, 6.1.6.1.20)."""
    if isinstance(value, int) and abs(value) <= _MAX_SAFE_INTEGER:
        return str(value)
    value = float(value)
    if not math.isfinite(value):
        return "null"
    if not value:
        return "0"
    sign, digits, shift = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(shift)
    return "-" * sign + _place_point(text, point)


def _place_point(digits: str, point: int) -> str:
    """Write 0.DIGITS times ten to the power of `point`."""
    if _MIN_PLAIN_EXPONENT < point <= 0:
        return "0." + "0" * -point + digits
    if 0 < point <= _MAX_PLAIN_EXPONENT:
        if len(digits) <= point:
            return digits.ljust(point, "0")
        return f"{digits[:point]}.{digits[point:]}"
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{mantissa}e{point - 1:+d}"
