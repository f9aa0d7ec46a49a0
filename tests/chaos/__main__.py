"""`make chaos`: kill and stop the server a hundred times and look what is left.

With `--cluster` so many faults befall a server and three workers (Linux, as root).
"""

import argparse
import asyncio
import secrets
import signal
import tempfile
from pathlib import Path

from tests.chaos.chaos import Chaos
from tests.chaos.cluster import ClusterChaos
from tests.support.hosts import hosts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--cluster", action="store_true", help="let workers run the jobs")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.kills} kills ...", flush=True)  # noqa: T201 (a program)
    # A server respects signals that are ignored, as under nohup and after `&` in a script.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(prefix="sdrest-chaos-") as folder:
        run = _cluster if options.cluster else _server
        print(asyncio.run(run(Path(folder), options)))  # noqa: T201 (a program)


async def _server(folder: Path, options: argparse.Namespace) -> object:
    return await Chaos(folder, options.seed).run(kills=options.kills)


async def _cluster(folder: Path, options: argparse.Namespace) -> object:
    with hosts(3) as places:
        return await ClusterChaos(folder, options.seed, places).run_faults(options.kills)


if __name__ == "__main__":
    main()
