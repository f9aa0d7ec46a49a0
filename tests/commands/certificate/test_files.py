import contextlib
import ipaddress
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sdrest.commands.certificate import self_signed
from sdrest.commands.certificate.files import HOSTS, Pair, context, hosts, provide
from sdrest.commands.certificate.names import usable
from sdrest.commands.log_lines import LogLine
from sdrest.errors import UsageError
from sdrest.settings import Settings
from tests.support.server import environment

pytestmark = pytest.mark.integration

MKCERT = f"""#!{sys.executable}
import sys
from pathlib import Path
from sdrest.commands.certificate import self_signed
_, first, cert, second, key, *hosts = sys.argv
assert (first, second) == ("-cert-file", "-key-file")
self_signed.write(Path(cert), Path(key), hosts=[*hosts, "made-by-mkcert"])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder, a PATH without mkcert, and addresses that stay what they are.

    Tests of clusters in another process give this machine addresses and take them away.
    """
    (tmp_path / "work").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    addresses = psutil.net_if_addrs()
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    with contextlib.chdir(tmp_path / "work"):
        yield tmp_path / "work"


def install(folder: Path, program: str) -> None:
    path = folder.parent / "bin" / "mkcert"
    path.write_text(program)
    path.chmod(0o755)


def text(notes: list[LogLine]) -> str:
    return "".join(note.render(colours=False) for note in notes)


def names(cert: Path) -> set[str]:
    leaf = x509.load_pem_x509_certificate(cert.read_bytes())
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


