"""Who may take part in a cluster: addresses, files of credentials, and real TLS connections."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from distributed import Scheduler
from distributed.comm.core import connect

from sdrest.commands.cluster.credentials import make
from sdrest.engine.cluster import library, security
from sdrest.errors import UsageError

NOW = dt.datetime.now(dt.UTC)
LONG_AGO = NOW - dt.timedelta(days=3660)

REFUSED = "everyone who reaches the port can run programs"
NO_ADDRESS = "should be an address such as tls://10.0.0.5:8786"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("tls://0.0.0.0:8786", None),
        ("tls://127.0.0.1:8786", None),
        ("tls://[::]:8786", None),
        ("tls://gpu.example:8786", None),
        ("tcp://127.0.0.1:8786", None),
        ("tcp://127.8.9.1:0", None),
        ("tcp://localhost:8786", None),
        ("tcp://[::1]:8786", None),
        ("tcp://0.0.0.0:8786", REFUSED),
        ("tcp://[::]:8786", REFUSED),
        ("tcp://192.168.0.7:8786", REFUSED),
        ("tcp://[fe80::1]:8786", REFUSED),
        ("tcp://gpu.example:8786", REFUSED),
        ("tcp://localhost.example:8786", REFUSED),
        ("tcp://127.0.0.1.example:8786", REFUSED),
        ("tcp://:8786", NO_ADDRESS),
        ("tls://:8786", NO_ADDRESS),
        ("tls://host:99999", NO_ADDRESS),
        ("tls://host:8786/path", NO_ADDRESS),
        ("tls://me@host:8786", NO_ADDRESS),
        ("tls://[::1", NO_ADDRESS),
        ("ws://127.0.0.1:8786", NO_ADDRESS),
        ("inproc://127.0.0.1", NO_ADDRESS),
        ("127.0.0.1:8786", NO_ADDRESS),
        ("", NO_ADDRESS),
    ],
)
def test_without_tls_only_addresses_of_this_machine_are_taken(
    address: str, problem: str | None
) -> None:
    found = security.refusal(address)
    if problem is None:
        assert found is None
    else:
        assert found
        assert problem in found


def test_an_address_that_is_refused_names_its_flag() -> None:
    with pytest.raises(UsageError, match=r"^--cluster tcp://0.0.0.0:1 is refused: .* tls://0.0.0"):
        security.security("tcp://0.0.0.0:1", "./cluster.pem", option="--cluster")


def test_plain_loopback_needs_no_file(tmp_path: Path) -> None:
    absent = str(tmp_path / "cluster.pem")
    assert security.security("tcp://127.0.0.1:1", absent, option="--cluster") is None
    with pytest.raises(UsageError, match=r"there is none\. On the front, `sdrest cluster cred"):
        security.security("tls://127.0.0.1:1", absent, option="--cluster")


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    front, worker = make(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = make(tmp_path / "other")
    own, key, authority = parts(front)
    texts = {
        "not a file of `sdrest cluster credentials`": b"garbage",
        "is not a file of": own,
        "the key is missing": own + authority,
        "of another certificate": own + parts(other)[1] + authority,
        "not a file of `sdrest": own + key + parts(other)[2],
    }
    for sentence, data in texts.items():
        path = tmp_path / "broken.pem"
        path.write_bytes(data)
        with pytest.raises(UsageError, match=sentence):
            security.read(path)
    with pytest.raises(UsageError, match=r"Cannot read .*: Is a directory"):
        security.read(tmp_path)
    ends = security.read(worker).ends
    with pytest.raises(UsageError, match=f"ended on {ends:%Y-%m-%d}.* Make new files with"):
        security.read(worker, now=ends + dt.timedelta(seconds=1))
    with pytest.raises(UsageError, match="Check this machine's clock"):
        security.read(worker, now=NOW - dt.timedelta(days=1))


def parts(path: Path) -> tuple[bytes, bytes, bytes]:
    """Return the certificate, the key and the authority of a file."""
    mark = b"-----BEGIN "
    own, key, authority = (mark + part for part in path.read_bytes().split(mark)[1:])
    return own, key, authority


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Path]]:
    """The files of two clusters and of one that has expired: for the front, for workers."""
    clusters = {"this": NOW, "other": NOW, "expired": LONG_AGO}
    return {name: make(tmp_path_factory.mktemp(name), now=now) for name, now in clusters.items()}


def loaded(path: Path) -> Any:
    """Return what Dask gets; also of a file that has expired."""
    soon = dt.timedelta(days=1)
    try:
        return security.read(path).security()
    except UsageError:
        return security.read(path, now=LONG_AGO + soon).security()


def scheduler(path: Path) -> Scheduler:
    return Scheduler(
        host="127.0.0.1",
        port=0,
        protocol="tls",
        dashboard=False,
        dashboard_address=library.HTTP_ADDRESS,
        security=loaded(path),
    )


async def ask(address: str, peer: Any) -> object:
    """Return what a scheduler says of itself to a machine with these credentials."""
    comm = await connect(address, timeout=30, **peer.get_connection_args("client"))
    try:
        await comm.write({"op": "identity", "reply": True})
        return (await comm.read())["type"]
    finally:
        comm.abort()


@pytest.mark.integration
async def test_only_machines_with_a_file_of_this_cluster_are_answered(
    files: Mapping[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    front, worker = files["this"]
    impostor = loaded(worker)
    impostor.tls_client_cert = str(files["other"][1])  # trusts the front, which does not trust it
    refused = {
        "another cluster": (loaded(files["other"][1]), "files of another cluster"),
        "a certificate of another authority": (impostor, "files of another cluster"),
    }
    library.load()
    async with scheduler(front) as running:
        assert await ask(running.address, loaded(worker)) == "Scheduler"
        assert await ask(running.address, loaded(front)) == "Scheduler"
        for name, (peer, sentence) in refused.items():
            with pytest.raises(OSError) as caught:  # noqa: PT011 (what it says is below)
                await ask(running.address, peer)
            assert sentence in (security.explain(caught.value) or ""), name
        await without_certificate(int(running.address.rpartition(":")[2]), loaded(worker))
        assert ports(running) == {"127.0.0.1"}
        assert await http(running.http_server.port) == 404
    async with scheduler(files["expired"][0]) as running:
        with pytest.raises(OSError) as caught:  # noqa: PT011 (what it says is below)
            await ask(running.address, loaded(files["expired"][1]))
        assert "has expired. Make new files" in (security.explain(caught.value) or "")
    assert security.explain(OSError("cable out")) is None


async def without_certificate(port: int, trusting: Any) -> None:
    """Check that TLS 1.3 is spoken and that a client without a certificate gets nothing."""
    client = ssl.create_default_context(cadata=trusting.tls_ca_file)
    client.check_hostname = False
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="certificate required"):
        await reader.read()
    writer.transport.abort()


def ports(running: Any) -> set[str]:
    """Return the addresses that a scheduler listens on."""
    servers = (running.http_server, running.listeners[0].tcp_server)
    return {one.getsockname()[0] for server in servers for one in server._sockets.values()}


async def http(port: int) -> int:
    """Return the status of Dask's own HTTP port for a page that it has by default."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])
