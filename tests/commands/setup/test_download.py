"""Downloads from a real server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sdrest.commands.setup.download import discard, fetch, part_of
from sdrest.commands.setup.step import StepError

pytestmark = pytest.mark.integration

CONTENT = bytes(range(256)) * 40
HALF = len(CONTENT) // 2

FIRST: dict[str, Any] = {
    "busy": {"status": 503},
    "breaks": {"body": CONTENT[:HALF], "length": len(CONTENT), "etag": '"1"'},
    "weak": {"body": CONTENT[:HALF], "length": len(CONTENT), "etag": 'W/"1"'},
    "changes": {"body": b"x" * HALF, "length": len(CONTENT), "etag": '"1"'},
    "dull": {"body": CONTENT[:HALF], "length": len(CONTENT), "etag": '"1"'},
}
"""Answers to the first request for a path."""

ALWAYS: dict[str, Any] = {
    "moved": {"status": 302, "location": "/whole"},
    "page": {"body": b"<html>", "content_type": "text/html; charset=utf-8"},
    "gone": {"status": 404},
    "always": {"status": 500},
}
"""Answers to every other request for a path; that for any other path is the file."""


class Source(ThreadingHTTPServer):
    """Answers as the path says; `asked` are the paths and the ranges of the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self) -> None:
        name, asked = self.path[1:], self.headers["Range"]
        first = not self.server.asked
        self.server.asked.append((name, asked))
        if first and name in FIRST:
            self._send(**FIRST[name])
        elif name == "breaks" and asked and self.headers["If-Range"] == '"1"':
            self._send(CONTENT[int(asked[6:-1]) :], status=206)
        elif name == "dull" and asked:
            self._send(status=416)
        else:
            self._send(**ALWAYS.get(name, {"body": CONTENT, "etag": '"2"'}))

    def _send(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        length: int | None = None,
        etag: str = "",
        **headers: str,
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "etag": etag}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def source() -> Iterator[Source]:
    with Source() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def nobody(_: int, __: int | None) -> None:
    pass


@pytest.mark.parametrize(
    ("path", "ranges"),
    [
        ("whole", [None]),
        ("moved", [None, None]),
        ("busy", [None, None]),
        ("breaks", [None, f"bytes={HALF}-"]),
        ("weak", [None, None]),
        ("changes", [None, f"bytes={HALF}-"]),
        ("dull", [None, f"bytes={HALF}-", None]),
    ],
)
def test_a_file_comes_whole(
    source: Source, tmp_path: Path, path: str, ranges: list[str | None]
) -> None:
    seen: list[tuple[int, int | None]] = []
    digest = hashlib.sha256(CONTENT).hexdigest().upper()
    target = tmp_path / "folder/model.ckpt"
    part = fetch(source.url(path), target, lambda *progress: seen.append(progress), sha256=digest)
    assert part.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [asked for _, asked in source.asked] == ranges
    assert fetch(source.url(path), target, nobody) == part
    discard(target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("page", "is a web page, not the file"),
        ("gone", "the answer was 404"),
        ("always", "the answer was 500. Run again to go on"),
    ],
)
def test_what_does_not_come(source: Source, tmp_path: Path, path: str, text: str) -> None:
    with pytest.raises(StepError, match=text):
        fetch(source.url(path), tmp_path / "model.ckpt", nobody)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with Source() as closed:
        url = closed.url("whole")
    with pytest.raises(StepError, match="Cannot download"):
        fetch(url, tmp_path / "model.ckpt", nobody)


def test_a_partial_download_of_another_source_is_not_continued(
    source: Source, tmp_path: Path
) -> None:
    target = tmp_path / "model.ckpt"
    part_of(target).write_bytes(b"something else")
    assert fetch(source.url("whole"), target, nobody).read_bytes() == CONTENT


def test_a_wrong_checksum_removes_the_partial_download(source: Source, tmp_path: Path) -> None:
    target = tmp_path / "model.ckpt"
    with pytest.raises(StepError, match="its SHA-256 is"):
        fetch(source.url("whole"), target, nobody, sha256="00" * 32)
    assert list(tmp_path.iterdir()) == []
