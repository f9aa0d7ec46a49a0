"""Attacks that harmed comparable servers: uploads, paths, symlinks, CSRF, tokens, bombs."""

import asyncio
import io
import os
import pickle
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image

from tests.fuzz.values import png_of
from tests.support.hostile import Target, target
from tests.support.server import PATIENCE, Serve, environment, starter

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

EVIL = "https://evil.example"
HTML = b"<html><script>alert(document.domain)</script></html>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(/etc/passwd) (r) file\nshowpage\n"
NAMES = [
    "../../pwned.png",
    "/tmp/sdrest-pwned.png",
    "..\\..\\pwned.png",
    "%2e%2e%2fpwned.png",
    "pwned.png%00.html",
    "pwned.html",
]
RAW_PATHS = [
    b"/./../x",
    b"/../../../../etc/passwd",
    b"/text-to-image/../.sdrest/jobs.sqlite3",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/..%2f..%2fetc%2fpasswd",
    b"/.sdrest/jobs.sqlite3",
    b"/static/../app.py",
    b"/static/..%2fapp.py",
    b"/static/%00",
    b"//etc/passwd",
    b"/text-to-image/%00",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> AsyncIterator[Target]:
    """A server for all tests of this module that need no flags of their own."""
    folder = tmp_path_factory.mktemp("shared")
    async with target(starter(folder, certificate), folder) as shared:
        yield shared


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(buffer, "PNG")
    return buffer.getvalue()


def upload(content: bytes, filename: str = "a.png", media: str = "image/png") -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
    form.add_field("prompt", "paint")
    form.add_field("image", io.BytesIO(content), filename=filename, content_type=media)
    return form


async def test_uploads_that_are_not_pictures_are_never_stored(serve: Serve, tmp_path: Path) -> None:
    """HTML, a pickle, SVG, EPS: whatever name and type they claim (CVE-2024-10099 and others)."""
    harmful = tmp_path / "unpickled"
    contents = [
        HTML,
        pickle.dumps(_Touch(str(harmful))),
        b"<svg/>",
        EPS,
        b"PK\3\4" + bytes(50),
        b"",
    ]
    async with target(serve, tmp_path) as it:
        for content in contents:
            for filename, media in (("a.html", "text/html"), ("a.png", "image/png")):
                status, code = await it.post(
                    "image-to-image", data=upload(content, filename, media)
                )
                assert (status, code) == (422, "invalid_request")
        assert not harmful.exists()
        kept = [path for path in _below(tmp_path / "output") if path.suffix not in _OWN]
        assert kept == []


class _Touch:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


_OWN = {".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".lock", ""}


def _below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_filenames_of_uploads_have_no_effect(it: Target) -> None:
    """CVE-2024-11042, CVE-2025-6237: the name that an upload claims has no effect at all."""
    urls = {await it.post("image-to-image", data=upload(picture(), name)) for name in NAMES}
    assert len(urls) == 1
    job = await it.end(urls.pop()[1])
    assert job["status"] == "COMPLETE"
    assert not [path for path in _below(it.server.folder) if "pwned" in path.name]


async def test_path_traversal_gets_400_or_404(it: Target) -> None:
    for path in RAW_PATHS:
        head = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = await it.raw(head)
        assert answer.split(b" ", 2)[1] in {b"400", b"404"}, path
        assert b"root:" not in answer
        assert b"SQLite" not in answer


async def test_a_symlink_swapped_in_during_requests_is_not_followed(it: Target) -> None:
    """ComfyUI #12285: an image is a link in one moment and a file in the next."""
    secret = it.server.folder / "secret"
    secret.write_bytes(b"the secret")
    job = await it.job(prompt="paint", seed="1")
    image = it.server.folder / "output" / job["imageUrls"][0].removeprefix("/")
    content = image.read_bytes()
    link, file = image.with_name("link"), image.with_name("file")
    for turn in range(60):
        if turn % 2:
            link.symlink_to(secret)
            link.replace(image)
        else:
            file.write_bytes(content)
            file.replace(image)
        async with it.client.get(job["imageUrls"][0]) as answer:
            assert (answer.status, await answer.read() == content) in {
                (200, True),
                (404, False),
            }


async def test_an_output_folder_full_of_code_serves_none_of_it(
    serve: Serve, tmp_path: Path
) -> None:
    """A1111 #2571: the output folder is a folder of programs."""
    code = tmp_path / "code"
    (code / "text-to-image" / ("a" * 32)).mkdir(parents=True)
    for place in (code, code / "text-to-image", code / "text-to-image" / ("a" * 32)):
        (place / "secret.py").write_text("PASSWORD = 1")
        (place / "index.html").write_bytes(HTML)
    async with target(serve, tmp_path, "--output", "code") as it:
        job = f"text-to-image/{'a' * 32}"
        for path in ("secret.py", "index.html", "text-to-image/secret.py", f"{job}/secret.py",
                     f"{job}/index.html", "code/secret.py", ".sdrest/jobs.sqlite3"):  # fmt: skip
            async with it.client.get(path) as answer:
                assert answer.status == 404, path
        assert (await it.job(prompt="paint"))["status"] == "COMPLETE"
        assert (code / "secret.py").read_text() == "PASSWORD = 1"


async def test_expensive_multipart_bodies_are_cheap(it: Target) -> None:
    """CVE-2024-9056, CVE-2026-55446: long boundaries, endless parts, endless headers of a part."""
    hyphens = "-" * 7000
    part = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    bodies = {
        hyphens: f"--{hyphens}\r\n".encode() + b"-" * 1_000_000,
        "B": part * 20_000 + b"--B--\r\n",
        "C": b"--C\r\n" + b"X-Header: y\r\n" * 100_000,
        "D": b"--D\r\nX: " + b"y" * 1_000_000,
        "E": b"--E" + b"\r\n--E" * 100_000,
    }
    for boundary, body in bodies.items():
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        try:
            status, _ = await it.post(data=io.BytesIO(body), headers=headers)
            assert status in {400, 413}, boundary[:9]
        except aiohttp.ClientConnectionError:  # answered before the body was sent
            pass
    await it.is_well()


async def test_csrf_and_dns_rebinding_change_nothing(it: Target) -> None:
    """CVE-2024-1511, ComfyUI PR 13914: also as simple requests, and with `Origin: null`."""
    job = await it.job(prompt="paint", seed="2")
    url = job["resultUrl"]
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        for method, path in (("POST", f"{url}/cancel"), ("POST", f"{url}/retry"),
                             ("DELETE", url), ("GET", "/jobs")):  # fmt: skip
            async with it.client.request(method, path, headers=headers) as answer:
                assert answer.status == 403
                assert "Access-Control-Allow-Origin" not in answer.headers
    async with it.client.get("/jobs", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421
    async with it.client.get(url) as answer:
        assert await answer.json() == job


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (["--token", ""], {}),
        (["--token="], {}),
        ([], {"SDREST_TOKEN": ""}),
        (["--host", "0.0.0.0"], {"SDREST_TOKEN": ""}),
        (["--host", "0.0.0.0"], {}),
        (["--token", "s p a c e"], {}),
    ],
)
async def test_an_empty_token_is_an_error_and_not_no_token(
    tmp_path: Path, certificate: Path, flags: list[str], variables: dict[str, str]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "sdrest", "--port", "0", *flags),
        cwd=tmp_path,
        env=environment(**variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert err.startswith(b"error ")
    assert err.count(b"\n") == 1
    assert b"token" in err.lower()
    assert b"s p a c e" not in err


async def test_decompression_bombs_of_pixels_are_refused(it: Target) -> None:
    for size in (5000, 10_000, 14_000, 65_535, 2**31 - 1):
        status, code = await it.post("image-to-image", data=upload(png_of(size, size)))
        assert (status, code) == (422, "invalid_request"), size
    await it.is_well()


async def test_four_concurrent_clients_do_not_deadlock(serve: Serve, tmp_path: Path) -> None:
    """Fooocus-API #38 and #40; and #321, cog #2454: failed and cancelled jobs leave no gap."""
    async with target(serve, tmp_path, warns=True) as it:

        async def client(number: int) -> list[str]:
            prompts = ("paint", "crash_before", "end_at_once", "paint")
            posts = [{"prompt": p, "seed": f"{number}{n}", "height": "256", "width": "256"}
                     for n, p in enumerate(prompts)]  # fmt: skip
            urls = [(await it.post(data=form))[1] for form in posts]
            async with it.client.post(f"{urls[3]}/cancel") as answer:
                assert answer.status == 200
            return [(await it.end(url))["status"] for url in urls]

        for statuses in await asyncio.gather(*map(client, range(4))):
            assert statuses[:3] == ["COMPLETE", "FAILED", "COMPLETE"]
            assert statuses[3] in {"CANCELLED", "COMPLETE"}
        await it.is_well()


async def test_errors_404_and_405_have_cors_headers(it: Target) -> None:
    for method, path, status in (("GET", "/nope", 404), ("PUT", "/text-to-image", 405)):
        async with it.client.request(method, path, headers={"Origin": EVIL}) as answer:
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_grandchild_that_holds_a_pipe_holds_no_job(serve: Serve, tmp_path: Path) -> None:
    """python/cpython#119710; and tqdm's lines have no end, where readline fails at 64 KiB."""
    os.mkfifo(tmp_path / "lifeline")
    os.mkfifo(tmp_path / "gate")
    reader = os.open(tmp_path / "lifeline", os.O_RDONLY | os.O_NONBLOCK)
    async with target(serve, tmp_path) as it:
        prompt = f"leave_children lifeline={tmp_path / 'lifeline'} gate={tmp_path / 'gate'}"
        asked = asyncio.create_task(it.job(prompt=prompt))
        await asyncio.to_thread((tmp_path / "gate").write_text, "go")
        assert (await asked)["status"] == "COMPLETE"
        await it.is_well()
    os.close(reader)
