"""`GET /TYPE/ID/N.png?size=PIXELS`: smaller versions of images, over HTTP."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.web import Served, served

pytestmark = pytest.mark.integration

JOB = "/image-to-image/14d6c94308495632b5d31fad8939fc87"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    folder = tmp_path / "output" / JOB.lstrip("/")
    folder.mkdir(parents=True)
    for number in (1, 2):
        Image.effect_noise((300, 200), 90).save(folder / f"{number}.png")
    async with served(tmp_path) as site:
        yield site


def file(site: Served, number: int = 1) -> Path:
    return site.output / JOB.lstrip("/") / f"{number}.png"


async def answer(
    site: Served, query: str, *, method: str = "GET", number: int = 1, **headers: str
) -> tuple[int, Any, bytes]:
    path = f"{JOB}/{number}.png{query}"
    async with site.client.request(method, path, headers=headers) as response:
        return response.status, response.headers, await response.read()


async def size(site: Served, query: str) -> tuple[int, int]:
    status, _, body = await answer(site, query)
    assert status == 200
    with Image.open(io.BytesIO(body), formats=("PNG",)) as picture:
        picture.load()
        return picture.size


async def refused(site: Served, query: str, number: int = 1) -> str:
    async with site.client.get(f"{JOB}/{number}.png{query}") as response:
        assert response.status == 422
        error = (await response.json())["error"]
    assert error["code"] == "invalid_request"
    (field,) = error["details"]["fields"]
    assert field["field"] == "size"
    return str(field["message"])


async def test_the_longer_side_has_that_many_pixels(site: Served) -> None:
    assert await size(site, "?size=150") == (150, 100)
    assert await size(site, "?size=16") == (16, 11)
    assert await size(site, "?size=0150") == (150, 100)


@pytest.mark.parametrize("query", ["", "?size=300", "?size=1024", "?s=16", "?wait=x&download"])
async def test_a_smaller_image_is_sent_unchanged(site: Served, query: str) -> None:
    whole = await answer(site, "")
    status, headers, body = await answer(site, query)
    assert (status, body) == (200, file(site).read_bytes())
    assert headers["ETag"] == whole[1]["ETag"]


@pytest.mark.parametrize(
    "value", ["", "15", "1025", "0", "-64", "64.0", "6e2", "abc", "%D9%A6%D9%A4", "9" * 5000]
)
async def test_other_sizes_are_refused(site: Served, value: str) -> None:
    assert await refused(site, f"?size={value}") == (
        "Should be a whole number of pixels from 16 to 1024."
    )


async def test_thumbnails_have_an_etag_per_size_and_answer_304(site: Served) -> None:
    _, whole, _ = await answer(site, "")
    _, one, body = await answer(site, "?size=64")
    _, other, _ = await answer(site, "?size=65")
    assert len({headers["ETag"] for headers in (whole, one, other)}) == 3
    for name in ("Cache-Control", "Last-Modified", "Accept-Ranges", "Content-Type"):
        assert one[name] == whole[name]
    assert int(one["Content-Length"]) == len(body)

    status, headers, empty = await answer(site, "?size=64", **{"If-None-Match": one["ETag"]})
    assert (status, empty, headers["ETag"]) == (304, b"", one["ETag"])
    status, _, _ = await answer(site, "?size=64", **{"If-Modified-Since": one["Last-Modified"]})
    assert status == 304
    status, _, _ = await answer(site, "?size=64", **{"If-None-Match": whole["ETag"]})
    assert status == 200
    status, _, _ = await answer(site, "?size=64", **{"If-Match": whole["ETag"]})
    assert status == 412


async def test_thumbnails_answer_head_and_range(site: Served) -> None:
    _, whole, body = await answer(site, "?size=64")
    status, headers, empty = await answer(site, "?size=64", method="HEAD")
    assert (status, empty) == (200, b"")
    for name in ("ETag", "Content-Length", "Last-Modified", "Content-Type"):
        assert headers[name] == whole[name]
    status, headers, part = await answer(site, "?size=64", Range="bytes=10-19")
    assert (status, part) == (206, body[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(body)}"
    status, headers, _ = await answer(site, "?size=64", Range=f"bytes={len(body)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(body)}")


async def test_a_replaced_image_has_a_new_thumbnail(site: Served) -> None:
    _, before, first = await answer(site, "?size=64")
    status = file(site).stat()
    Image.new("RGB", (300, 200), "red").save(file(site))
    os.utime(file(site), ns=(status.st_atime_ns, status.st_mtime_ns))
    _, after, second = await answer(site, "?size=64")
    assert first != second
    assert before["ETag"] != after["ETag"]


async def test_many_at_once(site: Served) -> None:
    queries = [f"?size={side}" for side in (64, 128) for _ in range(40)]
    answers = await asyncio.gather(*(answer(site, query, number=2) for query in queries))
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, _, body in answers}) == 2


async def test_damaged_images(site: Served) -> None:
    whole = file(site).read_bytes()
    for content in (b"no picture", whole[:200], whole[:-100]):
        file(site).write_bytes(content)
        assert await refused(site, "?size=64") == ("The image is damaged. Request it without size.")
        status, _, body = await answer(site, "")
        assert (status, body) == (200, content)


async def test_a_thumbnail_of_a_missing_image_gets_404(site: Served) -> None:
    for number in (3, 99):
        status, _, _ = await answer(site, "?size=64", number=number)
        assert status == 404


async def test_deleted_images_have_no_thumbnails(site: Served) -> None:
    url = await site.job("/text-to-image", json={"prompt": "paint", "width": 256, "height": 256})
    query = f"{url}/1.png?size=64"
    async with site.client.get(query) as response:
        assert response.status == 200
        etag = response.headers["ETag"]
    async with site.client.delete(url) as response:
        assert response.status == 204
    for headers in ({}, {"If-None-Match": etag}):
        async with site.client.get(query, headers=headers) as response:
            assert response.status == 410


async def test_thumbnails_are_open_to_cors(site: Served) -> None:
    status, headers, _ = await answer(site, "?size=64", Origin="https://example.org")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
