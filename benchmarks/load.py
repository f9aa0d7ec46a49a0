"""Requests in a closed loop: each connection sends its next one when its answer is complete."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from benchmarks import client
from benchmarks.client import LoadError, Request
from benchmarks.stats import percentile

WRK = shutil.which("wrk")
CLIENT = "wrk" if WRK else "its own client in Python (wrk, if installed, costs less time)"
"""What sends a request again and again. Requests that differ are always sent from Python."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of requests took: answers per second, milliseconds of 50 and 99 % of them."""

    answers: int
    rate: float
    p50: float
    p99: float


def same(port: int, request: Request, *, connections: int, seconds: float) -> Load:
    """Send the same request for some seconds."""
    if not WRK:
        return _summary(
            *client.run(port, repeat(request), connections=connections, seconds=seconds)
        )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "request.lua")
        script.write_text(_lua(request), encoding="utf-8")
        command = [
            *(WRK, "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds:.0f}s", "--timeout", "60s", "--script", str(script)),
            f"https://127.0.0.1:{port}{request.path}",
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise LoadError(f"wrk failed: {done.stdout}{done.stderr}")
    result = json.loads(done.stdout.rpartition("\n=")[2])
    if result["errors"] or not result["requests"]:
        raise LoadError(f"wrk counted {result['errors']} errors in {result['requests']} answers.")
    return Load(
        answers=result["requests"],
        rate=result["requests"] / result["microseconds"] * 1e6,
        p50=result["p50"] / 1000,
        p99=result["p99"] / 1000,
    )


def each(port: int, requests: Iterator[Request], *, connections: int) -> Load:
    """Send each of the requests once."""
    return _summary(*client.run(port, requests, connections=connections))


def _summary(seconds: float, latencies: list[float]) -> Load:
    return Load(
        answers=len(latencies),
        rate=len(latencies) / seconds,
        p50=percentile(latencies, 50) * 1000,
        p99=percentile(latencies, 99) * 1000,
    )


def _lua(request: Request) -> str:
    lines = [f'wrk.method = "{request.method}"']
    if request.body:
        lines.append(f"wrk.body = [==[{request.body.decode()}]==]")
        lines.append(f'wrk.headers["Content-Type"] = "{request.kind}"')
    return "\n".join([*lines, _DONE])


_DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n={"requests": %d, "microseconds": %d, "errors": %d, "p50": %d, "p99": %d}',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
