"""What clients see of a running job's progress. Pure."""

from sdrest.engine.base import ImageReady, Progress
from sdrest.jobs.model import Position


def advance(position: Position, event: Progress | ImageReady, total: int) -> Position:
    """Return the job's progress after an event of `execute`.

    As in the original, the bar of an image does not reach 1 before its file is there: then the
    next image begins, and after the last one the fraction stays 1.
    """
    match event:
        case ImageReady(index=index) if index >= total:
            return Position(total, 1.0)
        case ImageReady(index=index):
            return Position(index + 1, 0.0)
        case Progress(fraction=fraction) if fraction >= 1:
            return position
        case Progress(index=index, fraction=fraction):
            return Position(index, fraction)
