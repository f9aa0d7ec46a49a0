"""Which worker gets a job."""

from typing import Any

import pytest

from sdrest.engine.base import Need
from sdrest.engine.cluster.assignment import Place, choose, conflicts, needs_of, ready, usable
from sdrest.engine.workers import Offer, OfferedModel
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType

TEXT = JobType.TEXT_TO_IMAGE
NO_SCRIPT = {TEXT: Failure(FailureCode.SCRIPT_MISSING, "There is none.")}


def model(file: str, *, size: int = 1, digest: str = "", default: bool = False) -> OfferedModel:
    return OfferedModel(
        file, file, size, "text-to-image", digest, (TEXT,), (TEXT,) if default else ()
    )


def place(key: str, *models: OfferedModel, capacity: int = 1, **more: Any) -> Place:
    of_offer = {name: more.pop(name) for name in ("problems", "bundled") if name in more}
    offer = Offer(key, capacity, "cpu", 1, models, **of_offer)
    return Place(key, offer, needs_of(offer), **more)


A, B = model("a.ckpt"), model("b.ckpt")
DEFAULT = model("d.ckpt", default=True)


@pytest.mark.parametrize(
    ("places", "need", "chosen"),
    [
        ([place("one", A), place("two", B)], Need(TEXT, "b.ckpt"), "two"),
        ([place("one", A), place("two", A)], Need(TEXT, "b.ckpt"), None),
        ([place("one", A)], Need(JobType.INPAINT_IMAGE, "a.ckpt"), None),
        ([place("one", problems=NO_SCRIPT), place("two")], Need(TEXT), "two"),
        ([place("one", A), place("two", A, loaded=["a.ckpt"])], Need(TEXT, "a.ckpt"), "two"),
        ([place("one", DEFAULT), place("two", DEFAULT, loaded=["d.ckpt"])], Need(TEXT), "two"),
        ([place("one", A), place("two", A, loaded=["b.ckpt"])], Need(TEXT, "a.ckpt"), "one"),
        ([place("one", capacity=2, running=1), place("two")], Need(TEXT), "two"),
        ([place("one", capacity=4, running=1), place("two", capacity=2, running=1)], Need(TEXT),
         "one"),
        ([place("one", loaded=["a.ckpt"], running=1), place("two")], Need(TEXT), "two"),
        ([place("one", draining=True)], Need(TEXT), None),
        ([place("one", running=1)], Need(TEXT), None),
    ],
)  # fmt: skip
def test_a_job_goes_to_a_machine_that_has_its_checkpoint_preferably_loaded_then_the_least_busy(
    places: list[Place], need: Need, chosen: str | None
) -> None:
    found = choose(places, need)
    assert (found and found.key) == chosen


def test_what_can_run_at_once_does_without_the_places_of_claimed_jobs() -> None:
    places = [place("one", A), place("two", A, B)]
    everything = {Need(kind) for kind in JobType} | {Need(TEXT, "a.ckpt"), Need(TEXT, "b.ckpt")}
    assert ready(places, []) == everything
    assert ready(places, [Need(TEXT, "b.ckpt")]) == everything - {Need(TEXT, "b.ckpt")}
    assert ready(places, [Need(TEXT)] * 2) == set()
    assert ready([place("one", problems=NO_SCRIPT)], []) == {
        Need(kind) for kind in JobType if kind is not TEXT
    }


def test_a_job_that_is_to_run_alone_gets_the_next_machine_that_runs_nothing() -> None:
    busy, idle = place("busy", capacity=4, running=1), place("idle")
    assert choose([busy], Need(TEXT), alone=True) is None
    assert choose([busy, idle], Need(TEXT), alone=True) == idle
    assert ready([busy], [], alone=[Need(TEXT)]) == set()
    assert ready([busy, place("full", running=1)], [], alone=[Need(TEXT)]) == set()
    assert Need(TEXT) in ready([busy, idle], [], alone=[Need(TEXT)])
    assert Need(TEXT) in ready([busy], [], alone=[Need(TEXT, "a.ckpt")])


def test_the_bundled_engine_is_used_only_where_it_is_alone() -> None:
    drawn, real = place("drawn", bundled=True), place("real")
    assert usable([drawn]) == [drawn]
    assert usable([drawn, real]) == [real]


def test_other_files_under_one_name_are_found_by_size_and_by_known_hash() -> None:
    def found(*models: OfferedModel) -> object:
        names = ("one", "two", "six")
        return conflicts(
            Offer(name, 1, "cpu", 1, (one,)) for name, one in zip(names, models, strict=False)
        )

    same = model("a", digest="1"), model("a")
    assert found(*same) == {}
    assert found(*same, model("a", size=2)) == {"a": ["one", "six", "two"]}
    assert found(*same, model("a", digest="2")) == {"a": ["one", "six", "two"]}
    other = model("b", digest="2", default=True)
    assert found(model("a", digest="1", default=True), other) == {
        "the default for text-to-image": ["one", "two"]
    }
