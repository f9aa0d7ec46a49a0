"""Examples of AUTOMATIC1111's dialect. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from sdrest.web.description.a1111_schemas import PREFIX, constant_name
from sdrest.web.dialects.a1111.constants import ANSWERS

_PNG = "iVBORw0KGgo="
_MODEL = {
    "title": "dreamshaper_8",
    "model_name": "dreamshaper_8",
    "hash": "879db523c3",
    "sha256": None,
    "filename": "dreamshaper_8.safetensors",
    "config": None,
}
_ERROR = "steps: Input should be less than or equal to 1000."
_TEXT = "a red fox\nSteps: 24, Sampler: DDIM, CFG scale: 7, Seed: 42, Size: 512x512"
_STATE = {
    "job": "scripts_txt2img",
    "job_count": 2,
    "job_no": 0,
    "job_timestamp": "0",
    "sampling_step": 12,
    "sampling_steps": 24,
    "skipped": False,
    "interrupted": False,
    "stopping_generation": False,
}

_EXAMPLES: Mapping[str, Any] = {
    "Txt2Img": {"prompt": "a red fox in the snow", "steps": 24, "seed": 42},
    "Img2Img": {"prompt": "a red fox", "init_images": [_PNG], "denoising_strength": 0.6},
    "PngInfo": {"image": _PNG},
    "UpscaleOne": {"image": _PNG, "upscaler_1": "Lanczos", "upscaling_resize": 2},
    "UpscaleMany": {"imageList": [{"data": _PNG, "name": "1.png"}], "upscaler_1": "Lanczos"},
    "Options": {"sd_model_checkpoint": _MODEL["title"]},
    "Null": None,
    "Empty": {},
    "Images": {
        "images": [_PNG],
        "parameters": {"prompt": "a red fox in the snow"},
        "info": json.dumps({"seed": 42, "infotexts": [_TEXT]}),
    },
    "Progress": {
        "progress": 0.26,
        "eta_relative": 12.5,
        "state": _STATE,
        "current_image": None,
        "textinfo": None,
    },
    "Settings": {"sd_model_checkpoint": _MODEL["title"], "samples_format": "png"},
    "Models": [_MODEL],
    "Memory": {"ram": {"free": 8, "used": 8, "total": 16}, "cuda": {"error": "not measured"}},
    "PngSettings": {"info": _TEXT, "items": {}, "parameters": {"Seed": "42"}},
    "Resized": {"html_info": "", "image": _PNG},
    "ManyResized": {"html_info": "", "images": [_PNG]},
    "Error": {"error": "HTTPException", "detail": _ERROR, "body": "", "errors": _ERROR},
}

A1111_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    **{PREFIX + name: {"an example": value} for name, value in _EXAMPLES.items()},
    **{constant_name(name): {"always": value} for name, value in ANSWERS.items()},
}
