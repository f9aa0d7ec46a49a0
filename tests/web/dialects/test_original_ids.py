"""Ids are the original's: what node made of the same requests is recorded in stringify.json."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdrest.job_types import JobType
from sdrest.settings import Settings
from sdrest.web.dialects.original_ids import job_id, server_values, stringify
from tests.support.paths import DATA

RECORDED = json.loads((DATA / "stringify.json").read_text(encoding="utf-8"))

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@pytest.mark.parametrize("case", RECORDED, ids=[case["md5"] for case in RECORDED])
def test_requests_are_written_as_node_writes_them(case: dict[str, str]) -> None:
    fields = json.loads(case["json"], parse_int=float)

    assert stringify(fields) == case["stringified"]
    assert job_id(fields, {}) == case["md5"]


@settings(max_examples=50)
@given(JSON_VALUES)
def test_what_is_written_reads_as_the_same_value(value: Any) -> None:
    assert json.loads(stringify(value), parse_int=float) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_shortest(number: float) -> None:
    written = stringify(number)

    assert float(written) == number
    digits = written.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    assert len(digits) <= 17  # as many as a double ever needs
    assert 1e-6 <= abs(number) < 1e21 or number == 0 or "e" in written


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_out_of_range_are_null(number: float) -> None:
    assert stringify([number]) == "[null]"


def test_the_readmes_requests_have_the_originals_ids() -> None:
    first = {
        "prompt": "A digital illustration of a beautiful mountain landscape, detailed, "
        "thom tenerys, epic composition, 4k, trending on artstation, fantasy vivid colors",
        "iterations": "3",
        "steps": "8",
        "seed": "42",
    }
    values = server_values(JobType.TEXT_TO_IMAGE, Settings(), {})

    assert job_id({"prompt": "A mountain"}, values) == "63dbe45efdadad3006feb71aa3e48b7d"
    assert job_id(first, values) == "5665cb87031fe0e8953778ee9e76743c"


def test_the_servers_values_come_in_the_originals_order() -> None:
    flags = Settings(text_to_image_model="t", inpaint_image_model="i", repository="r")
    uploads = {"mask": "22", "image": "11"}
    image_alone = {"image": "11"}

    assert list(server_values(JobType.TEXT_TO_IMAGE, flags, {}).items()) == [
        ("modelFilePath", "t"),
        ("stableDiffusionRepositoryDirectoryPath", "r"),
    ]
    assert list(server_values(JobType.IMAGE_TO_IMAGE, flags, image_alone).items()) == [
        ("imageFilePath", "11"),
        ("modelFilePath", "t"),
        ("stableDiffusionRepositoryDirectoryPath", "r"),
    ]
    assert list(server_values(JobType.IMAGE_TO_IMAGE, flags, uploads).items()) == [
        ("imageFilePath", "11"),
        ("maskFilePath", "22"),
        ("modelFilePath", "t"),
        ("stableDiffusionRepositoryDirectoryPath", "r"),
    ]
    assert list(server_values(JobType.INPAINT_IMAGE, flags, uploads).items()) == [
        ("imageFilePath", "11"),
        ("maskFilePath", "22"),
        ("modelFilePath", "i"),
    ]


def test_a_key_of_both_keeps_its_place_and_takes_the_servers_value() -> None:
    mixed = job_id({"modelFilePath": "/etc/passwd", "prompt": "x"}, {"modelFilePath": "m"})

    assert mixed == job_id({"modelFilePath": "m", "prompt": "x"}, {})
    assert mixed != job_id({"prompt": "x", "modelFilePath": "m"}, {})
