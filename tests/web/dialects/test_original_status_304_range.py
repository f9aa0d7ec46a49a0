"""Looking at jobs and their images, as it was recorded of the original (group `get`)."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sdrest.web.responses.conditional import http_date
from tests.support.contract import group
from tests.support.status import ID, answer, served_with_images
from tests.support.web import Served

pytestmark = pytest.mark.integration


JOB = f"/text-to-image/{ID}"


RECORDED = {case["case"]: case for case in group("get")}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_with_images(tmp_path) as site:
        yield site


async def test_a_folder_of_the_original_is_a_complete_job(site: Served) -> None:
    want = RECORDED["job-complete"]["exchanges"][0]["response"]

    status, headers, body = await answer(site, "GET", JOB)

    assert (status, body.decode()) == (200, want["body"])
    assert headers["ETag"] == want["headers"]["etag"]
    assert headers["Content-Type"] == want["headers"]["content-type"]
    assert headers["Content-Length"] == want["headers"]["content-length"]


@pytest.mark.parametrize("name", ["job-complete-etag", "job-query", "job-accept", "job-other-type"])
async def test_recorded_status_requests_etag_and_304(site: Served, name: str) -> None:
    for exchange in RECORDED[name]["exchanges"]:
        request, want = exchange["request"], exchange["response"]

        status, headers, body = await answer(
            site, request["method"], request["path"], **dict(request["headers"])
        )

        assert status == want["status"], request
        if status < 400:
            assert headers["ETag"] == want["headers"]["etag"]
            assert body.decode() == (want.get("body") or "")


async def test_recorded_range_206_and_conditional_304_requests_of_an_image(site: Served) -> None:
    file = site.output / JOB.lstrip("/") / "1.png"
    content = file.read_bytes()
    moment = 1_795_424_303  # Mon, 23 Nov 2026 08:58:23 GMT, as recorded
    os.utime(file, ns=(0, moment * 1_000_000_000 + 499_000_000))
    etag = f'W/"{len(content):x}-{moment * 1000 + 499:x}"'
    recorded = {"64806-1a207a0bacb": etag.strip('W/"'), "411654": str(len(content))}
    for exchange in [
        *RECORDED["png-range"]["exchanges"],
        *RECORDED["png-conditional"]["exchanges"],
    ]:
        request, want = exchange["request"], exchange["response"]
        headers = {name: _replaced(value, recorded) for name, value in request["headers"]}

        status, got, body = await answer(site, request["method"], request["path"], **headers)

        assert status == want["status"], request
        assert got.get("Accept-Ranges") == (None if status >= 400 else "bytes")
        assert got.get("ETag", etag) == etag
        if status == 206:
            start, end = _range(want["headers"]["content-range"], len(content))
            assert got["Content-Range"] == f"bytes {start}-{end}/{len(content)}"
            assert got["Content-Length"] == str(end - start + 1)
            assert body == (content[start : end + 1] if request["method"] == "GET" else b"")
        if status == 416:
            assert got["Content-Range"] == f"bytes */{len(content)}"
        if status == 200:
            assert (body, got["Content-Type"]) == (content, "image/png")
            assert got["Last-Modified"] == http_date(moment)
            assert got["Cache-Control"] == "public, max-age=0"


def _replaced(value: str, by: dict[str, str]) -> str:
    for old, new in by.items():
        value = value.replace(old, new)
    return value


def _range(header: str, size: int) -> tuple[int, int]:
    """Move a recorded range, of a file of 411654 bytes, to one of `size` bytes."""
    start, end = (int(text) for text in header.split()[1].split("/", maxsplit=1)[0].split("-"))
    moved = [n if n < 1000 else n - 411654 + size for n in (start, end)]
    return moved[0], moved[1]


async def test_head_has_the_headers_without_a_body(site: Served) -> None:
    for path in (JOB, f"{JOB}/1.png"):
        status, got, body = await answer(site, "GET", path)
        head_status, head, empty = await answer(site, "HEAD", path)

        assert (status, head_status, empty) == (200, 200, b"")
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head[name] == got[name]
        assert len(body) == int(head["Content-Length"])


@pytest.mark.parametrize(
    "path",
    [
        f"{JOB}/",
        f"{JOB}?x=1",
        f"{JOB}/?x",
        f"/text-to-image/%31{ID[1:]}",
        f"/Text-To-Image/{ID}",
        f"/TEXT-TO-IMAGE/{ID}/1.png",
    ],
)
async def test_spellings_of_a_jobs_address(site: Served, path: str) -> None:
    status, _, _ = await answer(site, "GET", path)
    assert status == 200


@pytest.mark.parametrize(
    "path",
    [
        f"{JOB}//",
        f"/text-to-image//{ID}",
        f"/text-to-image/{ID.upper()}",
        f"/text-to-image/{'0' * 32}",
        f"/text-to-image/{'0' * 32}/1.png",
        f"/image-to-image/{ID}",
        f"{JOB}/3.png",
        f"{JOB}/0.png",
        f"{JOB}/01.png",
        f"{JOB}/-1.png",
        f"{JOB}/1",
        f"{JOB}/1.PNG",
        f"{JOB}/1.png/",
        f"/text_to_image/{ID}",
        f"{JOB}/99999999999999999999.png",
        f"{JOB}/..%2f1.png",
        f"{JOB}/%2e%2e/.sdrest/jobs.sqlite3",
        "/text-to-image/..%2f..%2fjobs.sqlite3",
        "/text-to-image/%00",
        "/text-to-image/%zz",
        "/.sdrest/jobs.sqlite3",
        "/%2esdrest/jobs.sqlite3",
        "/own.html",
        "/link.txt",
        "/nope",
    ],
)
async def test_other_image_paths_get_404(site: Served, path: str) -> None:
    (site.output / "own.html").write_text("<script>alert(1)</script>")
    (site.output / "link.txt").symlink_to("/etc/hostname")

    reply = await site.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert reply.startswith(b"HTTP/1.1 404 ")
    assert b'{"error":{"code":"not_found"' in reply
    assert b"Access-Control-Allow-Origin: *" in reply


async def test_links_in_the_output_folder_are_not_followed(site: Served, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (site.output / JOB.lstrip("/") / "3.png").symlink_to(tmp_path / "secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").write_text("secret")
    linked = "f" * 32
    (site.output / "text-to-image" / linked).symlink_to(tmp_path / "elsewhere")
    os.mkfifo(site.output / JOB.lstrip("/") / "4.png")

    for path in (f"{JOB}/3.png", f"{JOB}/4.png", f"/text-to-image/{linked}/1.png"):
        assert (await answer(site, "GET", path))[0] == 404


async def test_a_content_type_without_a_boundary_does_not_disturb_a_look(site: Served) -> None:
    status, _, _ = await answer(site, "GET", JOB, **{"Content-Type": "multipart/form-data"})
    assert status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_other_methods_get_405_with_allow(site: Served, method: str) -> None:
    status, headers, body = await answer(site, method, JOB)

    assert status == 405
    assert headers["Allow"] == "DELETE,GET,HEAD,OPTIONS,POST"
    assert b'"method_not_allowed"' in body


async def test_a_large_image_is_sent_whole_and_by_range(site: Served) -> None:
    content = os.urandom(3_000_000)
    (site.output / JOB.lstrip("/") / "3.png").write_bytes(content)

    _, headers, whole = await answer(site, "GET", f"{JOB}/3.png")
    _, _, part = await answer(site, "GET", f"{JOB}/3.png", Range="bytes=5-2500000")

    assert whole == content
    assert headers["Content-Length"] == "3000000"
    assert part == content[5:2_500_001]


async def test_a_replaced_image_of_the_same_size_and_time_is_sent(site: Served) -> None:
    path = site.output / JOB.lstrip("/") / "3.png"
    path.write_bytes(b"a" * 300_000)
    before = path.stat()
    bodies = [(await answer(site, "GET", f"{JOB}/3.png"))[2] for _ in range(2)]

    path.with_suffix(".new").write_bytes(b"b" * 300_000)
    path.with_suffix(".new").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    bodies.append((await answer(site, "GET", f"{JOB}/3.png"))[2])

    assert bodies == [b"a" * 300_000, b"a" * 300_000, b"b" * 300_000]


async def test_a_client_that_disconnects_during_an_image_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served_with_images(tmp_path) as site:
        (site.output / JOB.lstrip("/") / "3.png").write_bytes(os.urandom(30_000_000))
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"GET {JOB}/3.png HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

        status, _, _ = await answer(site, "GET", JOB)

    assert status == 200
    assert not caplog.records  # nor of what has ended with the server


async def test_a_missing_output_folder_gets_503(site: Served) -> None:
    (site.output / ".sdrest" / "spool").rmdir()
    (site.output / ".sdrest" / "spool").write_text("in the way")
    form = aiohttp.FormData({"prompt": "x"})
    form.add_field("image", b"x", filename="x.png")

    async with site.client.post("/image-to-image", data=form) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "storage_unavailable"
