import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest.engine.base import Progress
from sdrest.engine.local.progress import SAMPLING, UNNAMED, BarReader, ProgressParser
from sdrest.execution import ForwardOnly
from sdrest.sampling_steps import sampled_steps
from tests.support.paths import DATA

CAPTURES = DATA / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.jsonl"))

# Runs that end well without the images that the bars speak of.
WITHOUT_FILES = {"t2i_skip_save"}


@dataclass(frozen=True)
class Capture:
    lines: list[dict[str, Any]]

    @property
    def chunks(self) -> list[tuple[bytes, dict[str, str]]]:
        """The reads of stderr, each with the state of the files when it was done."""
        return [
            (line["data"].encode("latin-1"), line.get("files", {}))
            for line in self.lines
            if line.get("stream") == "stderr" and "data" in line
        ]

    @property
    def stderr(self) -> bytes:
        return b"".join(data for data, _ in self.chunks)

    @property
    def succeeded(self) -> bool:
        return bool(self.lines[-1]["exit"] == 0)

    def option(self, *names: str, default: float) -> float:
        argv = self.lines[0]["argv"]
        found = [argv[argv.index(name) + 1] for name in names if name in argv]
        return float(found[0]) if found else default

    @property
    def script(self) -> str:
        return Path(self.lines[0]["argv"][1]).name

    @property
    def batches(self) -> int:
        if self.script == "inpaint.py":
            stdout = "".join(line["data"] for line in self.lines if line.get("stream") == "stdout"
                             and "data" in line)  # fmt: skip
            return int(stdout.partition("Found ")[2].partition(" ")[0] or 0)
        return int(self.option("--n_iter", "--iterations", default=1))

    @property
    def batch_size(self) -> int:
        default = 2 if self.script == "img2img.py" else 1
        return int(self.option("--n_samples", "--batch_size", default=default))

    @property
    def steps(self) -> int:
        """What the bar of the steps must have as its total."""
        asked = int(self.option("--ddim_steps", "--steps", default=50))
        if self.script in {"img2img.py", "image-to-image.py"}:
            return int(self.option("--strength", default=0.75) * asked)
        return sampled_steps(asked)

    @property
    def images(self) -> set[str]:
        """The images that this run made, as the folder was seen."""
        made = {line["png"] for line in self.lines if line.get("state") in {"empty", "partial"}}
        made |= {line["png"] for line in self.lines if line.get("state") == "complete"} - {
            line["png"] for line in self.lines if line.get("state") == "complete" and line["t"] < 1
        }
        return {name for name in made if not name.startswith("grid")}

    def parser(self) -> ProgressParser:
        return ProgressParser(
            batches=self.batches,
            batch_size=self.batch_size,
            outer=UNNAMED if self.script == "inpaint.py" else SAMPLING,
        )


@cache
def load(name: str) -> Capture:
    text = (CAPTURES / f"{name}.jsonl").read_text()
    return Capture([json.loads(line) for line in text.splitlines()])


def written(parser: ProgressParser) -> int:
    """Return how many images are certainly complete, by what the bars show."""
    return parser._done * parser._batch_size


def feed(parser: ProgressParser, pieces: Iterable[bytes]) -> tuple[list[Progress], int]:
    order = ForwardOnly()
    found = [position for piece in pieces for position in parser.feed(piece)]
    return [position for position in found if order.passes(position)], written(parser)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def test_there_are_captures_of_all_scripts() -> None:
    scripts = {load(name).script for name in NAMES}
    assert {"txt2img.py", "img2img.py", "inpaint.py"} < scripts
    assert len(NAMES) > 100


@pytest.mark.parametrize("name", NAMES)
def test_totals_of_a_capture(name: str) -> None:
    capture = load(name)
    bars = list(BarReader().feed(capture.stderr))
    outer = {bar.total for bar in bars if bar.name == SAMPLING and bar.total}
    steps = {bar.total for bar in bars if bar.name not in {SAMPLING, UNNAMED, "data"} and bar.total}
    assert outer <= {capture.batches}
    assert not steps or steps == {capture.steps}
    if capture.succeeded and capture.images:
        assert steps == ({capture.steps} - {0})
        assert outer or capture.script == "inpaint.py"


