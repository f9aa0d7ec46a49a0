from collections.abc import Mapping, Sequence

import pytest

from benchmarks import report
from benchmarks.rows import KNOWN, NEW, STATUS, Row
from benchmarks.stats import Better, Goal


def comparison(figures: Mapping[Row, Mapping[str, Sequence[float]]]) -> str:
    return report.comparison(figures, theirs="original")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_line_shows_medians_each_ratio_and_the_verdict() -> None:
    row = Row("GET status", "/s", Goal(Better.HIGHER, 2), 16)
    figures = {row: {"original": [1000.0, 2000.0, 1000.0], "sdrest": [2500.0, 4400.0, 1900.0]}}
    head, _, line = comparison(figures).splitlines()
    assert len(head) == len(line)
    assert cells(head)[:4] == ["What", "connections", "original", "sdrest"]
    assert cells(line) == [
        "GET status", "16", "1,000 /s", "2,500 /s", "2.20 x (2.50, 2.20, 1.90)", "≥ 2 x", "met",
    ]  # fmt: skip


def test_an_absolute_goal_is_about_the_figure_of_sdrest() -> None:
    row = Row("p99", "ms", Goal(Better.LOWER, 20, "ms"))
    assert "**missed**" in comparison({row: {"original": [1.0], "sdrest": [20.1]}})
    assert "| met" in comparison({row: {"original": [1.0], "sdrest": [19.9]}})


def test_without_the_original_there_is_neither_ratio_nor_verdict() -> None:
    row = Row("GET", "/s", Goal(Better.HIGHER, 2))
    line = comparison({row: {"sdrest": [5.0]}}).splitlines()[2]
    assert cells(line) == ["GET", "", "", "5.00 /s", "", "≥ 2 x", ""]


def test_a_row_without_goal_has_no_verdict() -> None:
    line = comparison({Row("p50", "ms"): {"original": [1.0], "sdrest": [2.0]}})
    assert "met" not in line
    assert "missed" not in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (3349.6, "3,350"),
        (100, "100"),
        (64.23, "64.2"),
        (1.005, "1.00"),
        (0.21449, "0.214"),
    ],
)
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert report.number(value) == text


def test_a_section_is_replaced_and_prose_stays() -> None:
    document = "Before.\n<!-- a -->\nold\n<!-- /a -->\nBetween.\n<!-- b -->\n<!-- /b -->\nAfter.\n"
    once = report.replace(document, "a", "| new |\n")
    assert once == document.replace("old\n", "\n| new |\n\n")
    assert report.replace(once, "a", "| new |\n") == once


@pytest.mark.parametrize("document", ["", "<!-- a -->\n", "<!-- /a -->\n<!-- a -->\n"])
def test_a_document_without_the_section_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="no section a"):
        report.replace(document, "a", "new")


def test_a_goal_may_be_that_of_one_number_of_connections() -> None:
    assert str(STATUS.rate(64).goal) == "≥ 1 x"
    assert str(NEW.rate(16).goal) == "≥ 0.6 x"
    assert NEW.rate(64).goal is None


def test_p99_has_a_goal_where_the_original_answers_the_same() -> None:
    assert str(STATUS.latency(99, 1).goal) == "≤ 1 x"
    assert str(KNOWN.latency(99, 1).goal) == "≤ 1 x"
    assert STATUS.latency(50, 1).goal is None
    assert NEW.latency(99, 1).goal is None
