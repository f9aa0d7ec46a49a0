"""What clients see of a running job's progress. Pure."""

from sdrest.engine.base import ImageReady, Progress


def advance(progress: Progress, event: Progress | ImageReady, total: int) -> Progress:
    """Return the job's progress after an event of `execute`.

    As in the original, the bar of an image does not reach 1 before its file is there: then the
    next image begins, and after the last one the fraction stays 1.
    """
    match event:
        case ImageReady(index=index) if index >= total:
            return Progress(total, 1.0)
        case ImageReady(index=index):
            return Progress(index + 1, 0.0)
        case Progress(fraction=fraction) if fraction >= 1:
            return progress
        case Progress(index=index, fraction=fraction):
            return Progress(index, fraction)
