"""What a starting server tells people: the request to paste, the browser's warning, the folder."""

import asyncio
import contextlib
import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sdrest.commands.certificate import self_signed
from tests.support.screen import Screen
from tests.support.server import PATIENCE, Serve, environment

pytestmark = pytest.mark.integration

SMALL = {"prompt": "a red circle", "steps": "4", "width": "256", "height": "256"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("by_flag", [False, True])
async def test_the_line_to_paste_sends_a_token_that_it_does_not_show(
    serve: Serve, by_flag: bool
) -> None:
    token = "a-secret-token"
    flags = ("--token", token) if by_flag else ()
    env = {} if by_flag else {"SDREST_TOKEN": token}
    async with serve(*flags, env=env) as server:
        line = (await server.out.line("Try: ")).partition("Try: ")[2]
        await server.out.line("first set SDREST_TOKEN to the server's token (the value of --token)")
        done = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"{line} --silent --show-error"),
            cwd=server.folder,
            env=environment(SDREST_TOKEN=token),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(done.communicate(), PATIENCE)
        assert err == b""
        assert b'"resultUrl":"/text-to-image/' in out
        await server.out.line(" Done")
        assert token not in "".join([*server.out.lines, *server.err.lines])


async def test_people_are_prepared_for_the_browser_s_warning_and_read_of_no_token(
    serve: Serve,
) -> None:
    async with serve() as server:
        page = f"https://localhost:{server.url.rstrip('/').rpartition(':')[2]}/"
        await server.out.line(f"info The page for your browser is {page}.")
        line = await server.out.line("Browsers warn")
        assert line.startswith("info Browsers warn at the first visit, since the certificate is")
        assert server.out.lines[0].startswith("success Serving on ")
        assert "SDREST_TOKEN" not in await server.out.line("Try: ")
        assert "".join(server.out.lines).count("Browsers warn") == 1


async def test_an_expired_self_signed_certificate_is_one_too(serve: Serve, tmp_path: Path) -> None:
    pair = tmp_path / "old.pem", tmp_path / "old-key.pem"
    self_signed.write(*pair, hosts=["localhost"], now=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    flags = ("--cert", str(pair[0]), "--key", str(pair[1]))
    async with serve(*flags, warns=True) as server:
        await server.out.line("Browsers warn")


async def test_nothing_is_said_where_no_browser_warns(serve: Serve, tmp_path: Path) -> None:
    flags = ("--cert", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "leaf-key.pem"))
    signed_by_an_authority(tmp_path)
    for given in (("--plain-http",), flags, ("--cert", str(tmp_path / "leaf.pem"), *flags[2:])):
        async with serve(*given, warns=True) as server:
            await server.out.line("Try: ")
            assert "Browsers warn" not in "".join(server.out.lines)


def signed_by_an_authority(folder: Path) -> None:
    """Write a certificate that an authority has signed, without and with the authority's own."""
    now = dt.datetime.now(dt.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("root", "leaf")
    )
    written = {}
    for subject, public, is_root in ((root_name, root_key, True), (name, key, False)):
        written[is_root] = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(root_key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
    (folder / "leaf.pem").write_bytes(written[False])
    (folder / "chain.pem").write_bytes(written[False] + written[True])
    (folder / "leaf-key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


async def test_the_folder_of_the_pictures_is_named_at_the_start(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve("--output", "my pictures") as server:
        await server.out.line(f"info Pictures are saved in {tmp_path}/my pictures.")
        async with server.client() as client, client.post("/text-to-image", data=SMALL) as answer:
            path = answer.url.path
        await server.out.line(f"{path[-32:]} Done")
        assert server.out.lines[-1] == f"success /text-to-image  {path[-32:]} Done"
    assert (tmp_path / "my pictures" / path[1:] / "1.png").is_file()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_on_a_terminal_done_is_followed_by_where_the_pictures_are(
    tmp_path: Path, certificate: Path
) -> None:
    pair = (f"--cert={certificate}/cert.pem", f"--key={certificate}/key.pem")
    command = [sys.executable, "-W", "error", "-m", "sdrest", "--port", "0", *pair]
    with Screen(tmp_path, command, columns=400) as screen:
        screen.until("Try: ")
        screen.until("--location")
        url = next(line for line in screen.lines if "Serving on" in line).rpartition(" ")[2]
        fields = "&".join(f"{name}={value}" for name, value in SMALL.items())
        for count in (1, 2):
            asked = [f"{url}text-to-image", "--data", f"{fields}&iterations={count}"]
            curl = ["curl", "--silent", "--cacert", f"{certificate}/cert.pem", *asked]
            subprocess.run(curl, check=True, capture_output=True, timeout=PATIENCE)
            screen.until("1.png" if count == 1 else "(2 pictures)")
        screen.process.terminate()
        with contextlib.suppress(ProcessLookupError):
            assert screen.end() == 0
    folders = {len([*folder.glob("*.png")]): folder
               for folder in (tmp_path / "output/text-to-image").iterdir()}  # fmt: skip
    for folder, place in ((folders[1], "/1.png"), (folders[2], " (2 pictures)")):
        done = screen.lines.index(f"success /text-to-image  {folder.name} Done")
        assert screen.lines[done + 1] == f"info Saved {folder}{place}"