@contextlib.contextmanager
def answering(tls: ssl.SSLContext) -> Iterator[int]:
    """Answer HTTPS requests on a port with their TLS version."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), tls.wrap_socket(raw, server_side=True) as spoken:
                    spoken.recv(65536)
                    version = (spoken.version() or "").encode()
                    spoken.sendall(
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(version), version)
                    )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


def test_a_pair_is_made_where_both_are_missing(folder: Path) -> None:
    pair, notes = provide(Settings())
    assert pair == Pair(Path("cert.pem"), Path("key.pem"))
    assert sorted(path.name for path in folder.iterdir()) == ["cert.pem", "key.pem"]
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
    assert names(pair.cert) == set(hosts(Settings()))
    assert "self-signed" in text(notes)
    assert "mkcert -install" in text(notes)
    assert provide(Settings()) == (pair, [])


@pytest.mark.parametrize("program", ["mkcert", "none"])
def test_a_new_certificate_is_for_the_host_and_the_names_and_addresses_of_this_machine(
    folder: Path, program: str
) -> None:
    if program == "mkcert":
        install(folder, MKCERT)
    pair, _ = provide(Settings(host="Box.Example", given=frozenset({"host"})))
    machine = socket.gethostname().lower()
    addresses = {
        str(ipaddress.ip_address(address.address))
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in {socket.AF_INET, socket.AF_INET6} and "%" not in address.address
    }
    found = names(pair.cert)
    assert {*HOSTS, "box.example", machine, f"{machine.partition('.')[0]}.local"} <= found
    assert addresses
    assert addresses <= found


def test_names_that_no_certificate_can_hold_are_left_out() -> None:
    offered = ["", "two words", "a" * 64, "-", "Straße.example", "FD00::0:1", "fe80::1%eth0", "box"]
    assert usable(offered) == ("-", "strasse.example", "fd00::1", "fe80::1%eth0", "box")


def test_what_browsers_ask_of_a_certificate(folder: Path) -> None:
    provide(Settings())
    leaf = x509.load_pem_x509_certificate(Path("cert.pem").read_bytes())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=825)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [purpose.dotted_string for purpose in usage] == ["1.3.6.1.5.5.7.3.1"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", "::1"])
def test_a_strict_client_accepts_it(folder: Path, host: str) -> None:
    pair, _ = provide(Settings())
    client = ssl.create_default_context(cafile=pair.cert)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        answering(context(pair)) as port,
        socket.create_connection(("127.0.0.1", port)) as raw,
        client.wrap_socket(raw, server_hostname=host) as spoken,
    ):
        assert spoken.version() == "TLSv1.3"


def test_a_client_that_does_not_trust_it_refuses_it(folder: Path) -> None:
    pair, _ = provide(Settings())
    client = ssl.create_default_context()
    with (
        answering(context(pair)) as port,
        socket.create_connection(("127.0.0.1", port)) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        client.wrap_socket(raw, server_hostname="localhost")


def test_tls_1_2_is_the_minimum_version(folder: Path) -> None:
    pair, _ = provide(Settings())
    assert context(pair).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("trust", ["flag", "environment"])
def test_curl_accepts_it_on_the_address_of_the_original(folder: Path, trust: str) -> None:
    curl = shutil.which("curl", path=os.defpath) or "curl"
    pair, _ = provide(Settings())
    options = ["--cacert", "cert.pem"] if trust == "flag" else []
    env = {} if trust == "flag" else {"CURL_CA_BUNDLE": str(pair.cert.absolute())}
    with answering(context(pair)) as port:
        done = subprocess.run(
            [curl, "--silent", "--show-error", *options, f"https://0.0.0.0:{port}/"],
            capture_output=True,
            check=False,
            env=environment(**env),
            timeout=60,
        )
    assert done.stderr == b""
    assert done.stdout.startswith(b"TLSv1.")


def test_mkcert_makes_it_where_it_is_installed(folder: Path) -> None:
    install(folder, MKCERT)
    pair, notes = provide(Settings())
    assert names(pair.cert) == {*hosts(Settings()), "made-by-mkcert"}
    assert "by mkcert" in text(notes)
    context(pair)


def test_a_mkcert_that_fails_does_no_harm(folder: Path) -> None:
    install(folder, f"#!{sys.executable}\nraise SystemExit(1)\n")
    pair, notes = provide(Settings())
    assert names(pair.cert) == set(hosts(Settings()))
    assert "self-signed" in text(notes)


@pytest.mark.parametrize(
    ("settings", "there", "sentence"),
    [
        (Settings(cert="mine.pem", given=frozenset({"cert"})), (), "mine.pem (--cert)"),
        (Settings(key="mine.pem", given=frozenset({"key"})), ("cert.pem",), "mine.pem (--key)"),
        (Settings(given=frozenset({"cert", "key"})), (), "cert.pem (--cert)"),
        (Settings(), ("cert.pem",), "key.pem (--key)"),
        (Settings(), ("key.pem",), "cert.pem (--cert)"),
    ],
)
def test_a_missing_file_is_an_error_and_nothing_is_made(
    folder: Path, settings: Settings, there: tuple[str, ...], sentence: str
) -> None:
    for name in there:
        Path(name).write_text("mine")
    with pytest.raises(UsageError) as caught:
        provide(settings)
    assert caught.value.message == f"There is no file {sentence}."
    assert sorted(path.name for path in folder.iterdir()) == sorted(there)


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    settings = Settings(cert="absent/cert.pem", key="absent/key.pem")
    with pytest.raises(UsageError, match="Cannot write absent/"):
        provide(settings)


def made_pair(folder: Path) -> Pair:
    pair = Pair(folder / "c.pem", folder / "k.pem")
    self_signed.write(pair.cert, pair.key, hosts=HOSTS)
    return pair


def test_garbage_is_an_error(folder: Path) -> None:
    pair = made_pair(folder)
    pair.cert.write_text("garbage")
    with pytest.raises(UsageError, match="not a usable PEM file"):
        context(pair)


def test_the_key_of_another_certificate_is_an_error(folder: Path) -> None:
    (folder / "other").mkdir()
    pair = Pair(made_pair(folder).cert, made_pair(folder / "other").key)
    with pytest.raises(UsageError, match="the key belongs to another certificate"):
        context(pair)


def test_a_folder_in_place_of_a_file_is_an_error(folder: Path) -> None:
    pair = made_pair(folder)
    with pytest.raises(UsageError, match="Cannot read"):
        context(Pair(folder, pair.key))


def test_an_encrypted_key_is_an_error_and_asks_nobody(folder: Path) -> None:
    pair = made_pair(folder)
    key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(UsageError, match="is encrypted"):
        context(pair)


def test_a_server_that_makes_a_certificate_does_not_keep_what_made_it(folder: Path) -> None:
    program = (
        "import sys\n"
        "from sdrest.commands.certificate.files import provide\n"
        "from sdrest.settings import Settings\n"
        "provide(Settings())\n"
        "print('cryptography' in sys.modules)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout == "False\n"
    assert set(HOSTS) < names(folder / "cert.pem")


def test_where_no_process_can_be_started_the_certificate_is_made_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    provide(Settings())

    assert names(folder / "cert.pem") == set(hosts(Settings()))
