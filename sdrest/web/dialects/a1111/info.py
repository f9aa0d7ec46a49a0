"""The answer to `txt2img` and `img2img`: what ran, in the web UI's words. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sdrest import __version__, infotext
from sdrest.web.dialects.a1111.checkpoints import Model
from sdrest.web.dialects.a1111.fields import Img2Img, Txt2Img
from sdrest.web.dialects.a1111.mapping import Plan

VERSION = f"sdrest {__version__}"

_PICTURES = {"init_images", "mask"}


@dataclass(frozen=True, slots=True)
class Made:
    """A finished picture: its number (from 0), its PNG as base64 and its infotext."""

    number: int
    image: str
    text: str


def answer(wanted: Txt2Img, plan: Plan, made: Sequence[Made], *, model: Model) -> dict[str, Any]:
    """Return the answer's JSON; `model` is the checkpoint that the request chose."""
    return {
        "images": [each.image for each in made] if wanted.send_images else [],
        "parameters": _parameters(wanted),
        "info": json.dumps(_info(plan, made, model), ensure_ascii=False),
    }


def completed(text: str, size: tuple[int, int], model: Model) -> str:
    """Return an infotext with another size, and with the model's hash if that is known."""
    settings = infotext.read(text)
    pairs = {**settings.pairs, "Size": f"{size[0]}x{size[1]}"}
    if model.known_hash:
        name = pairs.pop("Model", model.name)
        pairs |= {"Model hash": model.known_hash, "Model": name}
    return infotext.write(settings.prompt, settings.negative_prompt, pairs.items())


def _parameters(wanted: Txt2Img) -> dict[str, Any]:
    """Return the request with its defaults; pictures come back only if the client asks."""
    echo = wanted.model_dump(mode="json")
    if isinstance(wanted, Img2Img) and not wanted.include_init_images:
        echo |= dict.fromkeys(_PICTURES)
    return echo


def _info(plan: Plan, made: Sequence[Made], model: Model) -> Mapping[str, Any]:
    fields = plan.fields
    seeds = [plan.seed + each.number for each in made]
    prompt, negative = fields["prompt"], fields.get("negativePrompt", "")
    texts = [each.text for each in made]
    strength = fields.get("strength")
    missing = plan.count - len(made)
    cancelled = [f"Cancelled: {missing} of {plan.count} pictures."] if missing else []
    more = {"Denoising strength": strength, "Eta": fields.get("eta")}
    return {
        "prompt": prompt,
        "all_prompts": [prompt] * len(made),
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * len(made),
        "seed": seeds[0] if seeds else plan.seed,
        "all_seeds": seeds,
        "subseed": -1,
        "all_subseeds": [-1] * len(made),
        "subseed_strength": 0,
        "width": plan.size[0],
        "height": plan.size[1],
        "sampler_name": plan.sampler.upper(),
        "cfg_scale": fields["guidanceScale"],
        "steps": plan.steps,
        "batch_size": plan.per_batch,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": model.name,
        "sd_model_hash": model.hash,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": strength,
        "extra_generation_params": {name: value for name, value in more.items() if value},
        "index_of_first_image": 0,
        "infotexts": texts,
        "styles": [],
        "job_timestamp": datetime.now().astimezone().strftime("%Y%m%d%H%M%S"),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": VERSION,
        "warnings": [*plan.warnings, *cancelled],
    }
