"""What images of ours and of the web UI say of their making can be read back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest import infotext

LINE = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "))
VALUE = LINE.map(str.strip).filter(bool)
PAIRS = st.dictionaries(
    st.sampled_from(["Steps", "Sampler", "CFG scale", "Model", "Denoising strength"]),
    VALUE,
    min_size=3,
)
PROMPT = VALUE.filter(lambda text: not text.startswith(infotext.NEGATIVE))

WEB_UI = """\
a castle, (ruins:1.2)
on a hill
Negative prompt: fog,
people
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 3912, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5, Lora hashes: "one: 1a2b, two: 3c4d", Version: v1.10.1"""

READ: dict[str, Any] = {
    WEB_UI: {
        "Prompt": "a castle, (ruins:1.2)\non a hill",
        "Negative prompt": "fog,\npeople",
        "Steps": "20",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Karras",
        "CFG scale": "7.5",
        "Seed": "3912",
        "Size-1": "512",
        "Size-2": "768",
        "Model hash": "6ce0161689",
        "Model": "v1-5",
        "Lora hashes": "one: 1a2b, two: 3c4d",
        "Version": "v1.10.1",
    },
    "only words": {"Prompt": "only words", "Negative prompt": ""},
    "a: 1, b: 2": {"Prompt": "a: 1, b: 2", "Negative prompt": ""},  # too few to be pairs
    'x\nA: 1, junk, B: 2, , C: "3, 4': {
        "Prompt": "x", "Negative prompt": "", "A": "1", "B": "2", "C": '"3',
    },
    "": {"Prompt": "", "Negative prompt": ""},
}  # fmt: skip


@pytest.mark.parametrize(("text", "parameters"), READ.items())
def test_texts_are_read_as_the_web_ui_reads_them(text: str, parameters: dict[str, str]) -> None:
    assert infotext.read(text).parameters() == parameters


@given(PROMPT, PROMPT | st.just(""), PAIRS)
def test_what_is_written_is_read_back(prompt: str, negative: str, pairs: dict[str, str]) -> None:
    text = infotext.write(prompt, negative, pairs.items())
    assert infotext.read(text) == infotext.Settings(prompt, negative, pairs)


@pytest.mark.parametrize("part", ["a", ":", ",", '"', "a:", 'a:"', '\\"', "a: 1,", " "])
def test_hostile_texts_take_linear_time(part: str) -> None:
    infotext.read(part * 300_000)  # in quadratic time: hours
