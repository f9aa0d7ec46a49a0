"""`python -m benchmarks.interleave`: the PNGs of mixed jobs against those of the bare scripts.

Jobs of all types run one after the other on one server, some that fail or are cancelled among them.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum, unique
from pathlib import Path
from typing import Any

from benchmarks import chosen, document, jobs, report, uploads
from benchmarks.bare import Bare, ScriptFailedError
from benchmarks.client import Connection, LoadError, Request
from benchmarks.engine import AS_THE_SCRIPT, JOB_SECONDS
from benchmarks.servers import SDREST, Server, running, sdrest_program
from sdrest.engine.local.repository import Repository
from sdrest.job_types import JobType

_PAUSE = 0.05
_ORDER = 1  # the seed of the order of the jobs


@unique
class Outcome(StrEnum):
    """The intended outcome of a job."""

    MADE = "made"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A job's fields, the size of its uploads, and its intended outcome."""

    type: JobType
    values: Mapping[str, Any]
    size: uploads.Size = uploads.SIZE
    outcome: Outcome = Outcome.MADE

    def __str__(self) -> str:
        fields = " ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.type} {self.size[0]}x{self.size[1]} {fields} ({self.outcome})"


@dataclass(slots=True)
class Counts:
    """The number of jobs, and of those with the intended outcome, by outcome."""

    all: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    runners: set[int] = field(default_factory=set)

    def record(self, job: Job, *, right: bool) -> None:
        """Count a job."""
        what = (
            f"{job.type}: PNGs as the bare script's" if job.outcome is Outcome.MADE else job.outcome
        )
        self.all[what] += 1
        self.right[what] += right
        if not right:
            self.wrong.append(str(job))

    def render(self) -> str:
        """Return the table, and what was wrong."""
        lines = [
            (what, f"{self.right[what]} of {count}", verdict(self.right[what] == count))
            for what, count in sorted(self.all.items())
        ]
        wrong = "".join(f"- {job}\n" for job in self.wrong)
        return (
            f"{report.table(('What', 'as it should', ''), lines)}\n"
            f"Processes that ran them: {len(self.runners)}.\n{wrong and chr(10)}{wrong}"
        )


def verdict(good: bool) -> str:  # noqa: FBT001 (a word for a boolean)
    """Return in a word whether a row is as it should be."""
    return report.MET if good else report.MISSED


def plan() -> list[Job]:
    """Return the jobs, in an order that is always the same."""
    wanted = [*_texts(), *_images(), *_inpaintings(), *_troubles()]
    random.Random(_ORDER).shuffle(wanted)  # noqa: S311 (no secret)
    return wanted


def _text(prompt: str, seed: int, outcome: Outcome = Outcome.MADE, **values: Any) -> Job:
    usual = {"prompt": prompt, "seed": seed, "steps": 8, "width": 256, "height": 256}
    return Job(JobType.TEXT_TO_IMAGE, {**usual, **values}, outcome=outcome)


def _texts() -> Iterator[Job]:
    yield _text("A mountain", 1)
    yield _text("A boat", 2**32 - 1, width=384, steps=10)
    yield _text("", 0, height=320, steps=5)
    yield _text("A cat", 3, sampler="plms")
    yield _text("A lake 🌄", 4, sampler="plms", width=320, height=320, steps=20)
    yield _text("Two at once", 5, batchSize=2)
    yield _text("Three in turn", 6, iterations=3, steps=4)
    yield _text("Noise", 7, eta=0.7)


def _image(
    seed: int, size: uploads.Size = uploads.SIZE, outcome: Outcome = Outcome.MADE, **values: Any
) -> Job:
    usual = {"prompt": "A castle", "seed": seed, "steps": 8}
    return Job(JobType.IMAGE_TO_IMAGE, {**usual, **values}, size, outcome)


def _images() -> Iterator[Job]:
    yield _image(8)
    yield _image(9, (320, 256), strength=0.3, steps=10)
    yield _image(10, (256, 384), strength=1.0)
    yield _image(11, eta=0.5)
    yield _image(12, iterations=2, steps=5)
    yield _image(13, guidanceScale=1.0)


def _inpainting(
    seed: int, size: uploads.Size = uploads.SIZE, outcome: Outcome = Outcome.MADE, steps: int = 8
) -> Job:
    return Job(JobType.INPAINT_IMAGE, {"seed": seed, "steps": steps}, size, outcome)


def _inpaintings() -> Iterator[Job]:
    yield _inpainting(14)
    yield _inpainting(15, (320, 256), steps=10)
    yield _inpainting(16, (384, 320), steps=5)
    yield _inpainting(17, (300, 270))
    yield _inpainting(18, steps=20)
    yield _inpainting(2**32 - 1, steps=4)


