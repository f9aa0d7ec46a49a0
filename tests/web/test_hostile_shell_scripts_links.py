"""Inputs that harmed the original: shell characters, wrong fields, failing scripts, symlinks."""

import asyncio
import io
import os
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from tests.support.hostile import target
from tests.support.server import Serve

pytestmark = pytest.mark.integration

LARGE = 20_000_000
"""Bytes: more than the buffers between a server and a client."""

SHELL = [
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "$HOME \\ \" ' $VAR ${IFS} %PATH%",
    "a\\nb\\\\",
    "| touch pwned & touch pwned",
]


def picture(kind: str, size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, kind)
    return buffer.getvalue()


def form(content: bytes, *, filename: str = "a.png", media: str = "image/png") -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    data.add_field("prompt", "paint")
    data.add_field("image", io.BytesIO(content), filename=filename, content_type=media)
    return data


async def test_a_prompt_is_never_executed_by_a_shell(serve: Serve, tmp_path: Path) -> None:
    async with target(serve, tmp_path) as it:
        for prompt in SHELL:
            assert (await it.job(prompt=prompt))["status"] == "COMPLETE"
            assert f"--prompt={prompt}" in it.started()[-1]
            status, code = await it.post(data={"prompt": "paint", "seed": prompt})
            assert (status, code) == (422, "invalid_request")
        assert not any((place / "pwned").exists() for place in (tmp_path, it.repository))


