"""Bodies of every encoding and of every kind of malice, over real sockets."""

import asyncio
import gzip
import hashlib
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.web.dialects.original_ids import job_id
from tests.support.forms import form, png
from tests.support.paths import DATA
from tests.support.web import FORK, Served, served

pytestmark = pytest.mark.integration

SERVER = {
    "modelFilePath": "./models/text-to-image.ckpt",
    "stableDiffusionRepositoryDirectoryPath": str(FORK),
}
CASES = DATA / "cases"
Colour = tuple[int, int, int, int]
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, max_upload=1, max_pixels=256 * 256) as site:
        yield site
        assert site.spooled() == [], "nothing of a request is left in the spool"


def part(head: str, content: bytes = b"") -> bytes:
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def text(name: str, value: str = "x") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def head(headers: bytes, path: bytes = b"/text-to-image") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n"


async def until(condition: Callable[[], object]) -> None:
    """Let the server work until a condition is true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (the file system tells of no event)
            await asyncio.sleep(0)


async def post(site: Served, path: str = "/text-to-image", **request: Any) -> tuple[int, Any]:
    """Post, and return the status with the error or, of a redirect, the place."""
    async with site.client.post(path, **request, allow_redirects=False) as response:
        if response.status == 302:
            return 302, response.headers["Location"]
        assert response.content_type == "application/json"
        return response.status, (await response.json())["error"]


async def multipart(site: Served, content: bytes, path: str = "/text-to-image") -> tuple[int, Any]:
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    return await post(site, path, data=io.BytesIO(content), headers=headers)


async def test_three_encodings_are_one_job(site: Served) -> None:
    fields = {"prompt": "paint", "iterations": "2", "a[b]": "1", "c[]": "2"}
    nested = {"prompt": "paint", "iterations": "2", "a": {"b": "1"}, "c": ["2"]}
    place = f"/text-to-image/{job_id(nested, SERVER)}"

    assert await post(site, data=form(fields)) == (302, place)
    assert await post(site, data=fields) == (302, place)
    assert await post(site, json=nested) == (302, place)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/text-to-image/", "/text-to-image/"),
        ("/text-to-image?prompt=other", "/text-to-image/"),
        ("/Text-to-Image", "/Text-to-Image/"),
    ],
)
async def test_spellings_of_the_route(site: Served, path: str, place: str) -> None:
    id_ = job_id({"prompt": "paint"}, SERVER)

    assert await post(site, path, data={"prompt": "paint"}) == (302, place + id_)


async def test_a_picture_is_a_job_named_by_its_content(site: Served) -> None:
    values = {"imageFilePath": hashlib.sha256(png()).hexdigest(), **SERVER}
    place = f"/image-to-image/{job_id({'prompt': 'paint'}, values)}"

    url = await site.job("/image-to-image", data=form({"prompt": "paint"}, image=png()))
    again = await post(site, "/image-to-image", data=form({"prompt": "paint"}, image=png()))

    assert url == place
    assert again == (302, place)
    async with site.client.get(url) as response:
        assert (await response.json())["status"] == "COMPLETE"


async def test_inpainting_takes_two_pictures(site: Served) -> None:
    url = await site.job("/inpaint-image", data=form({}, mask=png(colour="white"), image=png()))

    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    assert painted.size == (64, 64)
    assert painted.getpixel((3, 3)) == (255, 0, 0)


def square(ground: Colour, ink: Colour) -> bytes:
    """A mask of 64 pixels a side, with a square in its middle."""
    picture = Image.new("RGBA", (64, 64), ground)
    picture.paste(ink, (16, 16, 48, 48))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["gama-short", "iccp-garbage", "text-bad-crc"])
async def test_a_png_with_damaged_metadata_is_a_job(site: Served, name: str) -> None:
    content = (CASES / f"kind-{name}.png").read_bytes()

    url = await site.job("/image-to-image", data=form({"prompt": "paint"}, image=content))

    async with site.client.get(url) as response:
        assert (await response.json())["status"] == "COMPLETE"


@pytest.mark.parametrize(
    ("name", "colour"),
    [("p3", (217, 42, 52)), ("gamma1", (229, 133, 133)), ("untagged", (200, 60, 60))],
)
async def test_colours_outside_a_mask_come_back_as_srgb(
    site: Served, name: str, colour: tuple[int, int, int]
) -> None:
    image, mask = ((CASES / f"{file}.png").read_bytes() for file in (name, "mask"))

    url = await site.job("/inpaint-image", data=form({}, image=image, mask=mask))

    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    found = painted.getpixel((2, 2))
    assert isinstance(found, tuple)
    assert max(abs(one - other) for one, other in zip(found, colour, strict=True)) <= 1
    assert painted.info.get("icc_profile") is None


@pytest.mark.parametrize(
    ("ground", "ink"),
    [
        ((0, 0, 0, 255), (255, 255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 255, 255)),
        ((0, 0, 0, 0), (255, 0, 0, 128)),
        ((90, 120, 90, 255), (0, 0, 0, 0)),
    ],
    ids=["white on black", "blue on black", "red on clear", "hole"],
)
async def test_what_a_mask_means_is_repainted(site: Served, ground: Colour, ink: Colour) -> None:
    body = form({}, image=png(), mask=square(ground, ink))

    url = await site.job("/inpaint-image", data=body)

    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    assert painted.getpixel((32, 32)) == (255, 0, 0)
    assert painted.getpixel((3, 3)) == (0, 0, 128)


@pytest.mark.parametrize("colour", ["black", "clear", "#646464"])
async def test_a_mask_that_repaints_nothing_is_422(site: Served, colour: str) -> None:
    clear = square((0, 0, 0, 0), (0, 0, 0, 0))
    mask = clear if colour == "clear" else png(colour=colour)
    body = form({}, image=png(), mask=mask)

    status, error = await post(site, "/inpaint-image", data=body)

    assert (status, error["code"]) == (422, "invalid_request")
    (wrong,) = error["details"]["fields"]
    assert wrong["field"] == "mask"
    assert wrong["message"].startswith("Has nothing to repaint. White parts of a mask")


@pytest.mark.parametrize("path", ["/image-to-image", "/inpaint-image"])
@pytest.mark.parametrize("encoding", ["json", "urlencoded", "multipart"])
async def test_a_missing_upload_is_reported_with_all_other_errors(
    site: Served, path: str, encoding: str
) -> None:
    fields = {"steps": "0", "seed": "-2"}
    bodies: dict[str, dict[str, Any]] = {
        "json": {"json": fields},
        "urlencoded": {"data": fields},
        "multipart": {"data": form(fields)},
    }

    status, error = await post(site, path, **bodies[encoding])

    assert (status, error["code"]) == (422, "invalid_request")
    named = {item["field"] for item in error["details"]["fields"]}
    assert {"image", "steps", "seed"} <= named
    assert ("mask" in named) == (path == "/inpaint-image")


async def test_wrong_uploads_are_reported_with_all_other_errors(site: Served) -> None:
    body = form({"steps": "0"}, image=png()[:50], mask=png((300, 300)))

    status, error = await post(site, "/inpaint-image", data=body)

    assert status == 422
    named = [item["field"] for item in error["details"]["fields"]]
    assert sorted(named) == ["image", "mask", "steps"]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (form({"prompt": "x"}, image=png()), "image"),
        (form({"prompt": "x"}, picture=png()), "picture"),
    ],
)
async def test_an_unknown_upload_field_is_refused(
    site: Served, parts: aiohttp.FormData, field: str
) -> None:
    status, error = await post(site, data=parts)

    assert status == 422
    assert [item["field"] for item in error["details"]["fields"]] == [field]


async def test_a_second_picture_is_refused(site: Served) -> None:
    body = form({"prompt": "x"}, image=png())
    body.add_field("image", png(colour="red"), filename="b.png")

    status, error = await post(site, "/image-to-image", data=body)

    assert status == 422
    assert error["details"]["fields"] == [{"field": "image", "message": "Should come once only."}]


async def test_an_upload_needs_no_filename(site: Served) -> None:
    """Some clients tell the type of a part alone."""
    content = png()
    head = 'Content-Disposition: form-data; name="image"'
    typed = part(f"{head}\r\nContent-Type: image/png", content) + text("prompt") + b"--B--"
    status, location = await multipart(site, typed, "/image-to-image")
    assert status == 302, location
    named = part(f'{head}; filename="a.png"', content) + text("prompt") + b"--B--"
    assert await multipart(site, named, "/image-to-image") == (302, location)


async def test_an_empty_file_input_is_no_file(site: Served) -> None:
    head = 'Content-Disposition: form-data; name="image"; filename=""\r\n'
    empty = part(head + "Content-Type: application/octet-stream")

    status, place = await multipart(site, text("prompt", "paint") + empty + b"--B--\r\n")

    assert (status, place) == (302, f"/text-to-image/{job_id({'prompt': 'paint'}, SERVER)}")


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", None, 422),
        (b"", "application/json", 422),
        (b"", URLENCODED, 422),
        (b"--B--\r\n", "multipart/form-data; boundary=B", 422),
        (b"{}", None, 415),
        (b"{}", "text/plain", 415),
        (b"{}", "application/vnd.api+json", 415),
        (b"{}", "nonsense", 415),
        (b"{}", "application/json; charset=latin1", 415),
        (b"{}", "application/json; charset=utf-32", 415),
        (b"a=1", URLENCODED + "; charset=latin1", 415),
        (b"--B--", "multipart/mixed; boundary=B", 415),
        (b"--B--", "multipart/form-data", 400),
        (b"--B--", "multipart/form-data; boundary=", 400),
        (b"--B--", 'multipart/form-data; boundary=""', 400),
        (b"--B--", "multipart/form-data; boundary=" + "-" * 5000, 400),
        (b"[]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"1", "application/json", 400),
        (b"null", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"prompt": NaN}', "application/json", 400),
        (b'{"prompt": "a\tb"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"a":' * 20_000, "application/json", 400),
        (b'{"prompt":"x","a":' + b"[" * 300 + b"]" * 300 + b"}", "application/json", 400),
        (b"a" + b"[b]" * 33 + b"=1", URLENCODED, 400),
        (b"&".join([b"a=1"] * 1001), URLENCODED, 413),
        (b"x" * 102_401, "application/json", 413),
        (b"x" * 102_401, URLENCODED, 413),
        (b'{"prompt":"' + b"x" * 100_001 + b'"}', "application/json", 413),
        (text("prompt", "x" * (1024 * 1024)) + b"--B--", "multipart/form-data; boundary=B", 413),
        (text("prompt") * 1001 + b"--B--", "multipart/form-data; boundary=B", 413),
        (text("a[65]") + b"--B--", "multipart/form-data; boundary=B", 400),
        (text("a" + "[b]" * 33) + b"--B--", "multipart/form-data; boundary=B", 400),
        (text("prompt"), "multipart/form-data; boundary=B", 400),
        (text("prompt")[:-9], "multipart/form-data; boundary=B", 400),
        (b"no boundary at all", "multipart/form-data; boundary=B", 400),
        (b"--B\r\n" + b"X: y\r\n" * 5000, "multipart/form-data; boundary=B", 400),
        (b"--B\r\nX: " + b"y" * 50_000, "multipart/form-data; boundary=B", 400),
        (part("no header") + b"--B--", "multipart/form-data; boundary=B", 400),
        (part("Content-Disposition: form-data", b"x") + b"--B--",
         "multipart/form-data; boundary=B", 400),
        (part("Content-Type: multipart/mixed; boundary=C", b"x") + b"--B--",
         "multipart/form-data; boundary=B", 400),
        (part('Content-Disposition: form-data; name="prompt"\r\n'
              "Content-Type: text/plain; charset=klingon", b"x") + b"--B--",
         "multipart/form-data; boundary=B", 415),
        (part('Content-Disposition: attachment; name="prompt"', b"x") + b"--B--",
         "multipart/form-data; boundary=B", 422),
        (part('Content-Disposition: form-data; name="prompt', b"x") + b"--B--",
         "multipart/form-data; boundary=B", 422),
    ],
)  # fmt: skip
async def test_malformed_bodies_are_refused_with_4xx(
    site: Served, content: bytes, content_type: str | None, status: int
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    got, error = await post(
        site, data=io.BytesIO(content), headers=headers, skip_auto_headers=["Content-Type"]
    )

    assert got == status, error
    assert error["message"]


async def test_an_upload_over_max_upload_gets_413_and_is_removed(site: Served) -> None:
    status, error = await post(
        site, "/image-to-image", data=form({"prompt": "x"}, image=b"x" * (1024 * 1024 + 1))
    )

    assert (status, error["code"]) == (413, "too_large")


async def test_a_content_length_far_over_the_limit_gets_413(site: Served) -> None:
    form_ = b"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 99999999999"
    answer = await site.raw(head(form_) + b"--B")

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_the_sum_of_all_fields_is_limited_413(site: Served) -> None:
    content = text("prompt", "x" * 1_000_000) * 9 + b"--B--"
    status, _ = await multipart(site, content)
    assert status == 413

    async def stream() -> AsyncIterator[bytes]:
        yield content

    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    status, _ = await post(site, data=stream(), headers=headers)
    assert status == 413


async def test_a_chunked_body_over_the_limit_gets_413(site: Served) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    headers = {"Content-Type": "application/json"}
    status, _ = await post(site, data=endless(), headers=headers)

    assert status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "nonsense"])
async def test_content_encoding_gzip_is_refused_without_inflating(
    site: Served, encoding: str
) -> None:
    content = gzip.compress(bytes(50_000_000))

    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    status, error = await post(site, data=io.BytesIO(content), headers=headers)

    assert (status, error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ('{"prompt": "pa\u00efnt \U0001f600"}'.encode(), "application/json"),
        ('\ufeff{"prompt": "pa\u00efnt \U0001f600"}'.encode(), "Application/JSON"),
        (
            '{"prompt": "pa\u00efnt \U0001f600"}'.encode("utf-16"),
            "application/json; charset=UTF-16",
        ),
        ('{"prompt": "pa\u00efnt \U0001f600"}'.encode("utf-16-be"),
         'application/json; charset="utf-16be"'),
        (b"prompt=pa%C3%AFnt+%F0%9F%98%80", URLENCODED),
        ("prompt=pa\u00efnt \U0001f600".encode(), URLENCODED + "; charset=utf-8"),
        (text("prompt", "pa\u00efnt \U0001f600") + b"--B--",
         'multipart/form-data; boundary="B"; charset=x'),
        (b"preamble\r\n" + text("prompt", "pa\u00efnt \U0001f600") + b"--B--\r\nepilogue",
         "Multipart/Form-Data;boundary=B"),
        (part("Content-Disposition: Form-Data ;name=prompt\r\nContent-Type: text/plain; "
              "charset=utf-16le", "pa\u00efnt \U0001f600".encode("utf-16-le")) + b"--B--",
         "multipart/form-data; boundary=B"),
    ],
)  # fmt: skip
async def test_charsets_and_spellings_lead_to_one_job(
    site: Served, content: bytes, content_type: str
) -> None:
    got = await post(site, data=io.BytesIO(content), headers={"Content-Type": content_type})

    fields = {"prompt": "pa\u00efnt \U0001f600"}
    assert got == (302, f"/text-to-image/{job_id(fields, SERVER)}")


async def test_names_are_in_latin_1_as_in_the_original(site: Served) -> None:
    content = text("prompt", "paint") + text('caf\u00e9 \\"x\\\\', "1") + b"--B--"

    got = await multipart(site, content)

    fields = {"prompt": "paint", 'caf\u00c3\u00a9 "x\\': "1"}
    assert got == (302, f"/text-to-image/{job_id(fields, SERVER)}")


async def test_a_parts_own_headers_do_not_decide_what_it_holds(site: Served) -> None:
    claim = 'Content-Disposition: form-data; name="prompt"\r\nContent-Length: 2\r\n'
    encoding = "Content-Transfer-Encoding: base64\r\nContent-Encoding: gzip"
    content = text("_charset_", "latin-1") + part(claim + encoding, b"paint") + b"--B--"

    got = await multipart(site, content)

    fields = {"_charset_": "latin-1", "prompt": "paint"}
    assert got == (302, f"/text-to-image/{job_id(fields, SERVER)}")


async def test_a_client_that_disconnects_during_an_upload_leaves_no_file(
    site: Served, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    form_ = b"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 900000"
    writer.write(head(form_ + b"\r\nExpect: 100-continue", path=b"/image-to-image"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
    image = 'Content-Disposition: form-data; name="image"; filename="a"'
    writer.write(part(image, b"x" * 700_000))
    await until(site.spooled)
    writer.transport.abort()
    await until(lambda: not site.spooled())
    assert (await post(site, json={"prompt": "paint"}))[0] == 302
    assert not caplog.records


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 5000 + b"\r\n", 400),
        (head(b"Content-Type: application/json\r\nTransfer-Encoding: chunked") + b"zz\r\n", 400),
        (head(b"Expect: miracles\r\nContent-Length: 0"), 417),
        (b"GET /none HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\n\r\n", 417),
    ],
)
async def test_malformed_http_gets_400_in_json(site: Served, request_: bytes, status: int) -> None:
    answer = await site.raw(request_)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert (
        json.loads(body)["error"]["code"]
        == {400: "malformed_request", 417: "expectation_failed"}[status]
    )


async def test_a_body_with_no_http_behind_it_is_read_once(site: Served) -> None:
    """Each read of the body made another error of what follows, which held what was read."""
    skipped = part("Content-Disposition: attachment", b"x" * 200)
    body = skipped * 900 + b"--B--\r\n"
    form_ = b"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: %d"
    tracemalloc.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(head(form_ % len(body)) + body + b"\0 no HTTP \0\r\n\r\n" * 3)
        async with asyncio.timeout(60):
            answers = await reader.read()
        writer.transport.abort()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answers.startswith(b"HTTP/1.1 422 ")
    assert answers.count(b"HTTP/1.0 400 Bad Request") == 1
    assert peak < 20 * len(body)


async def test_an_http_1_0_client_gets_no_100_continue(site: Served) -> None:
    request = head(b"Expect: 100-continue\r\nContent-Length: 0").replace(b"HTTP/1.1", b"HTTP/1.0")

    assert (await site.raw(request)).startswith(b"HTTP/1.0 422 ")
