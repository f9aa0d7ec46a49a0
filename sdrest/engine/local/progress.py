r"""From the bytes of a script's stderr to its progress. Pure.

The scripts draw tqdm bars: `\r`, a name, the percentage, the bar, `n/total [`. A bar is read as
soon as these bytes are there, however the pipe cuts them, and everything else is passed over:
warnings, download bars, a prompt that is echoed. Nothing here decides about images: bars say how
far a script is, files say what it made.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sdrest.engine.base import Progress

SAMPLING = "Sampling"
"""The outer bar of txt2img.py and img2img.py: a tick for each batch."""

UNNAMED = ""
"""The outer bar of inpaint.py, which has no name and no total (`1it [00:00, ...`)."""

_BATCH = "data"
"""The bar around one batch in txt2img.py and img2img.py; its total is 1."""

_STEPS = ("DDIM Sampler", "PLMS Sampler", "Decoding image")
"""The bars around the steps of one batch."""

_LONGEST_BAR = 4096
_LONGEST_DRAWING = _LONGEST_BAR + 64
_DRAWING = re.compile(
    rb"\r(?:(?P<name>%s): ?)? {0,2}"
    rb"(?:(?P<percent>\d{1,3})%%\|[^|\r\n\x1b]{0,%d}\| (?P<n>\d{1,6})/(?P<total>\d{1,6})"
    rb"|(?P<count>\d{1,6})it) \[" % ("|".join((SAMPLING, _BATCH, *_STEPS)).encode(), _LONGEST_BAR)
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One drawing of a bar. `total` is 0 where the bar has none."""

    name: str
    n: int
    total: int
    percent: int


class BarReader:
    """Finds the drawings of the scripts' bars in bytes that come in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Bar]:
        """Yield the bars that `data` completes."""
        text = self._rest + data
        end = 0
        for match in _DRAWING.finditer(text):
            end = match.end()
            bar = _bar(match)
            if bar:
                yield bar
        # Only an unfinished drawing is kept: it begins at the last \r and has a greatest length.
        start = text.rfind(b"\r", end)
        unfinished = start >= 0 and len(text) - start < _LONGEST_DRAWING
        self._rest = text[start:] if unfinished else b""


def _bar(match: re.Match[bytes]) -> Bar | None:
    name = (match["name"] or b"").decode()
    if match["count"] is not None:
        return Bar(name, int(match["count"]), 0, 0)
    n, total, percent = int(match["n"]), int(match["total"]), int(match["percent"])
    honest = total > 0 and n <= total and percent == int(f"{n / total * 100:.0f}")
    return Bar(name, n, total, percent) if honest else None


class ProgressParser:
    """Turns bars into the progress of a job of `batches` times `batch_size` images.

    A batch's images come together, so its position is that of its first image until it is done.
    The scripts work strictly in order: what the bars show of a batch proves that the PNGs of all
    earlier batches are complete. Bars that contradict the job (another total, going back) are
    passed over, so that text which imitates a bar can do no more than hurry the position.
    """

    def __init__(self, *, batches: int, batch_size: int = 1, outer: str = SAMPLING) -> None:
        self._reader = BarReader()
        self._batches = batches
        self._batch_size = batch_size
        self._outer = outer
        self._open = False  # whether the outer bar was seen
        self._done = 0  # batches that are complete
        self._batch_ended = False  # whether the bar of the current batch reached its end
        self._steps_ended = False  # whether the bar of the current batch's steps did

    def feed(self, data: bytes) -> list[Progress]:
        """Return the progress that `data` shows; it may repeat itself or go back."""
        return [progress for bar in self._reader.feed(data) if (progress := self._read(bar))]

    def _read(self, bar: Bar) -> Progress | None:
        if bar.name == self._outer:
            return self._read_outer(bar)
        if not self._open:
            return None
        if bar.name == _BATCH and bar.total == 1:
            return self._read_batch(ended=bar.n == 1)
        if bar.name in _STEPS:
            return self._read_steps(bar)
        return None

    def _read_outer(self, bar: Bar) -> Progress | None:
        expected = 0 if self._outer == UNNAMED else self._batches
        if bar.total != expected or bar.n > self._batches or not (self._open or bar.n == 0):
            return None
        self._open = True
        self._complete(bar.n)
        return self._end_of_batch() if bar.n == self._batches else self._position(0.0)

    def _read_batch(self, *, ended: bool) -> Progress | None:
        if ended and not self._batch_ended:
            self._complete(self._done + 1)
            self._batch_ended = True
            return self._end_of_batch()
        if not ended:
            self._batch_ended = False
        return None

    def _read_steps(self, bar: Bar) -> Progress | None:
        if not bar.total:  # img2img.py with no step to do
            return None
        ended = bar.n == bar.total
        if self._steps_ended and not ended:  # the next batch: the one before was saved
            self._complete(self._done + 1)
        self._steps_ended = ended
        return self._position(bar.percent / 100)

    def _complete(self, batches: int) -> None:
        if self._done < batches <= self._batches:
            self._done = batches
            self._steps_ended = False

    def _position(self, fraction: float) -> Progress | None:
        if self._done == self._batches:
            return None
        return Progress(self._done * self._batch_size + 1, fraction)

    def _end_of_batch(self) -> Progress:
        return Progress(self._done * self._batch_size, 1.0)
