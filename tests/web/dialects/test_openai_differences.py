"""OpenAI's images API: what answers say of fields that are approximated or ignored. Pure."""

from typing import Any

import pytest

from sdrest.web.dialects.openai.differences import differences
from sdrest.web.dialects.openai.requests import (
    edit_params,
    generation_params,
    read,
    variation_params,
)


def said(kind: str, **fields: Any) -> list[str]:
    fields = {"prompt": "a boat", **fields}
    wanted = read(fields, needs_prompt=True)
    if kind == "generation":
        params = generation_params(wanted, (512, 512), {})
    elif kind == "edit":
        params = edit_params(wanted, {}, has_mask=False)
    else:
        params = variation_params(wanted, {})
    return [*differences(wanted, fields, params, is_variation=kind == "variation")]


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        ("generation", {"style": "vivid"}, "style is ignored."),
        ("generation", {"steps": 36}, "steps: 36 do not work with this model; 35 ran."),
        ("generation", {"quality": "low"}, "quality: low is approximated by 8 steps."),
        ("edit", {"quality": "hd"}, "quality: hd is approximated by 50 steps."),
        ("edit", {"quality": "hd", "steps": 8}, "quality is ignored, since steps is given."),
        ("generation", {"output_compression": 50}, "output_compression is ignored with png."),
        ("generation", {"partial_images": 1}, "partial_images is ignored without stream."),
        ("generation", {"strength": 0.5}, "strength is ignored: there is no picture to change."),
        (
            "edit",
            {"input_fidelity": "high"},
            "input_fidelity: high is approximated by a strength of 0.5.",
        ),
        (
            "edit",
            {"input_fidelity": "low", "strength": 0.1},
            "input_fidelity is ignored, since strength is given.",
        ),
        ("edit", {"sampler": "plms"}, "sampler: plms cannot change pictures; ddim ran."),
        ("variation", {}, "prompt is ignored: a variation has none."),
    ],
)
def test_what_is_different_is_said(kind: str, fields: dict[str, Any], sentence: str) -> None:
    assert said(kind, **fields) == [sentence]


@pytest.mark.parametrize("kind", ["generation", "edit"])
def test_what_is_done_as_asked_is_not_said(kind: str) -> None:
    assert said(kind, quality="auto", sampler="ddim", eta=0.5, moderation="low", n=2, seed=1) == []
