import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from distributed import Worker

from sdrest.commands.doctor.command import checks
from sdrest.commands.doctor.findings import Verdict, results
from sdrest.commands.doctor.worker_checks import WorkerChecks
from sdrest.engine.cluster import library
from sdrest.engine.cluster.protocol import versions
from sdrest.settings import Settings
from tests.support.ports import free_port
from tests.support.workers import running_scheduler

pytestmark = pytest.mark.integration


def test_a_worker_needs_no_port_and_no_certificate() -> None:
    names = [check.name for check in checks(Settings(), worker="tls://front")]
    assert {"imports", "memory", "credentials", "connection"} < set(names)
    assert not {"port", "certificate", "output", "job table"} & set(names)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (versions(), {"answers", "reaches this machine", "Both have sdrest"}),
        ({**versions(), "python": "3.8"}, {"answers", "the front has 3.8"}),
    ],
)
async def test_a_server_is_asked_as_a_worker_would(
    server: Mapping[str, str], said: set[str]
) -> None:
    async with running_scheduler() as scheduler:
        scheduler.handlers["sdrest_versions"] = lambda: server
        found = await asyncio.to_thread(_connection, scheduler.address)
    assert [text for text in said if text not in " ".join(found.values())] == []
    assert (Verdict.FAILURE in found) == (server != versions())


async def test_the_port_of_the_worker_is_the_one_that_is_tried() -> None:
    free = free_port()
    async with running_scheduler() as scheduler:
        said = await asyncio.to_thread(_connection, scheduler.address, worker_port=free)
        assert f"at tcp://127.0.0.1:{free}" in said[Verdict.OK]
        async with Worker(
            scheduler.address,
            nthreads=1,
            memory_limit=0,
            dashboard_address=library.HTTP_ADDRESS,
        ) as running:  # as where the worker runs already
            port = int(running.address.rpartition(":")[2])
            said = await asyncio.to_thread(_connection, scheduler.address, worker_port=port)
            assert f"It reaches this machine at {running.address}" in said[Verdict.OK]
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            said = await asyncio.to_thread(_connection, scheduler.address, worker_port=port)
            assert "does not reach" in said[Verdict.FAILURE]


def test_what_prevents_a_connection_is_said(tmp_path: Path) -> None:
    with socket.socket() as bound:  # it does not listen
        bound.bind(("127.0.0.1", 0))
        found = _connection(f"tcp://127.0.0.1:{bound.getsockname()[1]}")
    assert "no server listens there" in found[Verdict.FAILURE]
    assert "without TLS" in _connection("tcp://10.0.0.5:8786")[Verdict.FAILURE]
    lacking = WorkerChecks(Settings(cluster_credentials=str(tmp_path / "none.pem")), "front")
    (finding,) = lacking.credentials()
    assert "there is none" in finding.message


def _connection(address: str, **flags: Any) -> dict[Verdict, str]:
    """Return what the doctor says of a connection, by its verdicts."""
    given = Settings(**flags)
    (check,) = (one for one in checks(given, worker=address) if one.name == "connection")
    found: dict[Verdict, str] = {}
    for result in results(check):
        text = f"{result.finding.message} {result.finding.remedy}"
        found[result.finding.verdict] = f"{found.get(result.finding.verdict, '')} {text}"
    return found
