"""The short form of `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.chaos import Chaos


@pytest.mark.timeout(300)
async def test_nothing_is_lost_in_chaos(tmp_path: Path) -> None:
    report = await Chaos(tmp_path, seed=5).run(kills=5, new_jobs=2)
    print(report)  # noqa: T201 (seen where the test fails)
    assert report.kills == 5
