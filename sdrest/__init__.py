"""A REST server that turns prompts and images into pictures with Stable Diffusion.

The same without a server:

    async for event in sdrest.text_to_image("a lighthouse", iterations=3):
        if isinstance(event, sdrest.ImageReady):
            print(event.path)

See `sdrest.api`. What is heavy is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdrest.api import image_to_image, inpaint_image, text_to_image
    from sdrest.engine.base import Event, Finished, ImageReady, Preview, Progress, Started
    from sdrest.errors import Failure, FailureCode, InvalidRequestError, SdrestError

__version__ = "0.1.0"

__all__ = [
    "Event",
    "Failure",
    "FailureCode",
    "Finished",
    "ImageReady",
    "InvalidRequestError",
    "Preview",
    "Progress",
    "SdrestError",
    "Started",
    "image_to_image",
    "inpaint_image",
    "text_to_image",
]

_HOMES = {
    "sdrest.api": {"image_to_image", "inpaint_image", "text_to_image"},
    "sdrest.engine.base": {"Event", "Finished", "ImageReady", "Preview", "Progress", "Started"},
    "sdrest.errors": {"Failure", "FailureCode", "InvalidRequestError", "SdrestError"},
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
