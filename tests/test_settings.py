import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest.commands.options import parse
from sdrest.flag_values import Duration
from sdrest.settings import FLAGS, Flag, Kind, Settings

BY_NAME = {flag.name: flag for flag in FLAGS}
NUMBERS = [flag for flag in FLAGS if type(flag.default) in {int, float}]

ORIGINAL = {
    "--cert": "./cert.pem",
    "--concurrency": "1",
    "--cors": "true",
    "--delete-incomplete": "false",
    "--inpaint-image-model": "./models/inpaint-image.ckpt",
    "--key": "./key.pem",
    "--output": "./output",
    "--port": "8888",
    "--repository": "./stable-diffusion",
    "--text-to-image-model": "./models/text-to-image.ckpt",
}


def test_the_original_flags_and_defaults_are_there() -> None:
    assert {flag.option: flag.default_text for flag in FLAGS if flag.original} == ORIGINAL


def test_flags_make_settings() -> None:
    assert Settings(**{flag.name: flag.default for flag in FLAGS}) == Settings()


NOT_SECRET = [flag for flag in FLAGS if flag.kind is not Kind.SECRET]  # a secret has no default


@pytest.mark.parametrize("flag", NOT_SECRET, ids=lambda flag: flag.name)
def test_a_default_reads_as_itself(flag: Flag) -> None:
    value = parse(flag, flag.default_text)
    assert value == flag.default
    assert type(value) is type(flag.default)


@pytest.mark.parametrize("flag", NUMBERS, ids=lambda flag: flag.name)
@given(text=st.one_of(st.integers().map(str), st.floats().map(str), st.text()))
def test_a_number_is_within_its_range_or_refused(flag: Flag, text: str) -> None:
    value = None
    with contextlib.suppress(ValueError):
        value = parse(flag, text)
    if value is not None:
        assert type(value) is type(flag.default)
        assert isinstance(value, int | float)
        assert math.isfinite(value)
        assert flag.minimum is not None
        assert flag.minimum <= value <= (math.inf if flag.maximum is None else flag.maximum)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("port", "99999", "should be a whole number from 0 to 65535, not '99999'."),
        ("port", "9001.5", "should be a whole number from 0 to 65535, not '9001.5'."),
        ("max_queue", "0", "should be a whole number of at least 1, not '0'."),
        ("job_timeout", "inf", "should be a number of at least 0, not 'inf'."),
        ("cors", "maybe", "should be true or false, not 'maybe'."),
        ("output", "", "should be valid UTF-8 and not empty, not ''."),
        ("name", "a\x1b", "should be valid UTF-8, without control characters, not 'a\\x1b'."),
        ("python", "\udcff", "should be valid UTF-8, not '\\udcff'."),
    ],
)
def test_a_refusal_says_what_would_be_right(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^should be") as caught:
        parse(BY_NAME[name], text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("FALSE", False), ("1", True), ("off", False)]
)
def test_words_for_true_and_false(text: str, value: bool) -> None:
    assert parse(BY_NAME["cors"], text) is value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("0", 0), ("-1", -1)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse(BY_NAME["keep_alive"], text) == seconds
    assert Duration(str(Duration(text))) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "inf", "nan", "-2", "5d", "1m30s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="seconds, or a time such as 90s, 5m or 1h"):
        parse(BY_NAME["keep_alive"], text)


def test_log_levels() -> None:
    assert parse(BY_NAME["log_level"], "debug") == "debug"
    with pytest.raises(ValueError, match="one of debug, warning, error"):
        parse(BY_NAME["log_level"], "loud")
