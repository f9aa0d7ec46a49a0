"""`sdrest` as a user starts it: its lines, its signals, its errors."""

import asyncio
import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.in_process import run_here
from tests.support.server import PATIENCE, Serve, Server, environment

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("measured")]

JOB = {"prompt": "a red circle", "steps": "4", "width": "256", "height": "256", "iterations": "2"}


def ended(folder: Path, *flags: str, stdin: int = subprocess.DEVNULL) -> tuple[int, str, str]:
    """Run a server that cannot start; return its status, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "sdrest", *flags],
        cwd=folder,
        env=environment(),
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout, done.stderr


async def post(server: Server, **fields: str) -> str:
    """Ask for a picture; return the job's path."""
    async with (
        server.client() as client,
        client.post("text-to-image", data={**JOB, **fields}, allow_redirects=False) as answer,
    ):
        assert answer.status == 302
        return answer.headers["Location"]


async def test_the_first_line_is_the_original_s_then_the_bundled_engine_says_how_to_try_it(
    serve: Serve,
) -> None:
    async with serve() as server:
        assert re.fullmatch(r"success Serving on https://0\.0\.0\.0:[1-9]\d*/", server.out.lines[0])
        async with server.client() as client, client.get("/") as answer:
            assert answer.status in {200, 404}
        await server.out.line("It is not Stable Diffusion")
        line = await server.out.line("Try: ")
        command = line.partition("Try: ")[2]
        assert command.startswith("curl --cacert ")
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        done = await asyncio.create_subprocess_shell(
            f"{command} --silent --show-error",
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(done.communicate(), PATIENCE)
        assert err == b""
        assert b'"resultUrl":"/text-to-image/' in out


async def test_plain_http_and_a_given_host_until_sigterm_stops_the_server(serve: Serve) -> None:
    async with serve("--plain-http", "--host", "127.0.0.1") as server:
        assert server.url.startswith("http://127.0.0.1:")
        async with server.client() as client, client.get("/nothing") as answer:
            assert answer.status == 404
        assert await server.stop(signal.SIGTERM) == 0
        assert server.out.lines[-1] == "info Stopping..."


async def test_an_ipv6_host(serve: Serve) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with serve("--host", "::1") as server:
        assert server.url.startswith("https://[::1]:")
        async with server.client() as client, client.get("/nothing") as answer:
            assert answer.status == 404


async def test_a_job_s_lines_on_a_pipe_until_sigint_stops_the_server(serve: Serve) -> None:
    async with serve() as server:
        url = await post(server)
        await server.out.line(" Done")
        job = url.rpartition("/")[2]
        lines = [line.partition(f"{job} ") for line in server.out.lines if job in line]
        assert {head for head, _, _ in lines} == {
            "info /text-to-image  ",
            "success /text-to-image  ",
        }
        texts = [text for _, _, text in lines]
        assert texts[:2] == ["Queued...", "Starting..."]
        assert texts[-1] == "Done"
        steps = [re.fullmatch(r"([12])/2 ([ \d]{3})% (█*)", text) for text in texts[2:-1]]
        assert all(steps)
        found = [(step[1], int(step[2])) for step in steps if step]
        assert found == sorted(set(found))
        assert {(index, end) for index in "12" for end in (0, 100)} <= set(found)
        assert await server.stop(signal.SIGINT) == 0
        assert server.out.lines[-1] == "info Stopping..."


async def test_a_failed_job_says_why_and_the_server_goes_on(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.ckpt").write_text("<html>not a checkpoint</html>")
    flags = ("--text-to-image-model", "models/mine.ckpt", "stray")
    async with serve(*flags, warns=True) as server:
        assert await server.err.line("warning Ignored 'stray'.")
        url = await post(server)
        line = await server.out.line("error /text-to-image ")
        assert url.rpartition("/")[2] in line
        async with server.client() as client, client.get(url) as answer:
            assert (await answer.json())["status"] == "FAILED"


async def test_variables_of_a_kubernetes_service_are_ignored_with_one_line(serve: Serve) -> None:
    variables = {
        "SDREST_PORT": "tcp://10.0.0.1:8888",
        "SDREST_SERVICE_HOST": "10.0.0.1",
        "SDREST_PORT_8888_TCP_PROTO": "tcp",
    }
    async with serve(env=variables) as server:
        assert server.out.lines[0].startswith("success Serving on ")
        line = await server.out.line("Kubernetes")
        assert all(name in line for name in variables)
        await post(server)
        await server.out.line(" Done")
        assert len([line for line in server.out.lines if "SDREST_" in line]) == 1


async def test_missing_models_are_a_warning_and_sighup_stops_the_server(serve: Serve) -> None:
    async with serve("--text-to-image-model", "./nope.ckpt", warns=True) as server:
        assert await server.err.line("--text-to-image-model")
        assert await server.stop(signal.SIGHUP) == 0
        assert server.out.lines[-1] == "info Stopping..."


async def test_a_job_interrupted_by_sigterm_runs_again(serve: Serve) -> None:
    async with serve("--grace", "0") as server:
        await post(server, iterations="100", steps="50")
        await server.out.line("1/100 ")
        await server.stop()
        assert "Interrupted, queued again..." in (await server.out.all())[-1]
    async with serve("--grace", "0") as server:
        await server.out.line("1/100 ")
        assert server.out.lines[0].startswith("success Serving on ")
        assert len([line for line in server.out.lines if "Starting..." in line]) == 1


async def test_a_second_signal_ends_it_at_once(serve: Serve) -> None:
    async with serve("--plain-http", status=128 + signal.SIGTERM) as server:
        address = server.url.removeprefix("http://0.0.0.0:").rstrip("/")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address))
        writer.write(
            b"POST /text-to-image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n"
            b"Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b"100 Continue" in await asyncio.wait_for(reader.readline(), PATIENCE)
        server.process.send_signal(signal.SIGTERM)
        await server.out.line("Stopping...")  # and it waits for the request's end
        await server.stop_at_once(signal.SIGTERM)
        writer.close()


async def test_nohup_ignores_sighup(tmp_path: Path, certificate: Path) -> None:
    command = 'trap "" HUP; exec "$0" -m sdrest --port 0 --plain-http'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", command, sys.executable),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    server = Server(process, tmp_path, certificate / "cert.pem")
    await server.started()
    process.send_signal(signal.SIGHUP)
    async with server.client() as client, client.get("/nothing") as answer:
        assert answer.status == 404
    assert await server.stop() == 0


async def test_a_log_that_nobody_reads_is_no_harm(serve: Serve) -> None:
    async with serve("--plain-http") as server:
        pipe = server.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]  # the reader leaves
        pipe.close()
        url = await post(server)
        async with server.client() as client, client.get(url) as answer:
            assert answer.status == 200