@pytest.mark.parametrize("name", NAMES)
def test_progress_of_a_capture(name: str) -> None:
    capture = load(name)
    parser = capture.parser()
    positions: list[Progress] = []
    order = ForwardOnly()
    for data, files in capture.chunks:
        positions += filter(order.passes, parser.feed(data))
        complete = sum(state == "complete" for state in files.values())
        if files:  # nothing is promised that was not there already
            assert written(parser) <= complete
    keys = [(position.index, position.fraction) for position in positions]
    assert keys == sorted(set(keys))
    total = capture.batches * capture.batch_size
    assert all(1 <= index <= total for index, _ in keys)
    if capture.succeeded and name not in WITHOUT_FILES:
        assert written(parser) == len(capture.images)
    if capture.succeeded and capture.images:
        assert keys[0] == (1, 0.0)
        assert keys[-1] == (total, 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_byte_by_byte(name: str) -> None:
    capture = load(name)
    data = capture.stderr
    bytes_ = (data[i : i + 1] for i in range(len(data)))
    assert feed(capture.parser(), bytes_) == feed(capture.parser(), [data])


@given(st.data())
def test_a_capture_in_any_pieces(data: st.DataObject) -> None:
    capture = load(data.draw(st.sampled_from(NAMES)))
    stderr = capture.stderr
    places = data.draw(st.lists(st.integers(0, len(stderr)), max_size=60))
    assert feed(capture.parser(), cut(stderr, places)) == feed(capture.parser(), [stderr])


FRAGMENTS = [
    *(b"\r", b"\n", b"\x1b[A", b"|", b" ", b"\xe2\x96\x88", b"\x96", b"data", b"x" * 5000),
    b"\rSampling:   0%|          | 0/3 [",
    b"\rSampling:  33%|###3      | 1/3 [",
    b"\rSampling: 100%|##########| 3/3 [",
    b"\rdata:   0%|          | 0/1 [",
    b"\rdata: 100%|##########| 1/1 [",
    b"\rDDIM Sampler:   0%|          | 0/8 [",
    b"\rDDIM Sampler:  50%|#####     | 4/8 [",
    b"\rDDIM Sampler: 100%|##########| 8/8 [",
]


@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=40).map(b"".join),
    st.lists(st.integers(0, 10_000)),
)
def test_any_bytes_in_any_pieces(stderr: bytes, places: list[int]) -> None:
    whole = feed(ProgressParser(batches=3), [stderr])
    pieces = cut(stderr, [place for place in places if place <= len(stderr)])
    assert feed(ProgressParser(batches=3), pieces) == whole
    reader = BarReader()
    bars = [bar for piece in pieces for bar in reader.feed(piece)]
    assert bars == list(BarReader().feed(stderr))
    keys = [(position.index, position.fraction) for position in whole[0]]
    assert keys == sorted(set(keys))
    assert all(1 <= index <= 3 and 0 <= fraction <= 1 for index, fraction in keys)
    assert 0 <= whole[1] <= 3


def test_a_batch_counts_as_its_first_image_until_it_is_done() -> None:
    positions, written = feed(load("t2i_b2n2").parser(), [load("t2i_b2n2").stderr])
    assert [p for p in positions if p.fraction in {0, 1}] == [
        *(Progress(1, 0.0), Progress(1, 1.0), Progress(2, 1.0)),
        *(Progress(3, 0.0), Progress(3, 1.0), Progress(4, 1.0)),
    ]
    assert written == 4


def test_the_fraction_is_the_percentage_that_tqdm_prints() -> None:
    capture = load("t2i_b2n2")
    positions = feed(capture.parser(), [capture.stderr])[0]
    assert [p.fraction for p in positions if p.index == 1] == [
        *(0.0, 0.12, 0.25, 0.38, 0.5, 0.62, 0.75, 0.88, 1.0)
    ]


