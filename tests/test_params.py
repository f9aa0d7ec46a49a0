"""Parameters: strings of forms and JSON values alike, every wrong field at once."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest.errors import FieldError, InvalidRequestError, TooLargeError
from sdrest.job_types import JobType, Sampler
from sdrest.params import (
    MAX_PROMPT_BYTES,
    PARAMS_BY_TYPE,
    ImageToImage,
    InpaintImage,
    TextToImage,
    validate,
)
from sdrest.sampling_steps import is_usable, sampled_steps

FAILING_STEPS = {3, 9, 27, 36, 37, *range(101, 112), *range(251, 334), *range(501, 1001)}
"""Counts of steps that were seen to fail in the fork's samplers."""


def text(**fields: Any) -> TextToImage:
    params = validate(JobType.TEXT_TO_IMAGE, {"prompt": "x", **fields})
    assert isinstance(params, TextToImage)
    return params


def wrong(job_type: JobType = JobType.TEXT_TO_IMAGE, **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as raised:
        validate(job_type, {"prompt": "x", **fields})
    return {error.field: error.message for error in raised.value.fields}


def test_defaults_of_the_originals_parameters_and_ours() -> None:
    assert text().dump() == {
        "prompt": "x",
        "negativePrompt": "",
        "iterations": 1,
        "batchSize": 1,
        "seed": 42,
        "guidanceScale": 7.5,
        "eta": 0.0,
        "steps": 8,
        "height": 512,
        "width": 512,
        "channels": 4,
        "downsamplingFactor": 8,
        "sampler": "ddim",
        "model": "",
        "keepAlive": None,
    }
    image = validate(JobType.IMAGE_TO_IMAGE, {"prompt": "x"})
    assert isinstance(image, ImageToImage)
    assert (image.steps, image.strength) == (24, 0.75)
    inpaint = validate(JobType.INPAINT_IMAGE, {})
    assert isinstance(inpaint, InpaintImage)
    assert (inpaint.steps, inpaint.seed, inpaint.total_images) == (32, 42, 1)


@pytest.mark.parametrize("value", ["3", 3, 3.0, " 3 "])
def test_numbers_may_be_strings(value: Any) -> None:
    assert text(iterations=value).iterations == 3


@pytest.mark.parametrize("value", [None, False])
def test_null_and_false_mean_the_default(value: Any) -> None:
    params = text(steps=value, eta=value, iterations=value)

    assert (params.steps, params.eta, params.iterations) == (8, 0.0, 1)


@pytest.mark.parametrize("value", [None, False])
def test_a_seed_of_null_or_false_is_random(value: Any) -> None:
    assert text(seed=value).seed is None
    inpaint = validate(JobType.INPAINT_IMAGE, {"seed": value})
    assert inpaint.seed is None


def test_a_job_makes_iterations_times_batch_size_images() -> None:
    assert text(iterations="3", batchSize=4).total_images == 12


def test_unknown_fields_are_ignored() -> None:
    assert text(batch_size=9, outputDirectoryPath="/", modelFilePath="/", foo={"a": []}) == text()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", "0"),
        ("iterations", 101),
        ("iterations", "1.5"),
        ("iterations", True),
        ("iterations", [1]),
        ("iterations", {}),
        ("iterations", ""),
        ("iterations", "1e400"),
        ("iterations", float("inf")),
        ("iterations", "9" * 5000),
        ("batchSize", 17),
        ("seed", -2),
        ("seed", 2**32),
        ("seed", True),
        ("seed", '1" ; touch pwned; echo "'),
        ("seed", ["1", "2"]),
        ("guidanceScale", "nan"),
        ("guidanceScale", "1e999"),
        ("guidanceScale", 1000),
        ("eta", 1.1),
        ("eta", "-0.1"),
        ("height", 100),
        ("height", 0),
        ("height", 8192),
        ("channels", 3),
        ("downsamplingFactor", 0),
        ("sampler", "euler"),
        ("prompt", {}),
        ("prompt", ["a"]),
        ("prompt", "a\0b"),
        ("prompt", "half \ud83d"),
    ],
)
def test_what_the_scripts_cannot_do_is_refused(field: str, value: Any) -> None:
    messages = wrong(**{field: value})

    assert list(messages) == [field]
    assert messages[field].endswith(".")


def test_a_wrong_number_names_the_usable_neighbours() -> None:
    assert wrong(steps=3)["steps"] == "3 steps do not work with this model. Try 2 or 4."
    assert wrong(steps=0)["steps"] == "0 steps do not work with this model. Try 1."
    assert wrong(width=500)["width"] == "Should be a multiple of 64. Try 448 or 512."


