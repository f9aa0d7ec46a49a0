"""Which build of PyTorch is installed: the one for NVIDIA GPUs, or the far smaller one for CPUs.

Only Linux on x86-64 has the choice. On other platforms the package index has one build alone.
"""

from collections.abc import Mapping
from enum import StrEnum, unique

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of its CPU builds, whose versions end with `+cpu`."""

CHOICE_PLATFORM = "linux-x86_64"


@unique
class TorchBuild(StrEnum):
    """A build of PyTorch; `auto` is `cuda` where there is an NVIDIA GPU, else `cpu`."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def is_cpu_build(build: TorchBuild, *, platform: str, gpu: bool) -> bool:
    """Whether the CPU build is to be asked for by its name."""
    if platform != CHOICE_PLATFORM:
        return False
    return build is TorchBuild.CPU or (build is TorchBuild.AUTO and not gpu)


def cpu_index(torch_index_url: str, index_url: str) -> str:
    """Return the index to ask besides for the CPU build; empty where `index_url` is the only one.

    Who names a mirror may not reach other indexes.
    """
    return torch_index_url or ("" if index_url else CPU_INDEX)


def is_other_build(build: TorchBuild, installed: Mapping[str, str], *, platform: str) -> bool:
    """Whether the torch that is installed is not the build that was named."""
    version = installed.get("torch")
    if version is None or build is TorchBuild.AUTO or platform != CHOICE_PLATFORM:
        return False
    return version.endswith("+cpu") is not (build is TorchBuild.CPU)
