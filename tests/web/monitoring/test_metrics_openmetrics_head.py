"""Formats of /metrics (text, OpenMetrics) and its other methods."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.support.metrics import SIZE, TEXT, Page, scrape
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


@pytest.mark.parametrize(
    "accept",
    [
        *(None, "*/*", "text/html,*/*;q=0.8", "application/json", "", ";;,q=,/", "text/plain"),
        "application/openmetrics-text; version=abc",
    ],
)
async def test_the_format_is_text_unless_openmetrics_is_accepted(
    site: Served, accept: str | None
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    async with site.client.get("/metrics", headers=headers) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert "sdrest_jobs" in Page(read_text(await response.text())).families


@pytest.mark.parametrize(
    "accept",
    [PROMETHEUS, "application/openmetrics-text", "application/openmetrics-text; version=1.0.0"],
)
async def test_openmetrics_is_sent_when_accepted(site: Served, accept: str) -> None:
    await site.job(f"/{TEXT}", json={"prompt": "a", **SIZE})
    async with site.client.get("/metrics", headers={"Accept": accept}) as response:
        assert response.content_type == "application/openmetrics-text"
        text = await response.text()
    page = Page(read_openmetrics(text))  # type: ignore[no-untyped-call]  # it has no types
    assert text.endswith("# EOF\n")
    assert page("sdrest_images_total", type=TEXT) == 1
    assert page.series.keys() == (await scrape(site)).series.keys()


async def test_metrics_head_has_no_body_and_post_gets_405(site: Served) -> None:
    async with site.client.head("/metrics") as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 1000
        assert await response.read() == b""
    async with site.client.post("/metrics") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"


async def test_without_the_job_table_the_other_metrics_are_sent(site: Served) -> None:
    away = site.output.with_name("away")
    site.output.rename(away)
    page = await scrape(site)
    assert "sdrest_jobs" not in page.families
    assert "sdrest_queue_length" not in page.families
    assert page("process_resident_memory_bytes") > 2**20
    away.rename(site.output)
    assert (await scrape(site))("sdrest_queue_length") == 0
