"""The kinds of checkpoints: which jobs each one serves, or why none, and what to do."""

from collections.abc import Mapping

from sdrest.job_types import JobType

TYPES: Mapping[str, tuple[JobType, ...]] = {
    "text-to-image": (JobType.TEXT_TO_IMAGE, JobType.IMAGE_TO_IMAGE),
    "inpainting": (JobType.INPAINT_IMAGE,),
}
"""The kinds that the scripts can use, and for which jobs."""

_VERSION_1 = "The scripts run Stable Diffusion 1: choose a checkpoint made for version 1.4 or 1.5."
_WHOLE = "Choose the whole checkpoint, one .safetensors or .ckpt file with all parts of the model."
_ADDITION = "an addition to a model. Choose a checkpoint that it has been merged into."
_AGAIN = "Download it again."

REASONS: Mapping[str, str] = {
    "sd-inpainting": "A Stable Diffusion inpainting model, whose 9 input channels the scripts "
    "do not fill. Choose the latent-diffusion inpainting model (inpainting_big), which "
    "`sdrest setup` fetches.",
    "sd2": f"A Stable Diffusion 2 model. {_VERSION_1}",
    "sdxl": f"A Stable Diffusion XL model. {_VERSION_1}",
    "sd3": f"A Stable Diffusion 3 model. {_VERSION_1}",
    "flux": f"A Flux model. {_VERSION_1}",
    "depth": f"A depth-to-image model. {_VERSION_1}",
    "instruct-pix2pix": f"An InstructPix2Pix model. {_VERSION_1}",
    "lora": f"A LoRA, {_ADDITION}",
    "textual-inversion": "A textual inversion, an addition to a model, which the scripts do not "
    "apply. Choose a whole checkpoint.",
    "controlnet": "A ControlNet, an addition to a model, which the scripts do not apply. Choose a "
    "whole checkpoint.",
    "vae": f"A VAE, which turns latents into pictures, without the rest of a model. {_WHOLE}",
    "text-encoder": f"A text encoder without the rest of a model. {_WHOLE}",
    "network": f"A network without its VAE, which turns latents into pictures. {_WHOLE}",
    "diffusers": f"One part of a model in the format of diffusers. {_WHOLE}",
    "diffusers-folder": f"A folder in the format of diffusers. {_WHOLE}",
    "bfloat16": "Stored in bfloat16, with which the scripts make the same black picture for each "
    "request. Convert it to float16 or float32.",
    "gguf": f"A GGUF file, the format of other programs. {_WHOLE}",
    "torchscript": f"A TorchScript program. {_WHOLE}",
    "web-page": "A web page. Download the file itself, for example with curl --location --fail.",
    "lfs-pointer": "A Git LFS pointer. Fetch the file itself with git lfs pull.",
    "truncated": f"Incomplete: its end is missing. {_AGAIN}",
    "damaged": f"Damaged: it cannot be read. {_AGAIN}",
    "empty": f"Empty. {_AGAIN}",
    "no-weights": f"A file without weights. {_WHOLE}",
    "dangling-link": "A link to a file that does not exist. Mend the link, or remove it.",
    "not-a-file": "Not a regular file. Remove it from the folder of models.",
    "unreadable": "It cannot be read. Allow the server to read it.",
    "unknown": f"Its content is not known. {_WHOLE}",
    "bundled": "The bundled engine draws without checkpoints. Run `sdrest setup` for Stable "
    "Diffusion.",
}
"""Why other kinds cannot be used, and what to do."""