async def test_names_of_the_server_s_files_in_a_body_have_no_effect(
    serve: Serve, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    fields = {
        "outputDirectoryPath": str(elsewhere),
        "modelFilePath": str(elsewhere / "model.ckpt"),
        "stableDiffusionRepositoryDirectoryPath": str(elsewhere),
        "outdir": str(elsewhere),
        "ckpt": str(elsewhere),
        "__proto__": "x",
    }
    async with target(serve, tmp_path) as it:
        job = await it.job(prompt="paint", **fields)
        assert job["status"] == "COMPLETE"
        assert (tmp_path / "output" / job["resultUrl"].lstrip("/") / "1.png").is_file()
        assert not any(str(elsewhere) in word for word in it.started()[-1])
        assert not elsewhere.exists()


async def test_requests_that_ended_the_original(serve: Serve, tmp_path: Path) -> None:
    """Refused, or a job like any other; and the server goes on."""
    pictures = {
        ("image/png", "a.png"): picture("PNG"),
        ("image/jpeg", "a.jpg"): picture("JPEG"),
        ("image/webp", "a.webp"): picture("WEBP"),
        ("image/gif", "a.gif"): picture("GIF"),
    }
    refused = [
        {},
        {"prompt": "paint\0"},
        {"prompt": "p" * 200_000},
        {"prompt": "paint", "iterations": "0"},
    ]
    async with target(serve, tmp_path) as it:
        for (media, filename), content in pictures.items():
            data = form(content, filename=filename, media=media)
            status, url = await it.post("image-to-image", data=data)
            assert status == 302, (media, url)
            assert (await it.end(url))["status"] == "COMPLETE"
        for kind in ("image-to-image", "inpaint-image"):
            assert (await it.post(kind, data={"prompt": "paint"}))[0] == 422
        for fields in refused:
            assert (await it.post(data=fields))[0] in {413, 422}, fields
        for prompt in ("--help", "--outdir /", 'a stray " quote', "-"):
            assert (await it.job(prompt=prompt))["status"] == "COMPLETE", prompt
        await it.is_well()


async def test_failing_scripts_do_not_block_other_jobs(serve: Serve, tmp_path: Path) -> None:
    """Crashes, too few images, signals, and an end right after the last image."""
    failing = ("crash_before", "crash_between", "killed", "too_few", "exit_code code=3")
    async with target(serve, tmp_path, warns=True) as it:
        posts = [
            it.post(data={"prompt": prompt, "iterations": "2", "height": "256", "width": "256"})
            for prompt in (*failing, "end_at_once", "paint")
        ]
        urls = [url for _, url in await asyncio.gather(*posts)]
        ends = [(await it.end(url)) for url in urls]
        assert [job["status"] for job in ends] == ["FAILED"] * 5 + ["COMPLETE"] * 2
        for job in ends[:5]:
            assert job["error"]["message"]
            assert str(tmp_path) not in str(job)


async def test_eight_identical_requests_at_once_are_one_script(
    serve: Serve, tmp_path: Path
) -> None:
    data = {"prompt": "paint", "height": "256", "width": "256"}
    async with target(serve, tmp_path, "--concurrency", "4") as it:
        answers = await asyncio.gather(*(it.post(data=data) for _ in range(8)))
        assert len(set(answers)) == 1
        assert (await it.end(answers[0][1]))["status"] == "COMPLETE"
        assert len(it.started()) == 1


async def test_a_script_with_10_mb_of_output_does_not_block(serve: Serve, tmp_path: Path) -> None:
    """300 kB on stdout hung the original; here it is 10 MB, and 1 MB without a line's end."""
    async with target(serve, tmp_path, warns=True) as it:
        assert (await it.job(prompt="flood_stdout"))["status"] == "COMPLETE"
        assert (await it.job(prompt="flood_stderr"))["status"] == "FAILED"
        await it.is_well()


async def test_a_script_that_hangs_is_ended_by_job_timeout(serve: Serve, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    async with target(serve, tmp_path, "--job-timeout", "10", warns=True) as it:
        job = await it.job(prompt=f"wait_between gate={tmp_path / 'gate'}", iterations="2")
        assert job["error"]["code"] == "timeout"
        await it.is_well()


async def test_uploads_are_removed(serve: Serve, tmp_path: Path) -> None:
    async with target(serve, tmp_path) as it:
        _, url = await it.post("image-to-image", data=form(picture("PNG")))
        await it.end(url)
        await it.post("image-to-image", data=form(b"no picture"))
        hidden = tmp_path / "output" / ".sdrest"
        for name in ("spool", "inputs", "work"):
            left = [path for path in (hidden / name).rglob("*") if path.is_file()]
            assert left == []


async def test_links_in_the_output_folder_are_not_followed(serve: Serve, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture("PNG", (8, 8)))
    async with target(serve, tmp_path) as it:
        job = await it.job(prompt="paint")
        folder = tmp_path / "output" / job["resultUrl"].removeprefix("/")
        (folder / "2.png").symlink_to(secret)
        image = folder / "1.png"
        image.unlink()
        image.symlink_to(secret)
        for number in (1, 2):
            async with it.client.get(f"{job['resultUrl']}/{number}.png") as answer:
                assert answer.status == 404


async def test_errors_contain_no_traceback_and_no_path(serve: Serve, tmp_path: Path) -> None:
    bodies = [b"{", b"\xff", b'{"prompt": "\\u0000"}', b"--B\r\n\r\n"]
    async with target(serve, tmp_path) as it:
        for body in bodies:
            for media in ("application/json", "multipart/form-data; boundary=B", "text/plain"):
                headers = {"Content-Type": media}
                for address in ("nope", "text-to-image", "image-to-image"):
                    async with it.client.post(address, data=body, headers=headers) as answer:
                        text = str(answer.headers) + await answer.text()
                        assert 400 <= answer.status < 500
                        for word in (str(tmp_path), "Traceback", ".py", "site-packages", "aiohttp"):
                            assert word not in text


async def test_clients_that_disconnect_during_an_image_leave_the_log_empty(
    serve: Serve, tmp_path: Path
) -> None:
    async with target(serve, tmp_path) as it:
        job = await it.job(prompt="paint")
        image = tmp_path / "output" / job["imageUrls"][0].removeprefix("/")
        image.write_bytes(image.read_bytes() + bytes(LARGE))
        request = f"GET {job['imageUrls'][0]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(100):
            assert b" 200 " in (await it.raw(request)).partition(b"\r\n")[0]
        await it.is_well()
