"""`make chaos`: kill and stop the server a hundred times and look what is left."""

import argparse
import asyncio
import secrets
import signal
import tempfile
from pathlib import Path

from tests.chaos.chaos import Chaos


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.kills} kills ...", flush=True)  # noqa: T201 (a program)
    # A server respects signals that are ignored, as under nohup and after `&` in a script.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(prefix="sdrest-chaos-") as folder:
        chaos = Chaos(Path(folder), options.seed)
        print(asyncio.run(chaos.run(kills=options.kills)))  # noqa: T201 (a program)


if __name__ == "__main__":
    main()