def _troubles() -> Iterator[Job]:
    for seed in range(4):
        yield _text("Another model's checkpoint", seed, Outcome.FAILED)
    yield _text("Long", 1, Outcome.CANCELLED, steps=200)
    yield _text("Long", 2, Outcome.CANCELLED, steps=250, sampler="plms")
    yield _image(3, (512, 512), Outcome.CANCELLED, steps=200)
    yield _inpainting(4, (512, 512), Outcome.CANCELLED, steps=250)


def main() -> int:
    """Measure what the arguments ask for; exit with 1 if an outcome is wrong."""
    options = chosen.parser("benchmarks.interleave", __doc__).parse_args()
    wanted = plan()
    with chosen.chosen(options) as place:
        model = Model(place.folder / "model.ckpt", place.repository)
        repository = replace(place.repository, text_to_image_model=model.link)
        scene = replace(
            place.scene, engine=(*place.scene.engine, "--text-to-image-model", str(model.link))
        )
        program = sdrest_program("--keep-alive", "-1", *AS_THE_SCRIPT)
        with running(SDREST, scene, program, output=place.folder / "output") as server:
            tally = run(wanted, server, Bare(repository, place.folder), model)
    head = document.heading(options.name, f"{len(wanted)} jobs")
    document.publish(
        chosen.section("interleave", options), f"{head}\n\n{tally.render()}", dry=options.dry
    )
    return int(bool(tally.wrong))


class Model:
    """The text-to-image model, as a link that may lead to another one: then its jobs fail."""

    def __init__(self, link: Path, repository: Repository) -> None:
        self.link = link
        self._right = repository.text_to_image_model
        self._wrong = repository.inpaint_image_model
        link.symlink_to(self._right)

    @contextmanager
    def fitting(self, job: Job) -> Iterator[None]:
        """Point the link to the model that the job needs."""
        if job.outcome is not Outcome.FAILED:
            yield
            return
        self._lead_to(self._wrong)
        try:
            yield
        finally:
            self._lead_to(self._right)

    def _lead_to(self, target: Path) -> None:
        self.link.unlink()
        self.link.symlink_to(target)


def run(wanted: Sequence[Job], server: Server, bare: Bare, model: Model) -> Counts:
    """Run the jobs, one after the other, and compare what comes out."""
    tally = Counts()
    answers: list[list[bytes] | None] = []
    for job in wanted:
        with model.fitting(job):
            answers.append(_through(server, job))
        tally.runners |= {runner.pid for runner in server.runners()}
        document.log(f"{SDREST}: {job}")
    for job, answer in zip(wanted, answers, strict=True):
        with model.fitting(job):
            right = _is_right(job, answer, bare)
        tally.record(job, right=right)
        document.log(f"{'right' if right else 'WRONG'}: {job}")
    return tally


def _is_right(job: Job, answer: list[bytes] | None, bare: Bare) -> bool:
    """Tell whether a job on the server came to what it should, and to what the script comes to."""
    if job.outcome is Outcome.CANCELLED:
        return answer is None
    return answer == _expected(bare, job) and (answer is None) == (job.outcome is Outcome.FAILED)


def _expected(bare: Bare, job: Job) -> list[bytes] | None:
    try:
        return bare.run(job.type, job.values, job.size)[1]
    except ScriptFailedError:
        return None


def _through(server: Server, job: Job) -> list[bytes] | None:
    """Return the PNGs of a job on the server; None where it failed or was cancelled."""
    request = uploads.request(job.type, job.values, job.size)
    if job.outcome is Outcome.CANCELLED:
        return _cancelled(server, request)
    try:
        urls = jobs.complete(server.port, request, seconds=JOB_SECONDS, pause=_PAUSE)
    except jobs.BadEndError:
        return None
    return jobs.fetch(server.port, urls)


def _cancelled(server: Server, request: Request) -> list[bytes] | None:
    """Cancel a job amid its sampling; return None where that was so, else what it made."""
    path = jobs.submit(server.port, request)
    jobs.follow(server.port, path, _samples, seconds=JOB_SECONDS, pause=_PAUSE)
    with Connection(server.port) as connection:
        connection.ask(Request(f"{path}/cancel", b"{}", expect=200))
    try:
        jobs.follow(server.port, path, lambda _: False, seconds=1)
    except jobs.BadEndError:
        return None
    except LoadError:
        return []
    return []


def _samples(state: dict[str, Any]) -> bool:
    progress = state.get("progress")
    return state["status"] == "COMPLETE" or bool(progress and progress["currentImageProgress"] > 0)


if __name__ == "__main__":
    sys.exit(main())
