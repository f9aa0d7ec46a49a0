"""Looking at jobs and their images, as it was recorded of the original (group `get`)."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.jobs.bus import Change
from sdrest.web.responses.conditional import http_date
from tests.support.contract import group
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

ID = "14d6c94308495632b5d31fad8939fc87"
"""The job of the recorded exchanges: two images."""

JOB = f"/text-to-image/{ID}"
RECORDED = {case["case"]: case for case in group("get")}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    folder = tmp_path / "output" / "text-to-image" / ID
    folder.mkdir(parents=True)
    for number in (1, 2):
        Image.effect_noise((300, 300), 90).save(folder / f"{number}.png", "PNG")
    async with served(tmp_path) as site:
        yield site


async def answer(site: Served, method: str, path: str, **headers: str) -> tuple[int, Any, bytes]:
    options: Any = {"headers": headers, "allow_redirects": False}
    async with site.client.request(method, path, **options) as response:
        return response.status, response.headers, await response.read()


async def ask(site: Served, **form: str) -> str:
    """Ask for a text-to-image job; return its path."""
    async with site.client.post("/text-to-image", data=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        return response.headers["Location"]


async def shown(site: Served, url: str) -> dict[str, Any]:
    """What the server says of a job now."""
    async with site.client.get(url) as response:
        job: dict[str, Any] = await response.json()
    return job


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
    site: Served, caplog: pytest.LogCaptureFixture
) -> None:
    (site.output / JOB.lstrip("/") / "3.png").write_bytes(os.urandom(30_000_000))
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET {JOB}/3.png HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()

    status, _, _ = await answer(site, "GET", JOB)

    assert status == 200
    assert not caplog.records


async def test_a_failed_job_has_an_error(site: Served) -> None:
    url = await site.job("/text-to-image", json={"prompt": "crash_between", "iterations": 2})

    async with site.client.get(url) as response:
        job = await response.json()

    assert list(job) == ["error", "imageUrls", "resultUrl", "status"]
    assert job["status"] == "FAILED"
    assert job["imageUrls"] == [f"{url}/1.png"]
    assert job["error"]["code"] == "script_failed"
    assert job["error"]["message"]
    assert job["error"]["details"]["exitCode"] == 1


async def test_a_failed_job_runs_again_when_it_is_submitted_again(site: Served) -> None:
    request: dict[str, Any] = {"json": {"prompt": "crash_between", "iterations": 2}}
    url = await site.job("/text-to-image", **request)

    assert await site.job("/text-to-image", **request) == url


@pytest.mark.parametrize("seed", [False, None])
async def test_a_random_seed_is_in_the_json(site: Served, seed: bool | None) -> None:
    url = await site.job("/text-to-image", json={"prompt": "paint", "seed": seed})
    told = await site.job("/text-to-image", json={"prompt": "paint", "seed": 7})

    async with site.client.get(url) as response:
        assert 0 <= (await response.json())["seed"] < 2**32
    async with site.client.get(told) as response:
        assert "seed" not in await response.json()


async def test_every_image_of_a_batch_is_listed_and_there(site: Served) -> None:
    url = await site.job(
        "/text-to-image", data={"prompt": "x", "iterations": "2", "batchSize": "2"}
    )

    async with site.client.get(url) as response:
        images = (await response.json())["imageUrls"]

    assert images == [f"{url}/{number}.png" for number in (1, 2, 3, 4)]
    for image in images:
        assert (await answer(site, "GET", image))[0] == 200


async def test_identical_requests_at_once_are_one_job(site: Served) -> None:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(site, prompt="paint")) for _ in range(8)]
    (url,) = {task.result() for task in asked}

    await site.until(url, Change.FINISHED)

    assert await shown(site, url) == {
        "imageUrls": [f"{url}/1.png"],
        "resultUrl": url,
        "status": "COMPLETE",
    }


async def test_a_job_is_queued_then_in_progress_then_complete(site: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = await ask(site, prompt=f"wait_between gate={gate}", iterations="2")
    second = await ask(site, prompt="paint")
    await site.until(first, Change.IMAGE)

    on_its_way = await shown(site, first)
    waiting = await shown(site, second)
    await asyncio.to_thread(gate.write_text, "go")
    await site.until(first, Change.FINISHED)
    await site.until(second, Change.FINISHED)

    assert list(on_its_way) == ["imageUrls", "progress", "resultUrl", "status"]
    assert on_its_way["imageUrls"] == [f"{first}/1.png"]
    assert on_its_way["status"] == "IN_PROGRESS"
    assert list(on_its_way["progress"]) == [
        "currentImageIndex",
        "currentImageProgress",
        "totalImages",
    ]
    assert on_its_way["progress"]["totalImages"] == 2
    assert waiting == {"position": 1, "resultUrl": second, "status": "QUEUED"}
    assert len((await shown(site, first))["imageUrls"]) == 2
    assert (await shown(site, second))["status"] == "COMPLETE"


async def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    answers = []
    async with served(tmp_path, max_queue=1) as site:
        for number in range(3):  # one runs up to its gate, one waits
            data = {"prompt": f"wait_between gate={tmp_path}/gate n={number}", "iterations": "2"}
            async with site.client.post(
                "/text-to-image", data=data, allow_redirects=False
            ) as response:
                answers.append((response.status, response.headers, await response.read()))
            if number == 0:
                await site.until(response.headers["Location"], Change.STARTED)

    status, headers, body = answers[-1]
    assert answers[0][0] == 302
    assert status == 429
    assert int(headers["Retry-After"]) >= 1
    assert json.loads(body)["error"]["code"] == "queue_full"


async def test_healthz_answers_200(site: Served, tmp_path: Path) -> None:
    status, _, alive = await answer(site, "GET", "/healthz")
    assert (status, json.loads(alive)) == (200, {"status": "ok"})

    status, _, ready = await answer(site, "GET", "/readyz")
    assert status == 200
    assert json.loads(ready)["status"] == "ready"
    assert json.loads(ready)["engine"]["kind"] == "repository"
    assert json.loads(ready)["usable"] == ["text-to-image", "image-to-image", "inpaint-image"]


async def test_readyz_is_200_with_one_model_missing(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.ckpt")
    async with served(tmp_path, inpaint_image_model=missing) as site:
        status, _, body = await answer(site, "GET", "/readyz")

    assert status == 200
    assert json.loads(body)["usable"] == ["text-to-image", "image-to-image"]
    assert [item["code"] for item in json.loads(body)["problems"]] == ["model_missing"]


async def test_readyz_names_the_bundled_engine(tmp_path: Path) -> None:
    async with served(tmp_path, repository=None) as site:
        status, _, body = await answer(site, "GET", "/readyz")

    assert status == 200
    assert json.loads(body)["engine"]["kind"] == "bundled"
    assert "sdrest setup" in json.loads(body)["engine"]["message"]


async def test_readyz_is_503_without_a_working_engine(tmp_path: Path) -> None:
    async with served(tmp_path, repository=str(tmp_path / "nothing")) as site:
        status, _, body = await answer(site, "GET", "/readyz")

    assert status == 503
    problems = json.loads(body)["problems"]
    assert "repository_missing" in {problem["code"] for problem in problems}
    assert str(tmp_path) not in body.decode()


async def test_a_missing_output_folder_gets_503(site: Served) -> None:
    (site.output / ".sdrest" / "spool").rmdir()
    (site.output / ".sdrest" / "spool").write_text("in the way")
    form = aiohttp.FormData({"prompt": "x"})
    form.add_field("image", b"x", filename="x.png")

    async with site.client.post("/image-to-image", data=form) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "storage_unavailable"
