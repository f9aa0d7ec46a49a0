"""Sends the sampler's current estimate of a picture as a small picture.

With each step the samplers return their estimate of the finished latent; weighted sums of its
channels are a picture. Nothing here draws random numbers or writes into a script's tensors.
"""

from __future__ import annotations

import base64
import functools
import importlib
import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

_SECONDS = 0.5
"""Least seconds from one preview to the next."""

_MAX_SHARE = 0.03
"""Most of the sampling time that previews may take; the costlier they are, the rarer."""

_LONGEST_SIDE = 256
"""Most pixels of a preview's longer side."""

_JPEG_QUALITY = 85

_SAMPLERS = (
    ("ldm.models.diffusion.ddim", "DDIMSampler", "p_sample_ddim"),
    ("ldm.models.diffusion.plms", "PLMSSampler", "p_sample_plms"),
)
"""The fork's samplers: module, class, and the method that takes a step."""

_BUNDLED = "tiny_diffusion.previews"
"""The module of the bundled engine whose `show(estimate, index)` is called after each step."""

_RGB = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
"""Red, green and blue (-1 to 1) of each channel of a latent of the SD 1 autoencoder.

Source: https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204
"""


class Previews:
    """Sends previews of the running job, if it wants them.

    Of a batch it sends the first picture: a client shows a preview where that image will be.
    `clock` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.begin(None)

    def begin(self, report: Callable[[str, dict[str, Any]], None] | None) -> None:
        """Start a job: `report` gets the name and the content of each event; None: no previews."""
        self._report = report
        self._batch = self._left = 0
        self._due = 0.0

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the samplers when they are imported."""
        for module, owner, method in _SAMPLERS:
            imports.when_imported(module, functools.partial(self._wrap_step, owner, method))
        imports.when_imported(_BUNDLED, self._wrap_show)

    def offer(self, estimate: Callable[[], tuple[int, Any]], index: int) -> None:
        """Send a preview if one is due; never raises `Exception`.

        `estimate` returns the number of pictures in the batch and the first one: an array (height,
        width, 3) with values from 0 to 1. `index` counts the steps of a batch down to 0.
        """
        if self._report is None:
            return
        if index >= self._left:
            self._batch += 1
        self._left = index
        if self._clock() < self._due:
            return
        try:
            pillow = importlib.import_module("PIL.Image")
            pillow.preinit()
            begin = self._clock()  # imports cost once, and so say nothing of the next preview
            count, picture = estimate()
            data, media_type = _encode(pillow, picture)
            self._report(
                "preview",
                {
                    "image": (self._batch - 1) * count + 1,
                    "type": media_type,
                    "data": base64.b64encode(data).decode(),
                },
            )
            end = self._clock()
            self._due = end + max(_SECONDS, (end - begin) / _MAX_SHARE)
        except Exception:  # noqa: BLE001 (a preview must not fail the job)
            self._report = None

    def _wrap_step(self, owner_name: str, method: str, module: Any) -> None:
        owner = getattr(module, owner_name, None)
        original = getattr(owner, method, None)
        if original is None:  # another version of the fork
            return

        @functools.wraps(original)
        def step(
            sampler: Any, x: Any, c: Any, t: Any, index: int, *args: Any, **options: Any
        ) -> Any:
            result = original(sampler, x, c, t, index, *args, **options)
            self.offer(lambda: _from_latents(result[1]), index)
            return result

        setattr(owner, method, step)

    def _wrap_show(self, module: Any) -> None:
        def show(estimate: Callable[[], Any], index: int) -> None:
            def first() -> tuple[int, Any]:
                pictures = estimate()
                return len(pictures), _thin(pictures[0])

            self.offer(first, index)

        module.show = show


def _from_latents(latents: Any) -> tuple[int, Any]:
    """Return how many latents there are, and a picture of the first.

    `latents` is a tensor (n, 4 or 3, height, width).
    On an accelerator this waits until the step is done, as the fork's samplers do in each step.
    """
    import numpy as np  # noqa: PLC0415 (heavy, and installed only with torch)

    first = _thin(latents[0].detach().permute(1, 2, 0)).float().cpu().numpy()
    if first.shape[-1] == len(_RGB):
        first = first @ np.asarray(_RGB, dtype=np.float32)
    # Else it is of the inpainting model, whose three channels are close to red, green and blue.
    return len(latents), first / 2 + 0.5


def _thin(picture: Any) -> Any:
    """Return every k-th pixel of a picture (height, width, ...) that is too large."""
    stride = -(-max(picture.shape[:2]) // _LONGEST_SIDE)
    return picture[::stride, ::stride]


def _encode(pillow: Any, picture: Any) -> tuple[bytes, str]:
    """Return a picture (height, width, 3), 0 to 1, as a file and its media type.

    `pillow` is the module PIL.Image.
    """
    import numpy as np  # noqa: PLC0415 (as above)

    pixels = (np.clip(np.nan_to_num(picture), 0, 1) * 255 + 0.5).astype(np.uint8)
    image = pillow.fromarray(pixels)
    target = io.BytesIO()
    try:
        image.save(target, "JPEG", quality=_JPEG_QUALITY)
    except (OSError, KeyError):  # Pillow was built without it
        target = io.BytesIO()
        image.save(target, "PNG", compress_level=1)
        return target.getvalue(), "image/png"
    return target.getvalue(), "image/jpeg"
