"""The sampling of the fork's img2img.py: its first argument is JSON, what it saw goes to `out`."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found]  # the one of this repository
from ldm.models.diffusion.ddim import DDIMSampler  # type: ignore[import-not-found]  # as above
from ldm.models.diffusion.ddpm import LatentDiffusion  # type: ignore[import-not-found]  # as above

options = json.loads(sys.argv[1])
torch.manual_seed(options["seed"])
model, sampler, made = LatentDiffusion(), DDIMSampler(), []
batch = options["batch"]
source = torch.from_numpy(np.arange(batch * 4 * 8 * 16, dtype="float64").reshape(batch, 4, 8, 16))
for _ in range(options["iterations"]):
    unconditional = 0
    if options["scale"] != 1.0:
        unconditional = model.get_learned_conditioning(batch * [""])
    conditioning = model.get_learned_conditioning(batch * [options["prompt"]])
    start = sampler.stochastic_encode(source, torch.from_numpy(np.full(batch, options["steps"])))
    made.append(sampler.decode(start, conditioning, options["steps"], unconditional))
seen = {
    "steps": sampler.steps,
    "made": made,
    "source": source,
    "next": torch.randn_like(source),
}
arrays = {name: np.asarray(value) for name, value in seen.items()}
Path(options["out"]).write_bytes(pickle.dumps({**arrays, "asked": model.asked}))
