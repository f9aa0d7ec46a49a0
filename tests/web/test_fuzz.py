"""The short form of the fuzzer (`make fuzz` is the long one)."""

import os

import pytest

from tests.fuzz.bad import TOKEN
from tests.fuzz.honest import FLAGS, complete_a_job
from tests.fuzz.run import fuzz
from tests.support.server import Serve

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COUNT = 1500


async def test_fuzzed_requests_never_get_5xx_and_the_server_works_afterwards(
    serve: Serve,
) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")  # noqa: T201 (shown where it fails)
    async with serve(*FLAGS, env={"SDREST_TOKEN": TOKEN}) as server:
        report = await fuzz(server, seed=seed, count=COUNT)
        assert report.wrong == [], f"seed {seed}"
        await complete_a_job(server)
        assert report.kinds.total() == COUNT
        assert report.kinds["words"] >= 150
        spool = server.folder / "output" / ".sdrest" / "spool"
        assert [path for path in spool.rglob("*") if path.is_file()] == []
        assert {"400", "401", "404", "405", "415", "422"} <= report.statuses.keys()
