"""A reverse proxy under a path, as a process of its own: `python -m tests.support.proxy`."""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.server import PATIENCE, environment

ROOT = Path(__file__).parents[2]
_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}


@asynccontextmanager
async def proxied(upstream: str, prefix: str, *flags: str) -> AsyncIterator[str]:
    """Run a proxy for `upstream` under `prefix`; yield its address, with the prefix and a slash.

    `--strip` removes the prefix from the paths; `--forward` sends X-Forwarded-Host, -Proto and
    -Prefix; `--proto https` is what it says of itself.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.proxy", upstream, prefix, *flags),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(PATIENCE):
            port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}{prefix}/"
    finally:
        process.terminate()
        await process.communicate()


async def _serve(options: argparse.Namespace) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as client:

        async def forward(request: web.BaseRequest) -> web.StreamResponse:
            path = request.url.raw_path_qs
            if not f"{path}/".startswith(f"{options.prefix}/"):
                return web.Response(status=404, text="There is nothing else behind this proxy.")
            if options.strip:
                path = path.removeprefix(options.prefix) or "/"
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
            if options.forward:
                headers["X-Forwarded-Host"] = headers.pop("Host")
                headers["X-Forwarded-Proto"] = options.proto
                headers["X-Forwarded-Prefix"] = options.prefix
            async with client.request(
                request.method,
                URL(options.upstream.rstrip("/") + path, encoded=True),
                headers=headers,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            ) as got:
                kept = [(k, v) for k, v in got.headers.items() if k.lower() not in _HOP]
                response = web.StreamResponse(status=got.status, headers=dict(kept))
                with suppress(ConnectionError):  # a client may leave at any time
                    await response.prepare(request)
                    async for chunk in got.content.iter_any():
                        await response.write(chunk)
                    await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(forward))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)  # noqa: T201 (a program)
        await asyncio.Event().wait()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream")
    parser.add_argument("prefix")
    parser.add_argument("--strip", action="store_true")
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--proto", default="http")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    _main()
