"""The certificate of a running server: what is wrong with it, and its renewal."""

import asyncio
import datetime as dt
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from sdrest.commands.certificate import self_signed
from sdrest.commands.certificate.check import Certificate, problems
from sdrest.commands.certificate.files import HOSTS, Pair, context
from sdrest.commands.certificate.renewal import Renewal
from sdrest.settings import Settings
from sdrest.web.tls import ServerContext
from tests.support.server import Serve, Server

pytestmark = pytest.mark.integration

TODAY = dt.datetime.now(dt.UTC)


def write(folder: Path, *hosts: str, days: int = 0) -> tuple[str, ...]:
    """Write a pair that is good from `days` after today on; return the flags that name it."""
    folder.mkdir(exist_ok=True)
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    self_signed.write(pair.cert, pair.key, hosts=hosts, now=TODAY + dt.timedelta(days))
    return "--cert", str(pair.cert), "--key", str(pair.key)


def for_clients_only(folder: Path) -> tuple[str, ...]:
    """Write a certificate that servers may not use."""
    flags = write(folder, *HOSTS)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(TODAY)
        .not_valid_after(TODAY + dt.timedelta(90))
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return flags


def days_from_now(days: int) -> str:
    return f"{TODAY + dt.timedelta(days):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: write(folder, *HOSTS, days=-900),
         f"ended on {days_from_now(-80)}, so clients refuse it."),
        (lambda folder: write(folder, *HOSTS, days=2), "Check this machine's clock."),
        (lambda folder: write(folder, *HOSTS, days=-800), f"ends on {days_from_now(20)}."),
        (lambda folder: write(folder, "elsewhere.example"),
         "is for elsewhere.example, not for localhost, so clients refuse https://localhost."),
        (write, "is for no host at all"),
        (for_clients_only, "unsuitable certificate purpose"),
    ],
    ids=["expired", "not yet valid", "ends soon", "another host", "no host", "no server"],
)  # fmt: skip
def test_a_certificate_that_clients_refuse_is_reported_in_one_line(
    tmp_path: Path, make: Callable[[Path], tuple[str, ...]], sentence: str
) -> None:
    make(tmp_path / "pair")
    pair = Pair(tmp_path / "pair" / "cert.pem", tmp_path / "pair" / "key.pem")
    renewal = Renewal(Settings(), pair, ServerContext(context(pair)))
    (line,) = renewal.problems()
    assert sentence in line.render(colours=False)


async def test_an_expired_certificate_is_reported_at_the_start(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(*write(tmp_path / "pair", *HOSTS, days=-900), warns=True) as server:
        await server.err.line("so clients refuse it.")
    assert len([line for line in server.err.lines if "certificate" in line]) == 1


@pytest.mark.parametrize(
    ("names", "host", "refused"),
    [
        (("localhost",), "127.0.0.1", False),
        (("127.0.0.1",), "localhost", False),
        (("localhost",), "127.0.0.2", True),
        (("localhost",), "192.0.2.1", True),
        (("192.0.2.1",), "192.0.2.1", False),
        (("fd00::1",), "FD00:0::1", False),
        (("fd00::1",), "fd00::2", True),
        (("box.example",), "BOX.example", False),
        (("*.example",), "box.example", False),
        (("*.example",), "a.box.example", True),
        (("*.example",), "example", True),
        (("box.example",), "0.0.0.0", False),
        (("box.example",), "::", False),
    ],
)
def test_which_hosts_a_certificate_covers(names: tuple[str, ...], host: str, refused: bool) -> None:
    given = Certificate(TODAY - dt.timedelta(1), TODAY + dt.timedelta(90), names)
    found = list(problems(given, Settings(host=host)))
    assert bool(found) == refused


# Renewal


async def names_shown(server: Server) -> set[str]:
    """Return the names of the certificate that a new connection gets."""
    port = int(server.url.rstrip("/").rpartition(":")[2])
    anyone = ssl._create_unverified_context()
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anyone)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    found = x509.load_der_x509_certificate(shown).extensions
    alternatives = found.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in alternatives}


def replace(source: Path, target: Path) -> None:
    """Put a renewed pair in place, as certbot and mkcert do: one file after the other."""
    for name in ("key.pem", "cert.pem"):
        (source / name).replace(target / name)


async def test_renewed_files_are_taken_without_a_restart(serve: Serve, tmp_path: Path) -> None:
    flags = write(tmp_path / "pair", *HOSTS)
    write(tmp_path / "renewed", *HOSTS, "renewed.example")
    write(tmp_path / "again", *HOSTS, "again.example", days=-800)
    async with serve(*flags, warns=True) as server:
        server.cert = tmp_path / "first.pem"
        shutil.copy(tmp_path / "pair" / "cert.pem", server.cert)
        async with server.client() as client:
            async with client.get("healthz") as answer:
                assert answer.status == 200
            replace(tmp_path / "renewed", tmp_path / "pair")
            await server.out.line("Took the renewed certificate")
            assert "renewed.example" in await names_shown(server)
            async with client.get("healthz") as answer:  # on the connection of before
                assert answer.status == 200
        for name in ("key.pem", "cert.pem"):  # written in place, not replaced
            shutil.copyfile(tmp_path / "again" / name, tmp_path / "pair" / name)
        await server.err.line("ends on")
        assert "again.example" in await names_shown(server)


async def test_a_renewal_that_cannot_be_used_keeps_the_old_certificate(
    serve: Serve, tmp_path: Path
) -> None:
    pair, renewed = tmp_path / "pair", tmp_path / "renewed"
    flags = write(pair, *HOSTS, "first.example")
    old = {"first.example"}
    kept = "The server keeps the certificate that it has."
    async with serve(*flags, warns=True) as server:
        for count, fault in enumerate(("half written", "another key", "gone"), 1):
            new = f"{fault.replace(' ', '-')}.example"
            write(renewed, *HOSTS, new)
            match fault:
                case "half written":
                    text = (renewed / "cert.pem").read_text()
                    (pair / "cert.pem").write_text(text[: len(text) // 2])
                case "another key":
                    shutil.copy(renewed / "cert.pem", pair / "cert.pem")
                case _:
                    (pair / "cert.pem").unlink()
            await server.err.line(kept, count=count)
            assert old <= await names_shown(server), fault
            replace(renewed, pair)
            await server.out.line("Took the renewed certificate", count=count)
            assert new in await names_shown(server), fault
            old = {new}
    assert len([line for line in server.err.lines if kept in line]) == 3
