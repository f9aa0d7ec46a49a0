"""The recorded exchanges of the original hold against the real server, with a fake fork behind it.

A case's verdict says how: what is to be reproduced has the same answers, what was a refusal, a
crash or a hole is refused in our shape or, at least, harms nothing.
"""

import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.running import copy_fork
from tests.support.contract import JOB, Answer, group, send
from tests.support.server import Serve, Server

pytestmark = pytest.mark.integration

DELIBERATE = {
    "jpeg-curl": "the original died of a JPEG that is declared as image/jpeg; it is a job here",
    "no-part-content-type": "what a file is, its content tells, not its part's header",
}
"""Cases in which the original died, and which are answered as one would wish."""


def servers(serve: Serve, folder: Path, *flags: str) -> Any:
    """Start a server whose default repository is the fake fork, so that ids are the recorded."""
    copy_fork(folder / "stable-diffusion")
    return serve("--python", sys.executable, "--concurrency", "2", *flags)


async def test_recorded_requests_get_the_recorded_answers(serve: Serve, tmp_path: Path) -> None:
    wrong: list[str] = []
    async with servers(serve, tmp_path) as server, server.client() as client:
        for name in ("text-to-image", "image-to-image", "inpaint-image"):
            for case in group(name):
                if not case["case"].startswith("production-"):
                    wrong += [f"{name}/{case['case']}: {text}" async for text in
                              problems(server, client, name, case)]  # fmt: skip
    assert wrong == []


async def test_cors_is_open_as_in_the_original(serve: Serve, tmp_path: Path) -> None:
    async with servers(serve, tmp_path) as server, server.client() as client:
        wrong = [
            f"{case['case']}: {text}"
            for case in group("cors")
            if not case["case"].startswith("no-cors")
            async for text in problems(server, client, "cors", case)
        ]
    assert wrong == []


async def test_no_cors_sends_no_cors_headers(serve: Serve, tmp_path: Path) -> None:
    async with servers(serve, tmp_path, "--no-cors") as server, server.client() as client:
        wrong = [
            f"{case['case']}: {text}"
            for case in group("cors")
            if case["case"].startswith("no-cors")
            async for text in problems(server, client, "cors", case)
        ]
    assert wrong == []


async def problems(
    server: Server, client: aiohttp.ClientSession, name: str, case: dict[str, Any]
) -> Any:
    """Yield what does not hold in a case."""
    renamed: dict[str, str] = {}
    for number, exchange in enumerate(case["exchanges"]):
        request, want = exchange["request"], Answer.recorded(exchange["response"])
        path = request["path"]
        for old, new in renamed.items():
            path = path.replace(old, new)
        if number and b'"COMPLETE"' in want.body and JOB.fullmatch(path):
            await server.out.line(f"{path.rpartition('/')[2]} Done")
        got = await send(client, request, server.url.rstrip("/") + path)
        if want.job and got.job:
            renamed[want.job] = got.job
        for text in differences(case, name, request, want, got):
            yield f"exchange {number}: {text}"
        refused = number == 0 and request["method"] == "POST" and got.status >= 400
        if refused and case["verdict"] in {"accident", "security"}:
            break


def differences(
    case: dict[str, Any], name: str, request: dict[str, Any], want: Answer, got: Answer
) -> list[str]:
    """Return what is wrong with an answer."""
    wrong = [] if name != "cors" else cors_differences(request, want, got)
    if case["case"] in DELIBERATE:
        wrong += status_differences(302, got)
    elif want.status == 0 or want.status >= 400:
        wrong += refusal_differences(got)
    elif case["verdict"] in {"accident", "security"} or request["method"] == "OPTIONS":
        wrong += [f"status {got.status}"] if got.status >= 500 else []
    elif want.status == 302:
        wrong += status_differences(302, got) or redirect_differences(name, want, got)
    elif want.media_type.startswith("application/json"):
        wrong += status_differences(want.status, got) or job_differences(case, want, got)
    else:
        wrong += status_differences(want.status, got)
        wrong += [] if got.media_type == want.media_type else [got.media_type]
    return wrong


def status_differences(want: int, got: Answer) -> list[str]:
    return [] if got.status == want else [f"status {got.status}, not {want}"]


def cors_differences(request: dict[str, Any], want: Answer, got: Answer) -> list[str]:
    header = "access-control-allow-origin"
    asked = dict(request["headers"]).get("Access-Control-Request-Method")
    own = "GET" if JOB.fullmatch(request["path"]) else "POST"
    if request["method"] == "OPTIONS" and asked != own and header in want.headers:
        return []  # a preflight for something that the route does not do
    wanted, given = want.headers.get(header), got.headers.get(header)
    return [] if wanted == given else [f"{header}: {given}, not {wanted}"]


def refusal_differences(got: Answer) -> list[str]:
    if not 400 <= got.status < 500:
        return [f"status {got.status}, not a refusal"]
    if not got.body:  # of a HEAD request
        return []
    error = got.json["error"]
    fine = got.media_type.startswith("application/json") and error["code"] and error["message"]
    return [] if fine else [f"a refusal in another shape: {got.body!r}"]


def redirect_differences(name: str, want: Answer, got: Answer) -> list[str]:
    place, given = want.headers["location"], got.headers.get("location", "")
    wrong = []
    if name == "text-to-image" and given != place:
        wrong.append(f"Location {given}, not {place}")
    if got.body.decode() != want.body.decode().replace(place, given):
        wrong.append(f"body {got.body!r}")
    if got.media_type != want.media_type:
        wrong.append(f"Content-Type {got.media_type!r}")
    if got.headers.get("vary") != want.headers.get("vary"):
        wrong.append(f"Vary {got.headers.get('vary')!r}")
    return wrong


def job_differences(case: dict[str, Any], want: Answer, got: Answer) -> list[str]:
    wanted, given = want.json, got.json
    wrong = [] if list(given) == sorted(given) else [f"keys {list(given)}"]
    if "etag" not in got.headers:
        wrong.append("no ETag")
    if wanted["status"] == given["status"] == "COMPLETE" and case["verdict"] == "reproduce":
        names = [[url.rpartition("/")[2] for url in item["imageUrls"]] for item in (wanted, given)]
        if names[0] != names[1]:
            wrong.append(f"images {names[1]}, not {names[0]}")
    return wrong
