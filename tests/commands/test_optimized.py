"""`python -OO` strips docstrings and assertions: what users read stays the same."""

import hashlib
import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sdrest
from sdrest.errors import SdrestError
from sdrest.web.page.handlers import PARAMETERS
from tests.support.in_process import run_here
from tests.support.server import PATIENCE, Serve, environment

pytestmark = pytest.mark.integration

UNKNOWN = f"/text-to-image/{hashlib.md5(b'nobody').hexdigest()}"
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/openapi.json", {}),
    ("GET", "/docs", {}),
    ("GET", PARAMETERS, {}),
    ("GET", "/", {}),
    ("GET", "/nothing", {}),
    ("GET", UNKNOWN, {}),
    ("POST", f"{UNKNOWN}/retry", {}),
    ("PUT", "/text-to-image", {}),
    ("POST", "/text-to-image", {"data": b"{", "headers": {"Content-Type": "application/json"}}),
    ("POST", "/text-to-image", {"data": b"x", "headers": {"Content-Type": "text/csv"}}),
    ("POST", "/text-to-image", {"json": {}}),
    ("POST", "/text-to-image", {"json": {"prompt": "x" * 200_000}}),
    ("POST", "/inpaint-image", {"data": {"image": "no picture", "mask": ""}}),
    ("GET", "/healthz", {"headers": {"Host": "elsewhere.example"}}),
    ("GET", "/jobs", {"headers": {"Origin": "https://elsewhere.example"}}),
]


async def answers(serve: Serve, folder: Path, **env: str) -> list[tuple[str, int, bytes]]:
    """Return what a server answers, and how an honest job ends."""
    async with serve("--no-cors", "--token", "secret", env=env, folder=folder) as server:
        found = []
        async with server.client() as client, client.get("/jobs") as refused:
            found.append(("without a token", refused.status, await refused.read()))
        async with server.client(Authorization="Bearer secret") as client:
            for method, path, options in REQUESTS:
                async with client.request(
                    method, path, allow_redirects=False, **options
                ) as response:
                    found.append((f"{method} {path}", response.status, await response.read()))
            job = {"prompt": "a red fox", "width": "256", "height": "256", "steps": "4"}
            async with client.post("/text-to-image", data=job) as response:
                assert response.status == 200
                path = response.url.path
            await server.out.end_of(path.rpartition("/")[2])
            for suffix in ("", "/1.png"):
                async with client.get(path + suffix) as response:
                    found.append((suffix, response.status, await response.read()))
        return found


async def test_a_server_under_oo_answers_the_same(serve: Serve, tmp_path: Path) -> None:
    for name in ("plain", "optimized"):
        (tmp_path / name).mkdir()
    plain = await answers(serve, tmp_path / "plain")
    optimized = await answers(serve, tmp_path / "optimized", PYTHONOPTIMIZE="2")
    assert [(name, status) for name, status, _ in optimized] == [
        (name, status) for name, status, _ in plain
    ]
    for (name, _, body), (_, _, expected) in zip(optimized, plain, strict=True):
        assert body == expected, name
    assert not any(b'"None ' in body for _, _, body in optimized)


@pytest.mark.parametrize("words", [["--help"], ["setup", "--help"], ["generate", "--help"],
                                   ["doctor", "--help"], ["--port", "x"]])  # fmt: skip
def test_the_terminal_under_oo_says_the_same(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    plain = run_here(capfd, tmp_path, environment(), *words)
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "sdrest", *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == plain


def test_every_error_has_a_message_apart_from_its_docstring() -> None:
    for module in pkgutil.walk_packages(sdrest.__path__, "sdrest."):
        if not module.name.startswith("sdrest.bundled") and module.name != "sdrest.__main__":
            import_module(module.name)
    pending, seen = [SdrestError], set[type[SdrestError]]()
    while pending:
        kind = pending.pop()
        seen.add(kind)
        pending += kind.__subclasses__()
        assert kind.default_message != inspect.getdoc(kind)
        assert "default_message" in vars(kind) or kind.__name__ == "RequestError", kind
    assert len(seen) > 15
