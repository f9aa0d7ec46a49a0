"""The long form: `python -m tests.fuzz [COUNT] [SEED]`; both are printed."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.fuzz.bad import TOKEN
from tests.fuzz.honest import FLAGS, complete_a_job
from tests.fuzz.run import fuzz
from tests.support.server import running

_COUNT = 20_000
_MOST_GROWTH = 16 * 1024 * 1024


async def _main(count: int, seed: int) -> int:
    print(f"{count} bad requests, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running(folder, folder / "none", *FLAGS, env={"SDREST_TOKEN": TOKEN}) as server:
            begun = time.monotonic()
            report = await fuzz(server, seed=seed, count=count)
            took = time.monotonic() - begun
            await complete_a_job(server)
            open_files = psutil.Process(server.process.pid).num_fds()
    print(f"{took:.0f} s; kinds {dict(report.kinds)}; answers {dict(report.statuses)}")
    print(f"memory {report.memory[0] >> 20} MB at first, {report.memory[-1] >> 20} MB at the end,")
    print(
        f"grown by {report.grown / 2**20:.1f} MB in the last four fifths; {open_files} descriptors"
    )
    print(f"memory over time, in MB: {[size >> 20 for size in report.memory]}")
    for text in report.wrong:
        print(text)
    print("An honest job completed afterwards.")
    return int(bool(report.wrong) or report.grown > _MOST_GROWTH)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    chosen = words[1] if len(words) > 1 else time.time_ns() % 2**32
    sys.exit(asyncio.run(_main(words[0] if words else _COUNT, chosen)))
