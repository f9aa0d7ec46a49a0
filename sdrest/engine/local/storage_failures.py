"""Whether a script could not write to a disk, and what helps. Pure."""

import errno
import os
import re

_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_REMEDIES = {
    errno.ENOSPC: "Make room on {disks}.",
    errno.EDQUOT: "Make room on {disks}, or raise the disk quota.",
    errno.EFBIG: "Raise the limit of file sizes (ulimit -f), or use another file system.",
    errno.EROFS: "Allow the server to write to {disks}, which is mounted read-only.",
    errno.EIO: "Check {disks}, which reports errors.",
}


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
