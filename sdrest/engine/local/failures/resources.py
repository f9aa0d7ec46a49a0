"""Whether a script lacked memory, room on a disk or threads, and what helps. Pure.

The texts for memory are those of torch, NumPy, OpenBLAS, CUDA, Metal, the dynamic linker and libc.
"""

import errno
import os
import re

from sdrest.engine.runner.attention import EXACT

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

_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_REMEDIES = {
    errno.ENOSPC: "Make room on {disks}.",
    errno.EDQUOT: "Make room on {disks}, or raise the disk quota.",
    errno.EFBIG: "Raise the limit of file sizes (ulimit -f), or use another file system.",
    errno.EROFS: "Allow the server to write to {disks}, which is mounted read-only.",
    errno.EIO: "Check {disks}, which reports errors.",
}


def lacks_memory(text: str, *, noexec: bool = False) -> bool:
    """Whether an error's text says that memory was short.

    `noexec` says that the modules of the script's Python lie on a file system without execution.
    """
    return bool(_MEMORY.search(text)) or (not noexec and bool(_MAPPING.search(text)))


def lacks_execution(text: str, *, noexec: bool) -> bool:
    """Whether a module could not be loaded because its file system forbids execution."""
    return noexec and "failed to map segment from shared object" in text


def memory_advice(
    text: str, *, loaded: bool, attention: str, max_models: int, concurrency: int
) -> str:
    """Return what happened and what to do; `loaded` says that the script had drawn its first bar.

    Until then neither the size of the picture nor that of the batch matters. `attention` is how the
    script computes it; `max_models` and `concurrency` are those of the server: what cannot be
    lowered is not advised.
    """
    where = " on the GPU" if _GPU.search(text) else ""
    fewer = "run fewer tasks at once (--concurrency)" if concurrency > 1 else ""
    if loaded:
        exact = "start the server with --attention fast" if attention == EXACT else ""
        advice = _alternatives("request a smaller picture or a smaller batch", exact, fewer)
        return f"The script ran out of memory{where} while it made the picture. {advice}."
    kept = "start the server with --max-models 1" if max_models > 1 else ""
    more = "" if where else "give it more memory (a container or ulimit -v may limit it)"
    advice = _alternatives("close other programs", kept, fewer, "use a smaller checkpoint", more)
    return (
        f"The script ran out of memory{where} while it loaded its libraries and models. {advice}."
    )


def _alternatives(*remedies: str) -> str:
    *first, last = filter(None, remedies)
    text = f"{', '.join(first)}, or {last}" if first else last
    return text[0].upper() + text[1:]


def lacks_storage(code: int | None, text: str) -> bool:
    """Whether an exception's errno or text says that nothing could be written."""
    return code in _REMEDIES or bool(_FULL.search(text))


def storage_advice(code: int | None, *, loaded: bool) -> str:
    """Return what happened and what to do; `loaded` says that the script had drawn its first bar.

    Until then it writes into its own folder, and fetches models that are missing.
    """
    reason = f" ({os.strerror(code)})" if code else ""
    remedy = _REMEDIES.get(code or errno.ENOSPC, _REMEDIES[errno.ENOSPC])
    if loaded:
        disks = "the disk of the output folder"
        return f"The script could not write its images{reason}. {remedy.format(disks=disks)}"
    disks = "the disk of the output folder or of the Hugging Face cache"
    return (
        f"The script could not write a file while it loaded{reason}. {remedy.format(disks=disks)}"
    )
