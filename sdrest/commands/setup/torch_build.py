"""Choose the build of PyTorch: the one for NVIDIA GPUs, or the far smaller one for CPUs.

Only Linux on x86-64 has the choice; other platforms have a single build.
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
    """Whether to install the CPU build by its name."""
    if platform != CHOICE_PLATFORM:
        return False
    return build is TorchBuild.CPU or (build is TorchBuild.AUTO and not gpu)


def cpu_index(torch_index_url: str, index_url: str) -> str:
    """Return the additional index for the CPU build; empty if `index_url` is the only one.

    A machine with a mirror may not reach other indexes.
    """
    return torch_index_url or ("" if index_url else CPU_INDEX)


def is_other_build(build: TorchBuild, installed: Mapping[str, str], *, platform: str) -> bool:
    """Whether the installed torch is another build than the requested one."""
    version = installed.get("torch")
    if version is None or build is TorchBuild.AUTO or platform != CHOICE_PLATFORM:
        return False
    return version.endswith("+cpu") is not (build is TorchBuild.CPU)
