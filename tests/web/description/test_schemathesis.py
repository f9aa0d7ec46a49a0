"""schemathesis reads the API's description and finds nothing that the server does not keep.

This is the short form of `make schemathesis`; what it draws is always the same.
"""

import asyncio
from collections.abc import Iterator

import pytest

from sdrest.web.description.openapi import document
from sdrest.web.routes import ROUTES
from tests.description.run import FLAGS, TOKEN, examine
from tests.support.server import PATIENCE, Serve

pytestmark = [pytest.mark.integration, pytest.mark.slow]

QUICK = ("--generation-deterministic", "--max-examples", "1")
"""One example of each operation; besides, what the phase Coverage derives: 2,900 cases in all."""


def described() -> Iterator[str]:
    """Yield the operations that are asked: neither the document itself, nor an endless stream."""
    for path, methods in document(ROUTES)["paths"].items():
        for method in methods:
            yield f"{method} {path}"


@pytest.mark.timeout(5 * PATIENCE)
async def test_schemathesis_finds_no_difference_from_the_openapi_document_and_401_without_the_token(
    serve: Serve,
) -> None:
    async with (
        serve(*FLAGS, env={"SDREST_TOKEN": TOKEN}) as server,
        asyncio.timeout(4 * PATIENCE),
    ):
        report = await examine(server, *QUICK, token=TOKEN, quick=True)
    assert report.endswith("\nok"), report
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in report
    operations = {*described()} - {"get /openapi.json", "get /events"}
    assert f"Tested: {len(operations)}\n" in report
