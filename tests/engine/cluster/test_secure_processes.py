"""A real server and real workers: TLS on every connection, and nothing open without it."""

import asyncio
import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from sdrest.commands.cluster.credentials import make
from tests.support.cluster import FRONT, cluster_address, worker, workers
from tests.support.in_process import run_here
from tests.support.server import PATIENCE, Serve, Server, environment

pytestmark = pytest.mark.integration


async def metrics(server: Server) -> str:
    async with server.client() as client, client.get("/metrics") as answer:
        return await answer.text()


def listening(pid: int) -> list[str]:
    """Return the addresses on which a process listens."""
    found = psutil.Process(pid).net_connections(kind="tcp")
    return [one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN]


async def refuses(address: str) -> None:
    """Check that a port of the cluster has nothing for clients without a certificate."""
    parts = urlsplit(address)
    anyone = ssl._create_unverified_context()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=anyone)
    with pytest.raises(ssl.SSLError, match="certificate required"):
        await reader.read()
    writer.transport.abort()


async def test_only_workers_of_this_cluster_connect(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    front, own = make(tmp_path)
    _, foreign = make(tmp_path / "elsewhere")
    flags = ("--cluster", "tls://127.0.0.1:0", "--cluster-credentials", str(front))
    async with serve(*flags, "--concurrency", "0", warns=True) as server:
        assert await workers(server) == []
        address = await cluster_address(server)
        assert address.startswith("tls://")
        async with (
            worker(address, "own", "--cluster-credentials", str(own), folder=tmp_path) as mine,
            worker(address, "foreign", "--cluster-credentials", str(foreign), folder=tmp_path) as b,
        ):
            await mine.out.line("Connected to")
            await b.err.line("files of another cluster, or another program listens there.")
            async with asyncio.timeout(PATIENCE):
                found = await workers(server)
                while [(one["state"], one["accelerator"]) for one in found] != [("ready", "cpu")]:
                    await asyncio.sleep(0.1)
                    found = await workers(server)
            [shown] = found
            assert (shown["name"], shown["capacity"]) == ("own", 1)
            assert shown["address"].startswith("tls://")
            await refuses(shown["address"])
            await refuses(address)
            assert shown["version"]
            assert 'sdrest_worker_capacity{worker="own"} 1.0' in await metrics(server)


async def test_without_tls_nothing_listens_beyond_this_machine(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(*FRONT, warns=True) as server:
        address = await cluster_address(server)
        async with worker(address, "own", folder=tmp_path) as mine:
            await mine.out.line("Connected to")
            for process in (server.process, mine.process):
                addresses = listening(process.pid)
                assert addresses
                assert all(ipaddress.ip_address(one).is_loopback for one in addresses), addresses


@pytest.mark.parametrize(
    "words",
    [
        ("--cluster", "tcp://0.0.0.0:0"),
        ("--scheduler", "tcp://192.0.2.1:8786"),
        ("worker", "tcp://192.0.2.1:8786"),
    ],
)
def test_both_sides_refuse_other_machines_without_tls(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, str],
) -> None:
    status, _, err = run_here(capfd, tmp_path, environment(), *words)
    assert status == 1
    assert f"{words[1]} is refused: without TLS everyone who reaches the port" in err
