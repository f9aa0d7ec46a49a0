"""The short form of the fuzzer (`make fuzz` is the long one)."""

import asyncio
import os

import pytest

from tests.fuzz.bad import TOKEN
from tests.fuzz.honest import FLAGS, complete_a_job
from tests.fuzz.run import fuzz
from tests.support.server import PATIENCE, Serve

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
        async with asyncio.timeout(PATIENCE):
            while any(spool.iterdir()):  # noqa: ASYNC110 (the file system tells of no event)
                await asyncio.sleep(0.01)  # of a client that left in mid-upload
        assert {"400", "401", "404", "405", "415", "422"} <= report.statuses.keys()
