"""Why a run failed for another reason than its script. Pure."""

import errno

from sdrest.errors import Failure, FailureCode, StorageUnavailableError, out_of_resources
from sdrest.jobs.losses import MAX_LOSSES

INPUTS_GONE = Failure(
    FailureCode.STORAGE_FAILED, "The job's pictures are gone. Send its request again."
)

LOST = Failure(
    FailureCode.NO_WORKER,
    f"{MAX_LOSSES} times the machine that ran the job was lost, perhaps because of it. Ask for "
    "smaller or fewer images, and see the logs of the workers.",
)

INTERNAL = Failure(FailureCode.INTERNAL, "The server failed at this job; its log says where.")


def images_missing(images: int, total: int) -> Failure:
    """Return the failure of a script that succeeded, but made too few images."""
    return Failure(
        FailureCode.IMAGES_MISSING,
        f"The script made {images} of {total} images. "
        "Send the request again; if that does not help, ask for fewer images.",
    )


def storage_failed(error: OSError) -> Failure:
    """Return the failure of a job whose files cannot be used."""
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return out_of_resources(error)
    return Failure(
        FailureCode.STORAGE_FAILED,
        f"The server could not use the job's files: {error.strerror or 'unknown reason'}. "
        "See that there is room on its disk and that it may write to its output folder; "
        "then send the request again.",
    )


def no_room(error: StorageUnavailableError, seconds: float) -> Failure:
    """Return the failure of a job that waited for the disk for `seconds`."""
    return Failure(
        FailureCode.STORAGE_FAILED,
        f"The job waited {seconds / 60:g} minutes for the server's disk. "
        f"{error.message} Then send the request again.",
    )


def timed_out(seconds: float) -> Failure:
    """Return the failure of a job that ran for `seconds`."""
    return Failure(
        FailureCode.TIMEOUT,
        f"The job was ended after {seconds:g} seconds. Ask for fewer steps or images, or start "
        "the server with a longer --job-timeout.",
    )


def stalled(seconds: float) -> Failure:
    """Return the failure of a job whose script wrote nothing for `seconds`."""
    return Failure(
        FailureCode.STALLED,
        f"The script wrote nothing for {seconds:g} seconds and was ended. Send the request again, "
        "or start the server with a longer --stall-timeout.",
    )
