"""Limits of bodies (413), Content-Encoding, charsets and malformed HTTP, over real sockets."""

import asyncio
import gzip
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sdrest.web.dialects.original_ids import job_id
from tests.support.bodies import SERVER, head, multipart, part, post, text
from tests.support.forms import form
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, max_upload=1, max_pixels=256 * 256) as site:
        yield site
        assert site.spooled() == [], "nothing of a request is left in the spool"


async def until(condition: Callable[[], object]) -> None:
    """Let the server work until a condition is true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (the file system tells of no event)
            await asyncio.sleep(0)


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
    writer.write(part(image, b"x" * 880_000))
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
