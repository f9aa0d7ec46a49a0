"""Access rules: tokens, hosts, origins."""

import socket

import pytest

from sdrest.commands.options import parse
from sdrest.errors import UsageError
from sdrest.settings import FLAGS, Settings
from sdrest.web.app import create_app
from sdrest.web.dialects.a1111.constants import ANSWERS
from sdrest.web.requests.access import ACCESS, is_loopback, require_lock

CORS_ORIGIN = next(flag for flag in FLAGS if flag.name == "cors_origin")

IMAGES = ("generations", "edits", "variations")
PUBLIC = {
    "GET /": False,
    "GET /docs": False,
    "GET /openapi.json": False,
    "POST /session": False,
    "DELETE /session": False,
    "GET /healthz": True,
    "GET /readyz": False,
    "GET /v1/images/files/{name}": True,  # signed
    "GET /internal/ping": True,
    "GET /config": True,
}
A1111_PICTURES = ("txt2img", "img2img", "png-info", "interrogate")
FOREIGN = {
    *(f"POST /sdapi/v1/{name}" for name in A1111_PICTURES),
    *(f"POST /sdapi/v1/extra-{name}" for name in ("single-image", "batch-images")),
    *(f"GET /sdapi/v1/{name}" for name in (*ANSWERS, "options", "progress", "sd-models", "memory")),
    *(f"POST {start}/images/{name}" for start in ("", "/v1") for name in IMAGES),
    "GET /v1/models",
    "GET /v1/models/{model}",
    "GET /TYPE/{id}",
    "GET /TYPE/{id}/events",
    "GET /TYPE/{id}/preview",
    "GET /TYPE/{id}/{number}.png",
    "POST /TYPE",
    "POST /TYPE/{id}",
}


def test_only_these_routes_need_no_token() -> None:
    """A new route is the owner's; opening it takes a change here and in `web/routes/`."""
    app = create_app(Settings())
    for route, access in app[ACCESS]._routes.items():
        if route.method in {"HEAD", "OPTIONS"}:
            continue
        assert route.resource is not None
        path = route.resource.canonical.removesuffix("{slash}")
        for name in ("text-to-image", "image-to-image", "inpaint-image", "{type}"):
            path = path.replace(f"/{name}", "/TYPE")
        name = f"{route.method} {path}"
        static = path.startswith("/static/")
        assert access.token is not (static or name in PUBLIC), name
        assert access.foreign is (name in FOREIGN or PUBLIC.get(name, False)), name


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.3.2.1", "localhost", "::1", "nowhere.invalid", "a" * 300]
)
def test_loopback_and_what_is_no_address_need_no_token(host: str) -> None:
    require_lock(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_any_other_address_needs_a_token_or_a_word(host: str) -> None:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        pytest.skip("this machine has no such addresses")
    with pytest.raises(UsageError, match="--token"):
        require_lock(Settings(host=host))
    require_lock(Settings(host=host, token="secret"))
    require_lock(Settings(host=host, auth=False))
    assert not is_loopback(host)


def test_a_token_and_no_auth_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="contradict") as caught:
        require_lock(Settings(token="swordfish", auth=False))
    assert "swordfish" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("https://a.example", ("https://a.example",)),
        ("HTTPS://A.example:443 , http://b:80,", ("https://a.example", "http://b")),
        ("http://[::1]:3000,http://[::1]:3000", ("http://[::1]:3000",)),
        ("chrome-extension://abcdef", ("chrome-extension://abcdef",)),
    ],
)
def test_origins_are_spelled_as_browsers_spell_them(text: str, origins: tuple[str, ...]) -> None:
    assert parse(CORS_ORIGIN, text) == origins


@pytest.mark.parametrize(
    "text", ["*", "null", "a.example", "https://", "https://a/", "https://a/b", "http://a:port"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(CORS_ORIGIN, text)