def test_the_error_of_a_number_out_of_range_names_the_limit() -> None:
    assert wrong(iterations=101, seed=2**33) == {
        "iterations": "At most 100.",
        "seed": "At most 4294967295.",
    }
    assert wrong(guidanceScale=-300.5)["guidanceScale"] == "At least -100."


def test_every_wrong_field_is_named_at_once() -> None:
    others = [FieldError("image", "Is required.")]
    with pytest.raises(InvalidRequestError) as raised:
        validate(JobType.IMAGE_TO_IMAGE, {"steps": 3, "eta": 9, "strength": 2}, others=others)

    error = raised.value
    assert {item.field for item in error.fields} == {"image", "prompt", "steps", "eta", "strength"}
    assert error.details["fields"][0] == {"field": "image", "message": "Is required."}
    assert "prompt: Is required." in error.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sampler": "plms", "eta": 0.5}, "eta"),
        ({"height": 64, "width": 128}, "height"),
        ({"downsamplingFactor": 16, "height": 192}, "downsamplingFactor"),
    ],
)
def test_rules_on_several_fields_name_one(fields: dict[str, Any], field: str) -> None:
    assert list(wrong(**fields)) == [field]


def test_plms_is_taken() -> None:
    assert text(sampler="plms").sampler is Sampler.PLMS


def test_other_errors_alone_are_enough() -> None:
    with pytest.raises(InvalidRequestError):
        validate(JobType.INPAINT_IMAGE, {}, others=[FieldError("mask", "Is required.")])


@pytest.mark.parametrize("character", ["x", "\u00e9"])
def test_the_prompt_is_limited_in_bytes(character: str) -> None:
    most = character * (MAX_PROMPT_BYTES // len(character.encode()))

    assert text(prompt=most).prompt == most
    with pytest.raises(TooLargeError):
        text(prompt=most + "x")
    assert text(negativePrompt=most).negative_prompt == most
    with pytest.raises(TooLargeError, match="The negative prompt is longer"):
        text(negativePrompt=most + "x")


@pytest.mark.parametrize(
    ("given", "read"),
    [({}, ""), ({"negativePrompt": None}, ""), ({"negativePrompt": False}, ""),
     ({"negativePrompt": 5}, "5"), ({"negativePrompt": " fog, rain\n"}, " fog, rain\n")],
)  # fmt: skip
@pytest.mark.parametrize("job_type", [JobType.TEXT_TO_IMAGE, JobType.IMAGE_TO_IMAGE])
def test_a_negative_prompt_is_empty_unless_given(
    job_type: JobType, given: dict[str, Any], read: str
) -> None:
    params = validate(job_type, {"prompt": "x", **given})
    assert not isinstance(params, InpaintImage)
    assert params.negative_prompt == read


@pytest.mark.parametrize("value", ["a\0b", "\ud83d", ["fog"]])
def test_a_negative_prompt_follows_the_prompts_rules(value: Any) -> None:
    assert wrong(negativePrompt=value).keys() == {"negativePrompt"}


def test_a_number_may_be_a_prompt() -> None:
    assert text(prompt=5).prompt == "5"


def test_an_empty_prompt_is_one() -> None:
    assert text(prompt="").prompt == ""


def test_usable_steps_are_those_that_the_samplers_can_run() -> None:
    assert {steps for steps in range(1, 1001) if not is_usable(steps)} == FAILING_STEPS
    assert not is_usable(0)
    assert not is_usable(1001)


@pytest.mark.parametrize(("asked", "run"), [(7, 8), (30, 31), (60, 63), (8, 8), (50, 50)])
def test_samplers_run_more_steps_than_asked(asked: int, run: int) -> None:
    assert sampled_steps(asked) == run


@given(st.sampled_from(list(JobType)), st.dictionaries(st.text(), st.none() | st.text()))
def test_arbitrary_fields_never_crash_validation(job_type: JobType, fields: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequestError):
        params = validate(job_type, {"prompt": "x", **fields})
        assert PARAMS_BY_TYPE[job_type].model_validate(params.dump()) == params


@pytest.mark.parametrize("job_type", JobType)
@pytest.mark.parametrize(
    ("value", "seconds"), [("5m", 300), (2.5, 2.5), ("0", 0), (-1, -1), (None, None), (False, None)]
)
def test_every_job_may_say_how_long_its_model_stays(
    job_type: JobType, value: Any, seconds: float | None
) -> None:
    assert validate(job_type, {"prompt": "x", "keepAlive": value}).keep_alive == seconds


@pytest.mark.parametrize("value", ["soon", -2, "-3m", True, "inf"])
def test_a_wrong_keep_alive_is_refused(value: Any) -> None:
    assert set(wrong(keepAlive=value)) == {"keepAlive"}
