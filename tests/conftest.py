"""What all tests share."""

import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from sdrest.commands.certificate import self_signed
from sdrest.commands.certificate.files import HOSTS
from tests.fakes.running import Lifeline
from tests.support.page import chromium
from tests.support.server import Serve, starter


def pytest_configure() -> None:
    """Let Python keep what it compiles, whatever the environment says: thousands of them start."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """Keep what is loaded out of garbage collections, which runners in this process force."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_flags_of_the_developer() -> None:
    for name in [name for name in os.environ if name.startswith("SDREST_")]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _coverage() -> str | None:
    """Measure the processes of pytest alone: it would be a third of the time of all others.

    Return what makes coverage measure a process.
    """
    return os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.fixture
def measured(_coverage: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let coverage measure the processes that a test starts: for code that runs nowhere else."""
    if _coverage:
        monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", _coverage)


@pytest.fixture(scope="session", autouse=True)
def _interrupts_as_in_a_terminal() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for this machine."""
    folder = tmp_path_factory.mktemp("certificate")
    self_signed.write(folder / "cert.pem", folder / "key.pem", hosts=HOSTS)
    return folder


@pytest.fixture
def serve(tmp_path: Path, certificate: Path) -> Serve:
    """Start real servers: `async with serve("--no-cors") as server`.

    Each runs in `tmp_path` (or `folder`) on a free port, with the certificate of the session, and
    with the bundled engine unless `--repository` is among the flags.
    """
    return starter(tmp_path, certificate)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real browser, started once; each test opens a context of its own."""
    async with chromium() as started:
        yield started


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    """A pipe that shows which processes of the fake fork live."""
    line = Lifeline(tmp_path / "lifeline")
    yield line
    line.close()
