"""Requests for the status of a job, and its parts."""

from typing import Any

from tests.support.web import Served

ID = "14d6c94308495632b5d31fad8939fc87"
"""The job of the recorded exchanges: two images."""


async def answer(site: Served, method: str, path: str, **headers: str) -> tuple[int, Any, bytes]:
    options: Any = {"headers": headers, "allow_redirects": False}
    async with site.client.request(method, path, **options) as response:
        return response.status, response.headers, await response.read()
