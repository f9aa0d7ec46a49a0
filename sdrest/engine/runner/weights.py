"""Recognises checkpoints by the names of their weights, and finds what a network lacks. Pure.

The scripts load with `strict=False`: a weight that the checkpoint lacks keeps its random initial
value, and the picture is noise. `sdrest doctor` uses these rules, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Tuple  # noqa: UP035 (evaluated, in Python 3.8 too)

UNET = "model.diffusion_model."
EMA = "model_ema."
SCHEDULE = "alphas_cumprod"
"""The buffer from which the samplers take the noise of each step."""

BFLOAT16 = "bfloat16"
"""The type in which the first values of the schedule round to 1."""

_FIRST_LAYER = UNET + "input_blocks.0.0.weight"
_CONTEXT_LAYER = ".attn2.to_k.weight"
_ENCODER = ("first_stage_model.encoder.", "first_stage_model.quant_conv.")
_TRAINING_PARTS = ("loss", "logvar")
"""Parts that only training uses."""

_KINDS = (
    (
        "textual-inversion",
        "is a textual inversion, an addition to a model",
        ("string_to_param", "emb_params"),
        "",
    ),
    ("lora", "is a LoRA, an addition to a model", ("lora_", "lycoris_"), ".lora"),
    ("sdxl", "is a Stable Diffusion XL model", ("conditioner.", UNET + "label_emb."), ""),
    ("sd3", "is a Stable Diffusion 3 model", (UNET + "joint_blocks.", "joint_blocks."), ""),
    (
        "flux",
        "is a Flux model",
        (UNET + "double_blocks.", "double_blocks.", "transformer.single_transformer_blocks."),
        "",
    ),
    ("controlnet", "is a ControlNet, an addition to a model", ("control_model.",), ""),
    ("", None, (UNET,), ""),  # see `_unet_kind`
    ("ema", "holds only EMA weights", (EMA,), ""),
    (
        "controlnet",
        "is a ControlNet, an addition to a model",
        ("controlnet_cond_embedding.", "controlnet_down_blocks."),
        "",
    ),
    ("diffusers", "is in the format of diffusers", ("down_blocks.", "unet."), ""),
    ("text-encoder", "is a text encoder", ("text_model.", "cond_stage_model."), ""),
    (
        "vae",
        "is a VAE, which turns latents into pictures",
        ("first_stage_model.", "encoder.", "decoder.", "quant_conv.", "post_quant_conv."),
        "",
    ),
)
"""Kinds of files: a code, what it is, prefixes of its names, and a part of one; the first match
counts."""

UNUSABLE_KINDS = {
    "holds no weights",
    *(what for _, what, starts, _ in _KINDS if what and EMA not in starts),
}
"""Kinds of files that no script can make pictures with."""

_BY_INPUTS = {
    4: ("text-to-image", "is a text-to-image model"),
    5: ("depth", "is a depth-to-image model"),
    7: ("inpainting", "is a latent-diffusion inpainting model"),
    8: ("instruct-pix2pix", "is an InstructPix2Pix model"),
    9: ("sd-inpainting", "is a Stable Diffusion inpainting model"),
}
"""Codes and kinds of networks by the number of their input channels."""

_UNKNOWN = ("unknown", None)

_SD2_CONTEXT = 1024

REMEDY = "Choose a complete checkpoint that is made for this script."


class Weight(NamedTuple):
    """A tensor: its shape, and its type as in `float32`."""

    shape: Tuple[int, ...]  # noqa: UP006 (as above)
    dtype: str = ""


class Need(NamedTuple):
    """A weight that a network needs: the names it may have in a checkpoint, and its shape."""

    names: Tuple[str, ...]  # noqa: UP006 (as above)
    shape: Optional[Tuple[int, ...]] = None  # noqa: UP006, UP045 (as above)


class UnusableCheckpointError(Exception):
    """The scripts cannot use a checkpoint; the text follows the checkpoint's name."""


def needs(module: Any, *, pretrained: Iterable[int] = (), encodes: bool = True) -> list[Need]:
    """Return the weights that a network needs from its checkpoint.

    `pretrained` are the ids of parameters that are loaded from elsewhere. Without `encodes` the
    network does not encode pictures. A network that samples with averaged weights (EMA) needs those
    in place of the trained ones.
    """
    skipped = set(pretrained)
    found: dict[int, list[str]] = {}
    shapes: dict[int, Any] = {}
    own = {id(weight): name for name, weight in module.named_parameters()}
    for name, weight in _all_names(module):
        if id(weight) in own and id(weight) not in skipped:
            found.setdefault(id(weight), []).append(name)
            shapes[id(weight)] = getattr(weight, "shape", None)
    averaged = getattr(getattr(module, "model_ema", None), "m_name2s_name", {})
    if not getattr(module, "use_ema", False):
        averaged = {}
    result = []
    for key, names in found.items():
        short = names[0][len("model.") :] if names[0].startswith(UNET) else ""
        if short in averaged:
            names = [EMA + averaged[short]]  # noqa: PLW2901 (in its place)
        if _is_for_training(names[0]) or (not encodes and names[0].startswith(_ENCODER)):
            continue
        shape = shapes[key]
        result.append(Need(tuple(names), None if shape is None else tuple(shape)))
    return result


