"""Which jobs a `txt2img` or `img2img` request means, and what of it cannot be done. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sdrest.errors import FieldError, InvalidRequestError
from sdrest.job_types import JobType, Sampler
from sdrest.parameter_values import LARGEST_SEED, draw_seed, last_seed_problem, next_multiple
from sdrest.params import Params, validate
from sdrest.sampling_steps import nearest_usable
from sdrest.web.dialects.a1111.fields import Img2Img, Txt2Img

MOST_PICTURES = 100
"""Pictures of one request, as with `iterations`."""

SAMPLERS = {"ddim": Sampler.DDIM, "plms": Sampler.PLMS}

_NAMES = {
    "guidanceScale": "cfg_scale",
    "negativePrompt": "negative_prompt",
    "strength": "denoising_strength",
    "model": "override_settings.sd_model_checkpoint",
}
"""The web UI's names of our parameters, where they differ."""

_EXTRA_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)
_SAME_SCHEDULE = {"", "automatic", "uniform", "normal", "none"}
_NO_VAE = {"", "none", "automatic"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs of a request, one for each picture; picture i has `seed` + i.

    `size` is that of the web UI's answer and `job_size` that of the jobs, which is larger where a
    side is not a multiple of 64: the middle is the answer. `per_batch` jobs are a batch. `sampler`
    is what runs, `warnings` are sentences on what is different from the request.
    """

    type: JobType
    fields: Mapping[str, Any]
    seed: int
    count: int
    per_batch: int
    size: tuple[int, int]
    job_size: tuple[int, int]
    sampler: Sampler
    steps: int
    warnings: tuple[str, ...]

    def params(self, number: int) -> Params:
        """Return the parameters of picture `number`, counted from 0."""
        try:
            return validate(self.type, {**self.fields, "seed": self.seed + number})
        except InvalidRequestError as error:
            raise error.renamed(_NAMES) from None


def plan(wanted: Txt2Img, *, model: str = "") -> Plan:
    """Return the jobs that a request asks for; `model` is the name of a checkpoint, or empty.

    Raises `InvalidRequestError` for what would give another picture than the client expects.
    """
    sources = len(wanted.init_images) if isinstance(wanted, Img2Img) else 1
    per_batch = sources if sources > 1 else wanted.batch_size
    count = per_batch * wanted.n_iter
    _refuse(wanted, count)
    warnings: list[str] = []
    sampler = _sampler(wanted, warnings)
    steps = nearest_usable(wanted.steps)
    if steps != wanted.steps:
        warnings.append(f"{wanted.steps} steps do not work with this model; {steps} ran.")
    warnings += _ignored(wanted)
    size = wanted.width, wanted.height
    job_size = next_multiple(wanted.width), next_multiple(wanted.height)
    fields: dict[str, Any] = {
        "prompt": _without_networks(wanted.prompt),
        "steps": steps,
        "guidanceScale": wanted.cfg_scale,
    }
    if negative := _without_networks(wanted.negative_prompt):
        fields["negativePrompt"] = negative
    if model:
        fields["model"] = model
    if wanted.eta and _asked_sampler(wanted) is Sampler.DDIM:  # the default of others is 1
        fields["eta"] = wanted.eta
    if isinstance(wanted, Img2Img):
        fields["strength"] = wanted.denoising_strength
        kind = JobType.IMAGE_TO_IMAGE
    else:
        fields |= {"width": job_size[0], "height": job_size[1], "sampler": sampler}
        kind = JobType.TEXT_TO_IMAGE
    seed = _first_seed(wanted.seed, count)
    return Plan(
        kind, fields, seed, count, per_batch, size, job_size, sampler, steps, tuple(warnings)
    )


def _refuse(wanted: Txt2Img, count: int) -> None:
    """Raise `InvalidRequestError` for what cannot be done and would show."""
    errors = []
    if wanted.enable_hr:
        errors.append(
            FieldError("enable_hr", "Is not supported. Set it to false and choose width, height.")
        )
    if max(count, wanted.n_iter * wanted.batch_size) > MOST_PICTURES:
        message = (
            f"At most {MOST_PICTURES} pictures (n_iter times batch_size, or times init_images)."
        )
        errors.append(FieldError("n_iter", message))
    if wanted.seed > LARGEST_SEED:
        errors.append(FieldError("seed", f"Should be at most {LARGEST_SEED}."))
    if (name := wanted.script_name or "").lower() not in {"", "none"}:
        errors.append(FieldError("script_name", f"Script '{name}' not found."))
    errors += [
        FieldError("alwayson_scripts", f"Script '{name}' not found. Leave it out or disable it.")
        for name, script in wanted.alwayson_scripts.items()
        if _is_on(script)
    ]
    if errors:
        raise InvalidRequestError(errors)


def _is_on(value: Any) -> bool:
    """Whether the arguments of a script switch something on; empty or disabled ones do not."""
    match value:
        case {"args": args}:
            return _is_on(args)
        case {"enabled": enabled}:
            return bool(enabled)
        case dict():
            return bool(value)
        case [bool(enabled), *_]:
            return enabled
        case list():
            return any(map(_is_on, value))
        case _:
            return bool(value)


def _asked_sampler(wanted: Txt2Img) -> Sampler | None:
    return SAMPLERS.get((wanted.sampler_name or wanted.sampler_index).strip().lower())


def _sampler(wanted: Txt2Img, warnings: list[str]) -> Sampler:
    """Return the sampler that runs; add a warning where it is not the one asked for."""
    asked = _asked_sampler(wanted)
    name = wanted.sampler_name or wanted.sampler_index
    is_given = bool(wanted.sampler_name) or "sampler_index" in wanted.model_fields_set
    if asked is Sampler.PLMS and not isinstance(wanted, Img2Img):
        return asked
    if is_given and asked is not Sampler.DDIM:
        warnings.append(f"The sampler {name} is not available; DDIM ran.")
    return Sampler.DDIM


def _ignored(wanted: Txt2Img) -> Iterator[str]:
    """Yield a sentence for each wish that has no effect."""
    settings = wanted.override_settings
    scheduler = (wanted.scheduler or "").strip().lower()
    ignored = {
        "styles": any(str(style).strip().lower() not in {"", "none"} for style in wanted.styles),
        "subseed": bool(wanted.subseed_strength),
        "scheduler": scheduler not in _SAME_SCHEDULE and not scheduler.startswith("ddim"),
        "restore_faces": wanted.restore_faces,
        "tiling": wanted.tiling,
        "refiner_checkpoint": bool(wanted.refiner_checkpoint),
        "CLIP_stop_at_last_layers": (
            settings.get("CLIP_stop_at_last_layers") not in (None, 0, 1, "0", "1")
        ),
        "sd_vae": str(settings.get("sd_vae") or "").lower() not in _NO_VAE,
    }
    for name, is_given in ignored.items():
        if is_given:
            yield f"{name} was ignored."
    if any(map(_EXTRA_NETWORK.search, (wanted.prompt, wanted.negative_prompt))):
        yield "There are no extra networks; <lora:…> and <hypernet:…> were left out of the prompt."
    if isinstance(wanted, Img2Img) and wanted.mask and wanted.inpainting_fill == 0:
        yield "inpainting_fill 0 was approximated by blurred surroundings."


def _without_networks(prompt: str) -> str:
    return _EXTRA_NETWORK.sub("", prompt)


def _first_seed(seed: int, count: int) -> int:
    """Return the seed of the first picture; a random one leaves room for the others."""
    if seed < 0:
        return draw_seed(count)
    if problem := last_seed_problem(seed, count):
        raise InvalidRequestError([FieldError("seed", problem)])
    return seed
