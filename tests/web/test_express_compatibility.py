"""Small decisions are express' own: what its parts decided in node is recorded in express.json.

The parts: negotiator (Accept), fresh (304), range-parser with send's rules, qs with body-parser's
options, append-field as multer uses it.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdrest.errors import MalformedRequestError
from sdrest.web.dialects.negotiation import preferred
from sdrest.web.dialects.original_ids import stringify
from sdrest.web.requests.fields import parse_json, parse_urlencoded
from sdrest.web.requests.nesting import append_field, fill_holes
from sdrest.web.responses.conditional import (
    Range,
    UnsatisfiableRangeError,
    http_date,
    is_fresh,
    is_precondition_failed,
    requested_range,
)
from tests.support.paths import DATA

RECORDED = json.loads((DATA / "express.json").read_text(encoding="utf-8"))
ETAG = 'W/"d1-abc"'
MODIFIED = 1_795_424_303
DATE = "Mon, 23 Nov 2026 08:58:23 GMT"
TYPES = {"text": "text/plain", "html": "text/html", None: None}


@pytest.mark.parametrize(("header", "chosen"), RECORDED["accept"])
def test_accept_headers_are_read_as_negotiator_does(header: str, chosen: str | None) -> None:
    assert preferred(header, ("text/plain", "text/html")) == TYPES[chosen]


def test_no_accept_header_takes_anything() -> None:
    assert preferred(None, ("text/plain", "text/html")) == "text/plain"


def headers(given: dict[str, str]) -> dict[str, str]:
    return {name.title(): value for name, value in given.items()}


@pytest.mark.parametrize(("given_", "dated", "fresh"), RECORDED["fresh"])
def test_if_none_match_and_if_modified_since_give_304_as_fresh_does(
    given_: dict[str, str], dated: bool, fresh: bool
) -> None:
    assert is_fresh(headers(given_), ETAG, MODIFIED if dated else None) is fresh


@pytest.mark.parametrize(("header", "wanted"), RECORDED["range"])
def test_range_headers_are_read_as_range_parser_does(header: str, wanted: Any) -> None:
    if wanted == "unsatisfiable":
        with pytest.raises(UnsatisfiableRangeError):
            requested_range({"Range": header}, 500, ETAG, MODIFIED)
        return
    found = requested_range({"Range": header}, 500, ETAG, MODIFIED)
    assert found == (None if wanted == "whole" else Range(*wanted))


@pytest.mark.parametrize(
    ("condition", "in_part"),
    [
        (ETAG, True),
        ('"x"', False),
        (DATE, True),
        ("Mon, 23 Nov 2026 08:58:22 GMT", False),
        ("nonsense", False),
    ],
)
def test_if_range_of_another_version_gets_the_whole_image(condition: str, in_part: bool) -> None:
    asked = {"Range": "bytes=0-5", "If-Range": condition}

    found = requested_range(asked, 500, ETAG, MODIFIED)

    assert found == (Range(0, 5) if in_part else None)


@pytest.mark.parametrize(
    ("given_", "failed"),
    [
        ({}, False),
        ({"If-Match": ETAG}, False),
        ({"If-Match": "*"}, False),
        ({"If-Match": '"x"'}, True),
        ({"If-Match": '"x", "d1-abc"'}, False),
        ({"If-Match": ETAG, "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, False),
        ({"If-Unmodified-Since": DATE}, False),
        ({"If-Unmodified-Since": "Mon, 23 Nov 2026 08:58:22 GMT"}, True),
        ({"If-Unmodified-Since": "nonsense"}, False),
    ],
)
def test_if_match_and_if_unmodified_since_give_412(given_: dict[str, str], failed: bool) -> None:
    assert is_precondition_failed(given_, ETAG, MODIFIED) is failed


def test_dates_are_written_as_http_has_them() -> None:
    assert http_date(MODIFIED) == DATE


@given(st.text(max_size=60))
def test_arbitrary_headers_never_crash(text: str) -> None:
    preferred(text, ("text/plain", "text/html"))
    strange = dict.fromkeys(
        ["If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"], text
    )
    is_fresh(strange, ETAG, MODIFIED)
    is_precondition_failed(strange, ETAG, MODIFIED)
    try:
        found = requested_range(strange | {"Range": f"bytes={text}"}, 500, ETAG, MODIFIED)
    except UnsatisfiableRangeError:
        found = None
    assert found is None or 0 <= found.start <= found.end < 500


@pytest.mark.parametrize(("body", "written"), RECORDED["urlencoded"])
def test_urlencoded_bodies_nest_as_qs_nests_them(body: str, written: str) -> None:
    assert stringify(parse_urlencoded(body.encode(), "utf-8")) == written


@pytest.mark.parametrize(("fields", "written"), RECORDED["multipart"])
def test_names_of_forms_nest_as_append_field_nests_them(
    fields: list[tuple[str, str]], written: str
) -> None:
    made: dict[str, Any] = {}
    for name, value in fields:
        append_field(made, name, value)

    assert stringify(fill_holes(made)) == written


@given(st.binary(max_size=300))
def test_arbitrary_urlencoded_bodies_never_crash(body: bytes) -> None:
    try:
        fields = parse_urlencoded(body, "utf-8")
    except MalformedRequestError:
        return
    assert json.loads(stringify(fields)) == json.loads(json.dumps(fields))


@given(st.recursive(st.text() | st.integers() | st.floats(), st.lists, max_leaves=5))
@example("NaN")
@example([float("nan")])
def test_json_bodies_keep_what_javascript_keeps(value: Any) -> None:
    body = json.dumps({"x": value}).encode()
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:  # JSON has no NaN and no Infinity
        with pytest.raises(MalformedRequestError):
            parse_json(body, "utf-8")
    else:
        assert stringify(parse_json(body, "utf-8")) == stringify({"x": value})


@given(st.lists(st.tuples(st.text("ab[]01", max_size=12), st.text(max_size=2)), max_size=8))
def test_arbitrary_field_names_never_crash(fields: list[tuple[str, str]]) -> None:
    made: dict[str, Any] = {}
    for name, value in fields:
        try:
            append_field(made, name, value)
        except MalformedRequestError:
            assert any(digit in name for digit in "01")

    assert json.loads(stringify(fill_holes(made))) == fill_holes(made)