def problem(needed: Sequence[Need], given: Mapping[str, Weight]) -> str | None:
    """Return what is wrong with a checkpoint whose weights are `given`; None if nothing is.

    If `needed` is empty, only files that are not models are found.
    """
    if not needed:  # the network is not known
        what = kind(given)
        return f"{what}. {REMEDY}" if what in UNUSABLE_KINDS else None
    lacking = [need.names[0] for need in needed if not any(name in given for name in need.names)]
    if lacking:
        rest = f"lacks {len(lacking)} of {len(needed)} weights that the script needs, for example"
        return _explain(needed, given, "it ", f"{rest} {lacking[0]}")
    wrong = [need.names[0] for need in needed if _has_other_shape(need, given)]
    if wrong:
        rest = f"{len(wrong)} of its weights have other shapes than the script needs, for example"
        return _explain(needed, given, "", f"{rest} {wrong[0]}", alone="does not fit: ")
    return None


def missing_state_dict_problem(given: Mapping[str, Weight]) -> str | None:
    """Return what is wrong with a file without `state_dict`; None if its kind is unknown.

    `given` holds the file's own entries.
    """
    what = kind(given)
    return f"{what}: it has no entry state_dict. {REMEDY}" if what else None


def _explain(
    needed: Sequence[Need], given: Mapping[str, Weight], pronoun: str, rest: str, *, alone: str = ""
) -> str:
    """Return a problem, with the kind of the file if another kind is expected."""
    what = kind(given)
    reason = f"{alone}{rest}" if what in (None, _expected(needed)) else f"{what}: {pronoun}{rest}"
    return f"{reason}. {REMEDY}"


def schedule_problem(values: Iterable[float], dtype: str) -> str | None:
    """Return what is wrong with a checkpoint's noise schedule; None if nothing is.

    In bfloat16 its first values round to 1. The sampler divides by 1 minus the value, so pictures
    are black.
    """
    if all(value < 1 for value in values):
        return None
    if dtype == BFLOAT16:
        return (
            "is stored in bfloat16, with which the script makes the same black picture for each "
            "request. Convert it to float16 or float32."
        )
    return f"has a damaged noise schedule (alphas_cumprod). {REMEDY}"


def kind(given: Mapping[str, Weight]) -> str | None:
    """Return what a file with these weights is, as a predicate; None if unknown."""
    return code_and_kind(given)[1]


def code_and_kind(given: Mapping[str, Weight]) -> tuple[str, str | None]:
    """Return the kind of a file as a code and as a predicate; None if unknown."""
    if not given:
        return "empty", "holds no weights"
    for code, what, starts, inside in _KINDS:
        if any(name.startswith(starts) or (inside and inside in name) for name in given):
            return _unet_kind(given) if what is None else (code, what)
    return _UNKNOWN


def _unet_kind(given: Mapping[str, Weight]) -> tuple[str, str | None]:
    contexts = {weight.shape[-1:] for name, weight in given.items() if _CONTEXT_LAYER in name}
    if contexts == {(_SD2_CONTEXT,)} or any(n.startswith("cond_stage_model.model.") for n in given):
        return "sd2", "is a Stable Diffusion 2 model"
    first = given.get(_FIRST_LAYER)
    return _by_inputs(first.shape) if first else _UNKNOWN


def _expected(needed: Sequence[Need]) -> str | None:
    """Return the kind of checkpoint that the network needs."""
    averaged = EMA + _FIRST_LAYER[len("model.") :].replace(".", "")
    for need in needed:
        if need.shape and {_FIRST_LAYER, averaged} & set(need.names):
            return _by_inputs(need.shape)[1]
    return None


def _by_inputs(shape: Sequence[int]) -> tuple[str, str | None]:
    return _BY_INPUTS.get(shape[1], _UNKNOWN) if len(shape) > 1 else _UNKNOWN


def _has_other_shape(need: Need, given: Mapping[str, Weight]) -> bool:
    found = next((given[name] for name in need.names if name in given), None)
    return None not in (found, need.shape) and tuple(found.shape) != need.shape  # type: ignore[union-attr]  # checked above


def _is_for_training(name: str) -> bool:
    return any(part in _TRAINING_PARTS for part in name.split("."))


def _all_names(module: Any) -> Iterable[tuple[str, Any]]:
    """Return all names of all tensors; a tensor that two parts share has several."""
    return module.state_dict(keep_vars=True).items()  # type: ignore[no-any-return]  # torch's
