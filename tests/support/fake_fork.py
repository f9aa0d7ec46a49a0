"""Servers whose scripts are those of the fake fork: flags, and a request for a job."""

import sys
from typing import Any

from tests.fakes.running import FORK
from tests.support.server import Server

FAKE = ("--repository", str(FORK), "--python", sys.executable)
MODEL = ("--text-to-image-model", str(FORK / "models/ldm/stable-diffusion-v1/model.ckpt"))


async def post(server: Server, prompt: str, **fields: Any) -> str:
    """Submit a text-to-image job to a server; return its path."""
    form = {"prompt": prompt, "height": 256, "width": 256, **fields}
    async with (
        server.client() as client,
        client.post("text-to-image", json=form, allow_redirects=False) as answer,
    ):
        assert answer.status == 302, await answer.text()
        return answer.headers["Location"]
