from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bars import delays
from benchmarks.stats import Better, Goal, percentile, ratio

figures = st.lists(st.floats(min_value=0, max_value=1e9), min_size=1)


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_a_percentile_is_the_value_of_its_rank(percent: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), percent) == expected


@given(figures, st.floats(min_value=0, max_value=100))
def test_a_percentile_has_so_many_values_at_or_below_it(
    values: list[float], percent: float
) -> None:
    bound = percentile(values, percent)
    assert bound in values
    assert sum(value <= bound for value in values) >= percent / 100 * len(values)


def test_a_percentile_needs_a_value() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("better", "value", "met"),
    [
        (Better.HIGHER, 2.0, True),
        (Better.HIGHER, 1.99, False),
        (Better.LOWER, 2.0, True),
        (Better.LOWER, 2.01, False),
    ],
)
def test_a_goal_is_met_up_to_its_bound(better: Better, value: float, met: bool) -> None:
    assert Goal(better, 2).met(value) is met


def test_a_goal_reads_as_in_the_table() -> None:
    assert str(Goal(Better.HIGHER, 1.2)) == "≥ 1.2 x"
    assert str(Goal(Better.LOWER, 20, "ms")) == "≤ 20 ms"


@given(figures, st.floats(min_value=0.1, max_value=10))
def test_a_ratio_leaves_drift_of_the_machine_alone(theirs: list[float], factor: float) -> None:
    theirs = [value + 1 for value in theirs]
    assert ratio([value * factor for value in theirs], theirs) == pytest.approx(factor)


def test_a_ratio_is_the_median_of_rounds() -> None:
    assert ratio([2, 30, 3], [1, 1, 1]) == median([2, 30, 3])


def test_rounds_of_both_are_needed_for_a_ratio() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratio([1], [1, 2])


def test_a_bar_is_seen_when_it_or_a_later_one_is() -> None:
    drawn = [(1, 1, 10.0), (1, 2, 11.0), (1, 99, 12.0), (2, 1, 13.0)]
    seen = [(1, 0, 9.0), (1, 1, 10.5), (1, 99, 12.25), (2, 0, 12.5), (3, 0, 14.0)]
    assert delays(drawn, seen) == [0.5, 1.25, 0.25, 1.0]
