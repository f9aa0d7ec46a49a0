"""The README's table of faults names tests that there are."""

import re

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.integration


_TABLE = re.search(
    r"<!-- faults -->\n(.*?)<!-- end -->", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
)
ROWS = _TABLE[1].splitlines()[2:] if _TABLE else []
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}


def test_the_readme_has_a_table_of_faults() -> None:
    assert len(ROWS) > 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_each_fault_names_existing_tests(row: str) -> None:
    named = re.findall(r"`(test_\w+)`", row)
    assert named
    assert set(named) <= TESTS