def test_closed_streams_are_no_harm(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        shell = '"$@" >&- 2>&-'
        command = [sys.executable, "-m", "sdrest", "--plain-http", "--port", port]
        done = subprocess.run(
            ["sh", "-c", shell, "sh", *command],
            cwd=tmp_path,
            env=environment(),
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 1


def test_on_a_terminal_it_clears_and_colours(tmp_path: Path, certificate: Path) -> None:
    ours, theirs = pty.openpty()
    pair = ("--cert", str(certificate / "cert.pem"), "--key", str(certificate / "key.pem"))
    with subprocess.Popen(
        [sys.executable, "-m", "sdrest", "--port", "0", *pair],
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Serving on" not in shown or not shown.endswith(b"\n"):
            shown += os.read(ours, 65536)
        process.terminate()
        with contextlib.suppress(OSError):  # Linux ends a terminal's reader with an error
            while os.read(ours, 65536):
                pass
    os.close(ours)
    assert re.match(
        rb"\x1b\[1;1H\x1b\[0J\x1b\[32msuccess\x1b\[39m Serving on "
        rb"\x1b\[33mhttps://0\.0\.0\.0:\d+/\x1b\[39m\r\n",
        shown,
    )
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--repository", "nope"), "There is no folder nope (--repository)."),
        (("--models", "nope"), "There is no folder nope (--models)."),
        (("--models", "bad.pem"), "There is no folder bad.pem (--models)."),
        (("--python", "nope"), "There is no program nope (--python)."),
        (("--cert", "nope.pem"), "There is no file nope.pem (--cert)."),
        (("--cert", "bad.pem", "--key", "bad.pem"), "Cannot use bad.pem with bad.pem: "),
        (("--output", "bad.pem", "--port", "0"), "Cannot "),
        (("--output", "bad.pem/below", "--port", "0"), "Cannot "),
    ],
)
def test_what_cannot_work_is_one_line(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    line: str,
) -> None:
    (tmp_path / "bad.pem").write_text("garbage")
    status, out, err = run_here(capfd, tmp_path, environment(), *flags)
    assert (status, out) == (1, "")
    assert err.startswith(f"error {line}")
    assert err.count("\n") == 1


def test_a_second_port_in_use_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = ("--port", "0", "--a1111-port", str(port))
        status, _, err = run_here(capfd, tmp_path, environment(), *flags)
    assert status == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in err
    assert "--a1111-port" in err


async def test_a_port_or_an_output_folder_in_use_is_one_line_and_touches_no_job(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve("--plain-http") as server:
        port = server.url.rpartition(":")[2].rstrip("/")
        second = asyncio.to_thread(ended, tmp_path, "--plain-http", "--port", port)
        status, out, err = await second
        assert (status, out) == (1, "")
        assert err == (
            f"error Cannot listen on 127.0.0.1 port {port}: another program listens there; "
            "end it or choose another --port.\n"
        )
        flags = ("--plain-http", "--port", "0", "--delete-incomplete")
        status, out, err = await asyncio.to_thread(ended, tmp_path, *flags)
        assert (status, out) == (1, "")
        assert err.startswith("error ")
        assert err.count("\n") == 1
