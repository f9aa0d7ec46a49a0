"""A script of the fork's shape: seeds, loads, builds, fills, draws. Writes what it saw as JSON.

Its first argument is JSON: `seed`, `size` of the model, `ckpt`, `out`, and `then`: Python that is
run with the model at the end.
"""

import json
import sys
from pathlib import Path

import omegaconf  # type: ignore[import-not-found]  # the one on the path
import torch  # type: ignore[import-not-found]  # as above
from ldm.util import instantiate_from_config  # type: ignore[import-not-found]  # as above
from transformers.modeling_utils import (  # type: ignore[import-not-found]  # as above
    PreTrainedModel,
    SafetyChecker,
)

assert omegaconf
options = json.loads(sys.argv[1])
checker = SafetyChecker.from_pretrained(options.get("checker", "checker"))
config = {key: options[key] for key in ("size", "has_buffers", "inverts") if key in options}
torch.manual_seed(options["seed"])
if options.get("inpaint"):
    model = instantiate_from_config(config)
    result = model.load_state_dict(torch.load(options["ckpt"])["state_dict"], strict=False)
    step = None
else:
    checkpoint = torch.load(options["ckpt"])
    assert "global_step" in checkpoint
    step = checkpoint["global_step"]
    state = checkpoint["state_dict"]
    model = instantiate_from_config(config)
    result = model.load_state_dict(state, strict=False)
seen = {
    "step": step,
    "training": model.training,
    "weights": [weight.value for weight in model.weights],
    "buffers": {name: buffer.value for name, buffer in model.buffers.items()},
    "result": result,
    "noise": torch.draw(5),
    "checker": checker.drawn,
}
model.training = False
exec(options.get("then", ""))
counts = {"built": torch.Model.built, "read": len(torch.reads), "made": PreTrainedModel.made}
Path(options["out"]).write_text(json.dumps([seen, counts]))
