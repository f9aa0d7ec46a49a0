"""The server's event loop, with and without uvloop."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

PROGRAM = """
import asyncio, sys
if {missing}:
    sys.modules["uvloop"] = None  # as if it were not installed
from sdrest.commands.loop import loop_factory
async def name():
    return type(asyncio.get_running_loop()).__module__.split(".")[0]
with asyncio.Runner(loop_factory=loop_factory()) as runner:
    print(runner.run(name()))
"""


@pytest.mark.parametrize(("missing", "name"), [(False, "uvloop"), (True, "asyncio")])
def test_uvloop_runs_the_server_where_it_is_installed(missing: bool, name: str) -> None:
    program = PROGRAM.format(missing=missing)

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (said.stdout.strip(), said.stderr) == (name, "")