def test_a_position_is_reported_as_soon_as_its_numbers_are_there() -> None:
    parser = ProgressParser(batches=1)
    assert parser.feed(b"\rSampling:   0%|          | 0/1 [") == [Progress(1, 0.0)]
    assert parser.feed(b"\n\n\rDDIM Sampler:  25%|##5       | 2/8") == []
    assert parser.feed(b" [") == [Progress(1, 0.25)]


OPENED = b"\rSampling:   0%|          | 0/2 [00:00<?, ?it/s]"


@pytest.mark.parametrize(
    "text",
    [
        b"truncated: DDIM Sampler:  50%|#####     | 4/8 [00:00<00:00]",  # not at a line's start
        b"\rDDIM Sampler:  51%|#####     | 4/8 [00:00<00:00]",  # a wrong percentage
        b"\rDDIM Sampler: 100%|##########| 9/8 [00:00<00:00]",  # beyond its total
        b"\rDDIM Sampler:   0%|          | 0/0 [00:00<00:00]",
        b"\rSampling:  50%|#####     | 3/6 [00:00<00:00]",  # another total than the job's
        b"\rSampling: 3it [00:00, ?it/s]",
        b"\rdata:  50%|#####     | 1/2 [00:00<00:00]",
        b"\rdata: 4it [00:00, ?it/s]",
        b"\r3it [00:00, ?it/s]",  # the outer bar of another script
        b"\rDownloading:  50%|#####     | 1/2 [00:00<00:00]",
        b"\rDownloading:  50%|#####     | 335M/670M [00:00<00:00]",
        b"\r 50%|#####     | 1/2 [00:00<00:00]",
        b"\rDDIM Sampler:  50%|##\n##| 4/8 [00:00<00:00]",
        b"\rDDIM Sampler:  50%|" + b"#" * 5000 + b"| 4/8 [00:00<00:00]",
    ],
)
def test_what_is_no_bar_of_the_job_moves_nothing(text: bytes) -> None:
    parser = ProgressParser(batches=2)
    parser.feed(OPENED)
    assert parser.feed(text) == []
    assert written(parser) == 0


def test_bars_before_the_outer_one_count_for_nothing() -> None:
    parser = ProgressParser(batches=2)
    assert parser.feed(b"\rDDIM Sampler:  50%|#####     | 4/8 [") == []
    assert parser.feed(b"\rdata: 100%|##########| 1/1 [") == []
    assert parser.feed(b"\rSampling:  50%|#####     | 1/2 [") == []
    assert written(parser) == 0


def test_an_outer_tick_that_tqdm_skips_is_seen_by_the_next_batch() -> None:
    parser = ProgressParser(batches=2)
    parser.feed(OPENED + b"\rDDIM Sampler: 100%|##########| 8/8 [")
    assert parser.feed(b"\rDDIM Sampler:   0%|          | 0/8 [") == [Progress(2, 0.0)]
    assert written(parser) == 1


def test_nothing_moves_after_the_last_batch() -> None:
    parser = ProgressParser(batches=1)
    parser.feed(b"\rSampling:   0%|          | 0/1 [\rdata: 100%|##########| 1/1 [")
    assert parser.feed(b"\rDDIM Sampler:  50%|#####     | 4/8 [") == []
    assert written(parser) == 1


def test_a_drawing_is_read_once() -> None:
    reader = BarReader()
    assert len(list(reader.feed(b"\rdata:   0%|          | 0/1 ["))) == 1
    assert not list(reader.feed(b"00:00<?, ?it/s]"))


def test_memory_stays_bounded_without_any_line_end() -> None:
    reader = BarReader()
    assert not list(reader.feed(b"\rDDIM Sampler:  50%|"))
    for _ in range(100):
        assert not list(reader.feed(b"x" * 1000))
        assert len(reader._rest) < 5000
