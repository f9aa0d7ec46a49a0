"""Whether a script ran out of memory, and what helps. Pure.

The texts are those of torch, NumPy, OpenBLAS, CUDA, Metal, the dynamic linker and libc.
"""

import re

_MEMORY = re.compile(
    r"out[ _]of[ _]memory|OutOfMemory|not enough memory|MemoryError|std::bad_alloc"
    r"|(?:can't|cannot) allocate memory(?! in static TLS block)"
    r"|memory allocation (?:still )?failed|cannot map zero-fill pages|[A-Z]_STATUS_ALLOC_FAILED"
    r"|Invalid buffer size|total bytes of NDArray",
    re.IGNORECASE,
)
_MAPPING = re.compile(
    r"failed to map segment from shared object(?!: Operation not permitted|: Permission denied)"
    r"|mmap[^\n]*errno=12\b"
)
"""What the dynamic linker of Linux, and that of macOS, says for want of memory.

glibc says the same of a file system that forbids execution (noexec).
"""

_GPU = re.compile(r"CUDA|CUBLAS|CUDNN|\bHIP\b|hipError")


def lacks_memory(text: str, *, noexec: bool = False) -> bool:
    """Whether an error's text says that memory was short.

    `noexec` says that the modules of the script's Python lie on a file system without execution.
    """
    return bool(_MEMORY.search(text)) or (not noexec and bool(_MAPPING.search(text)))


def lacks_execution(text: str, *, noexec: bool) -> bool:
    """Whether a module could not be loaded because its file system forbids execution."""
    return noexec and "failed to map segment from shared object" in text


def memory_advice(text: str, *, loaded: bool) -> str:
    """Return what happened and what to do; `loaded` says that the script had drawn its first bar.

    Until then neither the size of the picture nor that of the batch matters.
    """
    where = " on the GPU" if _GPU.search(text) else ""
    if loaded:
        return (
            f"The script ran out of memory{where} while it made the picture. Request a smaller "
            "picture or a smaller batch, or run fewer tasks at once (--concurrency)."
        )
    return (
        f"The script ran out of memory{where} while it loaded its libraries and models. Close "
        "other programs, start the server with --max-models 1 and --concurrency 1, use a smaller "
        "checkpoint, or give it more memory (a container or ulimit -v may limit it)."
    )
