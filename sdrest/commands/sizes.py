"""How much network, disk and memory Stable Diffusion needs.

`sdrest setup --dry-run`, `sdrest doctor` and the README use these figures. They were measured with
the published models and the pinned packages (fp32, CPU, 512x512 pixels at most).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdrest.engine.local.memory import PUBLISHED, process_memory, published
from sdrest.job_types import JobType

GB = 10**9


@dataclass(frozen=True, slots=True)
class Size:
    """What a part of the set-up needs, in bytes.

    `disk` is for good; `passing` is needed in addition until the part is complete.
    """

    download: int = 0
    disk: int = 0
    passing: int = 0

    def __add__(self, other: Size) -> Size:
        """Return what both need, one after the other."""
        return Size(
            self.download + other.download,
            self.disk + other.disk,
            max(self.passing, other.disk + other.passing) - other.disk,
        )


REPOSITORY = Size(download=40 * 10**6, disk=80 * 10**6)
ENVIRONMENT = Size(disk=30 * 10**6)
CPU_PACKAGES = Size(download=3 * 10**8, disk=14 * 10**8, passing=3 * 10**8)
CUDA_PACKAGES = Size(download=42 * 10**8, disk=77 * 10**8, passing=42 * 10**8)
TEXT_TO_IMAGE = Size(*[PUBLISHED[JobType.TEXT_TO_IMAGE]] * 2)
INPAINT = Size(*[PUBLISHED[JobType.INPAINT_IMAGE]] * 3)
"""A zip archive; it and the unpacked file exist at the same time."""

TEXT_ENCODER = Size(download=171 * 10**7, disk=171 * 10**7)
SAFETY_CHECKER = Size(download=122 * 10**7, disk=122 * 10**7)

PARTS: Mapping[str, tuple[Size, Size]] = {
    "The fork and its environment": (REPOSITORY + ENVIRONMENT,) * 2,
    "Packages": (CPU_PACKAGES, CUDA_PACKAGES),
    "Text-to-image model": (TEXT_TO_IMAGE,) * 2,
    "Inpaint image model": (INPAINT,) * 2,
    "Text encoder": (TEXT_ENCODER,) * 2,
    "Safety checker": (SAFETY_CHECKER,) * 2,
}
"""Sizes without and with the packages for NVIDIA GPUs, in the order of the steps."""

_MODELS = [published(JobType.TEXT_TO_IMAGE), published(JobType.INPAINT_IMAGE)]
TEXT_TO_IMAGE_MEMORY = process_memory(_MODELS[:1])
INPAINT_MEMORY = process_memory(_MODELS[1:])
BOTH_MEMORY = process_memory(_MODELS)
"""Peak memory of a process with one model, or both, and `--attention fast`."""


def total(*, cuda: bool) -> Size:
    """Return what the whole set-up needs."""
    return sum((sizes[cuda] for sizes in PARTS.values()), start=Size())
