"""Constant answers of the web UI's dialect."""

from collections.abc import Mapping
from typing import Any

from sdrest.web.dialects.a1111.mapping import SAMPLERS

_UPSCALERS = ("None", "Lanczos", "Nearest")

ANSWERS: Mapping[str, Any] = {
    "samplers": [{"name": n.upper(), "aliases": [n], "options": {}} for n in SAMPLERS],
    "schedulers": [
        {
            "name": name,
            "label": name.title(),
            "aliases": None,
            "default_rho": -1,
            "need_inner_model": False,
        }
        for name in ("automatic", "uniform")
    ],
    "upscalers": [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4}
        for name in _UPSCALERS
    ],
    "latent-upscale-modes": [],
    "sd-vae": [],
    "loras": [],
    "embeddings": {"loaded": {}, "skipped": {}},
    "hypernetworks": [],
    "prompt-styles": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "scripts": {"txt2img": [], "img2img": []},
    "script-info": [],
    "cmd-flags": {"api": True},
    "extensions": [],
}
"""The answers of `GET /sdapi/v1/NAME`, by name."""

REFRESHES = ("checkpoints", "vae", "embeddings", "loras")
"""What `POST /sdapi/v1/refresh-NAME` exists for."""
