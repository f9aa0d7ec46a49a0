"""Most of this code runs in workers."""

import pytest


@pytest.fixture(autouse=True)
def _workers_are_measured(measured: None) -> None:
    """Let coverage measure the workers that a test starts."""
