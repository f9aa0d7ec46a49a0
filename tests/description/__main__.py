"""`make schemathesis`: let it look for what the server does not keep, for minutes."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.description.run import FLAGS, TOKEN, examine
from tests.support.server import running


async def _examine(seconds: int, seed: int | None) -> list[str]:
    """Let it ask two servers, one without a token and one with; return both reports."""
    reports = []
    for token in ("", TOKEN):
        with tempfile.TemporaryDirectory(prefix="sdrest-schemathesis-") as name:
            folder = Path(name)
            flags = ["--max-time", str(seconds // 2)]
            if seed is not None:
                flags += ["--seed", str(seed)]
            env = {"SDREST_TOKEN": token} if token else {}
            async with running(folder, folder / "none", *FLAGS, env=env) as server:
                reports.append(await examine(server, *flags, token=token))
        print(reports[-1], flush=True)  # noqa: T201 (a program)
    return reports


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.description", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    reports = asyncio.run(_examine(options.seconds, options.seed))
    return int(not all(report.endswith("\nok") for report in reports))


if __name__ == "__main__":
    raise SystemExit(main())
