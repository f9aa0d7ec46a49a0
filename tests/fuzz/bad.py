"""Bad requests as bytes. Pure: the same random numbers make the same requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, quote_from_bytes

from tests.fuzz import values, words

TOKEN = "token-of-the-fuzzer"
HOST = b"Host: localhost\r\n"


@dataclass(frozen=True, slots=True)
class Bad:
    """A request. Where it is not `complete`, there may be no answer."""

    kind: str
    content: bytes
    complete: bool = True


def bad(random: Random) -> Bad:
    """Return one more bad request."""
    kind, make = random.choice(_KINDS)
    made = make(random)
    if random.random() < 0.06:
        return Bad(f"{kind}, mutated", _mutated(random, made.content), complete=False)
    return made


def _request(
    random: Random, kind: str, method: str, path: str, body: bytes = b"", *, media: str = ""
) -> Bad:
    head = [f"{method} {path} HTTP/1.1".encode("utf-8", "surrogatepass"), HOST.strip()]
    if random.random() < 0.9:
        head.append(f"Authorization: Bearer {TOKEN}".encode())
    if media:
        head.append(f"Content-Type: {media}".encode())
    if body or method == "POST":
        head.append(f"Content-Length: {len(body)}".encode())
    return Bad(kind, b"\r\n".join([*head, b"", body]))


def _post_path(random: Random) -> str:
    return f"/{random.choice(values.TYPES)}"


def _json(random: Random) -> Bad:
    if random.random() < 0.3:
        body = random.choice(values.RAW_JSON)
    else:
        fields = {values.name(random): values.value(random) for _ in range(random.randrange(6))}
        fields.setdefault("height", "bad")  # so that few of them become jobs
        body = json.dumps(fields).encode()
    charset = random.choice(("", "", "", "; charset=utf-16", "; charset=x"))
    path = "/session" if random.random() < 0.15 else _post_path(random)
    return _request(random, "json", "POST", path, body, media=f"application/json{charset}")


def _urlencoded(random: Random) -> Bad:
    if random.random() < 0.3:
        body = random.choice(
            (
                b"&" * 5000,
                b"a" + b"[b]" * 3000 + b"=1",
                b"a[]=1&" * 999,
                b"%",
                b"a=%ff%zz",
                b"=",
                b"a",
            )
        )
    else:
        pairs = ((values.name(random), values.text(random)) for _ in range(random.randrange(1, 9)))
        body = b"&".join(
            quote(key.encode("utf-8", "replace")).encode() + b"=" +
            quote_from_bytes(text.encode("utf-8", "replace")).encode() for key, text in pairs
        )  # fmt: skip
        body += b"&height=bad"
    media = "application/x-www-form-urlencoded"
    return _request(random, "urlencoded", "POST", _post_path(random), body, media=media)


def _multipart(random: Random) -> Bad:
    boundary = random.choice(("B", "B", "B", "-" * 60, "-" * 3000, "a b", "'()+_,-./:=?"))
    parts = b"".join(_part(random, boundary) for _ in range(random.randrange(5)))
    if random.random() < 0.1:
        parts += _part(random, boundary) * 1200
    end = random.choice((f"--{boundary}--\r\n", f"--{boundary}--\r\n", "", f"--{boundary}", "--"))
    media = f'multipart/form-data; boundary="{boundary}"'
    body = parts + end.encode()
    return _request(random, "multipart", "POST", _post_path(random), body, media=media)


def _words(random: Random) -> Bad:
    body = b"".join(random.choices(values.BODY_WORDS, k=random.randrange(30)))
    media = random.choice(
        ("multipart/form-data; boundary=B", "application/json", "application/x-www-form-urlencoded")
    )
    path = _post_path(random) + random.choice(("", "", "/"))
    return _request(random, "words", "POST", path, body, media=media)


def _part(random: Random, boundary: str) -> bytes:
    name = random.choice((values.name(random), "image", "mask"))
    name = name.replace('"', "%22").replace("\r", "").replace("\n", "")
    disposition = f'Content-Disposition: form-data; name="{name}"'
    content = values.text(random).encode("utf-8", "replace")
    if random.random() < 0.5:
        filename = random.choice(
            ("a.png", "../../a.png", "/etc/passwd", "a.html", "%00", "CON", "é")
        )
        disposition += f'; filename="{filename}"'
        content = values.file(random)
    headers = random.choice(
        (
            disposition,
            disposition,
            disposition,
            f"{disposition}\r\nContent-Type: {random.choice(words.VALUES[:40])}",
            f"{disposition}\r\nContent-Transfer-Encoding: base64",
            f"{disposition}\r\nContent-Length: 99999",
            f"{disposition}\r\nContent-Encoding: gzip",
            f"{disposition}\r\nContent-Type: multipart/mixed; boundary=C",
            "Content-Disposition: attachment",
            "X: y\r\n" * 300 + disposition,
            "X: " + "y" * 20_000,
            "no header",
            "",
        )
    )
    head = f"--{boundary}\r\n{headers}\r\n\r\n".encode("utf-8", "replace")
    return head + content + b"\r\n"


def _headers(random: Random) -> Bad:
    lines = [
        f"{random.choice(words.NAMES)}: {random.choice(words.VALUES)}".encode("latin-1", "replace")
        for _ in range(random.choice((1, 1, 2, 3, 200)))
    ]
    method = random.choice(("GET", "POST", "OPTIONS", "HEAD", "DELETE"))
    head = f"{method} {_job_path(random)} HTTP/{random.choice(('1.1', '1.0', '1.1', '9.9'))}"
    if random.random() < 0.8:
        lines.append(f"Authorization: Bearer {TOKEN}".encode())
    content = b"\r\n".join([head.encode(), HOST.strip(), *lines, b"", b"{}"])
    return Bad("headers", content, complete=False)


def _job_path(random: Random) -> str:
    ending = random.choice(words.ENDINGS)
    return f"/{random.choice(values.TYPES)}/{random.choice(values.IDS)}{ending}"


def _paths(random: Random) -> Bad:
    path = random.choice((random.choice(words.FIXED_PATHS), _job_path(random)))
    method = random.choice(("GET", "GET", "POST", "DELETE", random.choice(words.METHODS)))
    made = _request(random, "paths", method, path)
    return Bad("paths", made.content, complete=False)


def _queries(random: Random) -> Bad:
    names = ("limit", "cursor", "status", "type", "size", "wait", "__proto__", "limit[]")
    pairs = (
        f"{random.choice(names)}={quote(values.text(random)[:1000].encode('utf-8', 'replace'))}"
        for _ in range(random.randrange(1, 5))
    )
    path = random.choice(("/jobs", "/events", _job_path(random).partition("?")[0]))
    method = random.choice(("GET", "HEAD"))
    return Bad("queries", _request(random, "", method, f"{path}?{'&'.join(pairs)}").content, False)  # noqa: FBT003


def _raw(random: Random) -> Bad:
    content = random.choice(
        (
            values.noise(random, 3000),
            b"\0" * 5000,
            b"\r\n" * 2000,
            b"GET / HTTP/1.1\r\n" + b"a" * 20_000,
            b"POST /text-to-image HTTP/1.1\r\n"
            + HOST
            + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /text-to-image HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            b"ffffffffffffffff\r\n",
            b"POST /text-to-image HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + values.noise(random, 300),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            (b"GET /nope HTTP/1.1\r\n" + HOST + b"\r\n") * 100,
            b"GET /\r\n\r\n",
        )
    )
    return Bad("raw bytes", content, complete=False)


def _mutated(random: Random, content: bytes) -> bytes:
    made = bytearray(content or b"\0")
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(made))
        match random.randrange(3):
            case 0:
                made[place] = random.randrange(256)
            case 1:
                made[place:place] = random.randbytes(random.randrange(9))
            case _:
                del made[place : place + random.randrange(9)]
                made = made or bytearray(b"\0")
    return bytes(made)


_KINDS: tuple[tuple[str, Callable[[Random], Bad]], ...] = (
    ("json", _json),
    ("urlencoded", _urlencoded),
    ("multipart", _multipart),
    ("multipart", _multipart),
    ("words", _words),
    ("words", _words),
    ("headers", _headers),
    ("paths", _paths),
    ("queries", _queries),
    ("raw bytes", _raw),
)
