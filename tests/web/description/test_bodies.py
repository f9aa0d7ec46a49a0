"""The schemas of requests for jobs say what is accepted, and nothing else."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from sdrest.errors import RequestError
from sdrest.job_types import JobType
from sdrest.params import PARAMS_BY_TYPE, validate
from sdrest.web.description.bodies import schemas

SCHEMAS = {name: OAS31Validator(schema) for name, schema in schemas().items()}
MINIMAL: dict[str, Any] = {"prompt": "x", "image": "", "mask": ""}
NAMES = sorted(
    {name for model in PARAMS_BY_TYPE.values() for name in model.model_json_schema()["properties"]}
)

ends = st.sampled_from([0, 1, 4, 8, 16, 64, 100, 500, 512, 1000, 4096, 10**9, 2**32 - 1])
whole = st.one_of(st.integers(-2, 1001), st.builds(int.__add__, ends, st.integers(-1, 1)))
numbers = st.one_of(whole, st.builds(lambda n: 64 * n, st.integers(-1, 65)), st.floats(-101, 101))
spelled = st.one_of(
    numbers.map(str),
    st.builds(
        str.__add__, numbers.map(str), st.sampled_from(["s", "m", "h", ".0", ".", " ", "\n"])
    ),
    st.builds(str.__add__, st.sampled_from([" ", "+", "-", "0", ".", "+0"]), numbers.map(str)),
    st.from_regex(r"[-+ ]?[0-9]{0,3}[._]?[0-9]{0,3}(e[-+]?[0-9]{1,2})?[smh ]?", fullmatch=True),
    st.sampled_from(
        ["", "ddim", "plms", "DDIM", "null", "false", "random", "Random", "-1", " -01. ", "nan"]
    ),
    st.sampled_from(["inf", "٣", "1_0", "\x00"]),
    st.text(max_size=5),
)
other = st.sampled_from([None, True, False, [], ["8"], [8], {}, {"a": "8"}])


def accepted(job_type: JobType, fields: dict[str, Any]) -> bool:
    try:
        validate(job_type, fields)
    except RequestError:
        return False
    return True


def described(name: str, fields: dict[str, Any]) -> bool:
    return bool(SCHEMAS[name].is_valid(fields))


@pytest.mark.parametrize("name", NAMES)
@given(value=spelled)
def test_a_form_is_accepted_as_described(name: str, value: str) -> None:
    for job_type, model in PARAMS_BY_TYPE.items():
        fields = {**MINIMAL, "height": "4096", "width": "4096", name: value}
        if name == "downsamplingFactor" and value.strip() not in {"1", "2", "4", "8"}:
            continue  # its rule on height and width is said in words
        assert accepted(job_type, fields) == described(f"{model.__name__}Form", fields)


@pytest.mark.parametrize("name", NAMES)
@given(value=st.one_of(numbers, spelled, other))
@example(value=math.pi)
def test_json_is_accepted_as_described(name: str, value: Any) -> None:
    fields = {**MINIMAL, "height": 4096, "width": 4096, name: value}
    if name == "downsamplingFactor" and str(value).strip() not in {"1", "2", "4", "8"}:
        return
    assert accepted(JobType.TEXT_TO_IMAGE, fields) == described("TextToImage", fields)


@given(eta=st.one_of(numbers, spelled, other), sampler=st.sampled_from(["ddim", "plms", None]))
def test_plms_needs_eta_0(eta: Any, sampler: str | None) -> None:
    fields = {"prompt": "x", "eta": eta, "sampler": sampler}
    assert accepted(JobType.TEXT_TO_IMAGE, fields) == described("TextToImage", fields)


def test_steps_are_described_to_the_last() -> None:
    for steps in range(-1, 1003):
        for value in (steps, str(steps)):
            fields = {"prompt": "x", "steps": value}
            assert accepted(JobType.TEXT_TO_IMAGE, fields) == described("TextToImage", fields)


def test_a_request_without_a_required_field_is_refused() -> None:
    for model in PARAMS_BY_TYPE.values():
        body = schemas()[f"{model.__name__}Form"]
        for name in body["required"]:
            fields = {key: value for key, value in MINIMAL.items() if key != name}
            assert not described(f"{model.__name__}Form", fields)
        assert described(f"{model.__name__}Form", MINIMAL)
