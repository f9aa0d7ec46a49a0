"""`GET /metrics`, read as Prometheus reads it."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from sdrest import __version__
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.fakes.running import Lifeline
from tests.support.metrics import SIZE, TEXT, Page, scrape
from tests.support.server import Serve
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


UNITS = ("seconds", "bytes", "total", "info", "bucket", "count", "sum")


COUNTED = {  # gauges of things, which have no unit
    "sdrest_jobs", "sdrest_queue_length", "sdrest_hosts", "sdrest_workers",
    "sdrest_worker_capacity", "sdrest_worker_jobs", "process_open_fds", "process_max_fds",
}  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def test_metric_names_follow_prometheus_conventions(site: Served) -> None:
    page = await scrape(site)
    for family in page.families.values():
        assert re.fullmatch(r"(sdrest|process|python)(_[a-z]+)+", family.name)
        assert family.documentation
        assert family.type in {"gauge", "counter", "histogram"}
        for sample in family.samples:
            assert sample.name.endswith(UNITS) or sample.name in COUNTED, sample.name
            assert sample.name.endswith("_total") is (family.type == "counter")
            assert all(re.fullmatch(r"[a-z]+", label) for label in sample.labels)
    assert not any("_created" in name for name, _ in page.series)
    assert len(page.series) == sum(len(family.samples) for family in page.families.values())
    assert page("sdrest_build_info", version=__version__) == 1


async def test_every_known_series_begins_at_zero(site: Served) -> None:
    page = await scrape(site)
    for job_type in JobType:
        for status in Status:
            assert page("sdrest_jobs", type=job_type, status=status) == 0
            if status.final:
                assert page("sdrest_jobs_finished_total", type=job_type, status=status) == 0
        assert page("sdrest_images_total", type=job_type) == 0
        assert page("sdrest_job_queued_seconds_count", type=job_type) == 0
        assert page("sdrest_image_sampling_seconds_sum", type=job_type) == 0
        for host in ("cold", "warm"):
            labels = {"type": job_type, "host": host}
            for le in ("0.1", "3600.0", "+Inf"):
                assert page("sdrest_job_run_seconds_bucket", le=le, **labels) == 0
            assert page("sdrest_job_loading_seconds_count", **labels) == 0
    for code in FailureCode:
        assert page("sdrest_job_failures_total", code=code) == 0
    for answer in ("200", "304", "404", "500"):
        route = "GET /TYPE/{id}"
        assert page("sdrest_http_requests_total", route=route, status=answer) == 0
    assert page("sdrest_hosts", state="busy") == 0


async def test_a_complete_job_changes_its_metrics(site: Served) -> None:
    await site.job(f"/{TEXT}", json={"prompt": "a", "iterations": 2, "batchSize": 2, **SIZE})
    cold = await scrape(site)
    assert cold("sdrest_jobs", type=TEXT, status="COMPLETE") == 1
    assert cold("sdrest_jobs_finished_total", type=TEXT, status="COMPLETE") == 1
    assert cold("sdrest_images_total", type=TEXT) == 4
    assert cold("sdrest_job_queued_seconds_count", type=TEXT) == 1
    assert cold("sdrest_image_sampling_seconds_count", type=TEXT) == 4
    for name in ("sdrest_job_loading_seconds", "sdrest_job_run_seconds"):
        assert cold(f"{name}_count", type=TEXT, host="cold") == 1
        assert cold(f"{name}_count", type=TEXT, host="warm") == 0
    parts = [
        cold("sdrest_job_loading_seconds_sum", type=TEXT, host="cold"),
        cold("sdrest_image_sampling_seconds_sum", type=TEXT),
    ]
    assert 0 < sum(parts) < cold("sdrest_job_run_seconds_sum", type=TEXT, host="cold") + 0.1
    assert cold("sdrest_hosts", state="idle") == 1
    assert cold("sdrest_hosts_resident_memory_bytes") > 2**20

    await site.job(f"/{TEXT}", json={"prompt": "b", **SIZE})
    warm = await scrape(site)
    assert warm("sdrest_job_loading_seconds_count", type=TEXT, host="cold") == 1
    assert warm("sdrest_job_loading_seconds_count", type=TEXT, host="warm") == 1
    assert warm("sdrest_images_total", type=TEXT) == 5
    assert warm("sdrest_images_total", type="image-to-image") == 0


async def test_failures_are_counted_by_their_code(site: Served) -> None:
    for prompt in ("crash_before", "too_few", "crash_between"):
        await site.job(f"/{TEXT}", json={"prompt": prompt, "iterations": 2, **SIZE})
    page = await scrape(site)
    assert page("sdrest_job_failures_total", code="script_failed") == 2
    assert page("sdrest_job_failures_total", code="images_missing") == 1
    assert page("sdrest_job_failures_total", code="internal") == 0
    assert page("sdrest_jobs_finished_total", type=TEXT, status="FAILED") == 3
    assert page("sdrest_jobs", type=TEXT, status="FAILED") == 3
    assert page("sdrest_images_total", type=TEXT) == 2
    assert page("sdrest_job_run_seconds_count", type=TEXT, host="cold") == 0


async def test_a_script_without_bars_has_no_loading_time(site: Served) -> None:
    await site.job(f"/{TEXT}", json={"prompt": "no_bars", "iterations": 2, **SIZE})
    page = await scrape(site)
    assert page("sdrest_job_loading_seconds_count", type=TEXT, host="cold") == 0
    assert page("sdrest_image_sampling_seconds_count", type=TEXT) == 1
    assert page("sdrest_job_run_seconds_count", type=TEXT, host="cold") == 1


async def test_a_job_is_seen_while_it_waits_runs_and_is_cancelled(
    site: Served, tmp_path: Path
) -> None:
    lifeline = Lifeline(tmp_path / "lifeline")
    urls = []
    for prompt in (f"hang lifeline={lifeline.path}", "behind it"):
        form = {"prompt": prompt, **SIZE}
        async with site.client.post(f"/{TEXT}", json=form, allow_redirects=False) as response:
            urls.append(response.headers["Location"])
    await lifeline.pids(1)
    page = await scrape(site)
    assert page("sdrest_jobs", type=TEXT, status="IN_PROGRESS") == 1
    assert page("sdrest_jobs", type=TEXT, status="QUEUED") == 1
    assert page("sdrest_queue_length") == 1
    assert page("sdrest_hosts", state="busy") == 1
    assert page("sdrest_hosts_resident_memory_bytes") > 2**20
    for url in urls[::-1]:
        async with site.client.post(f"{url}/cancel") as response:
            assert response.status == 200
    page = await scrape(site)
    assert page("sdrest_jobs_finished_total", type=TEXT, status="CANCELLED") == 2
    assert page("sdrest_queue_length") == 0
    assert page("sdrest_hosts", state="busy") == 0
    lifeline.close()


async def test_after_a_restart_gauges_are_the_table_s_and_counters_start_at_zero(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "gate")
    async with served(tmp_path) as site:
        await site.job(f"/{TEXT}", json={"prompt": "done", **SIZE})
        await site.job(f"/{TEXT}", json={"prompt": "crash_before", **SIZE})
        form = {"prompt": f"wait_between gate={tmp_path}/gate", "iterations": 2, **SIZE}
        async with site.client.post(f"/{TEXT}", json=form, allow_redirects=False) as response:
            waiting = response.headers["Location"]
        await site.until(waiting, Change.IMAGE)
    async with served(tmp_path) as site:
        await site.until(waiting, Change.IMAGE)
        page = await scrape(site)
        assert page("sdrest_jobs", type=TEXT, status="COMPLETE") == 1
        assert page("sdrest_jobs", type=TEXT, status="FAILED") == 1
        assert page("sdrest_jobs", type=TEXT, status="IN_PROGRESS") == 1
        assert page("sdrest_jobs_finished_total", type=TEXT, status="COMPLETE") == 0
        assert page("sdrest_images_total", type=TEXT) == 1  # of this life
        assert page("sdrest_job_queued_seconds_count", type=TEXT) == 0  # it ran, and waited before
        await asyncio.to_thread((tmp_path / "gate").write_text, "go on")
        await site.until(waiting, Change.FINISHED)
        page = await scrape(site)
        assert page("sdrest_jobs", type=TEXT, status="COMPLETE") == 2
        assert page("sdrest_jobs_finished_total", type=TEXT, status="COMPLETE") == 1


async def test_routes_are_counted_by_names_without_ids(site: Served) -> None:
    job = await site.job(f"/{TEXT}", json={"prompt": "a", **SIZE})
    before = await scrape(site)
    for path in (
        job,
        job.replace(TEXT, TEXT.upper()),
        f"/image-to-image/{'0' * 32}",
        f"/inpaint-image/{'1' * 32}",
    ):
        async with site.client.get(path) as response:
            await response.read()
    async with site.client.head(f"{job}/1.png") as response:
        assert response.status == 200
    for method, path in (("GET", "/nope"), ("GET", '/"\\\n'), ("PATCH", "/jobs"), ("PUT", job)):
        async with site.client.request(method, path) as response:
            assert response.status in {404, 405}
    assert b" 400 " in await site.raw(b"no HTTP\r\n\r\n")
    after = await scrape(site)
    name = "sdrest_http_requests_total"

    def more(route: str, status: str) -> float:
        labels = {"route": route, "status": status}
        return after(name, **labels) - before(name, **labels)

    assert more("GET /TYPE/{id}", "200") == 2
    assert more("GET /TYPE/{id}", "404") == 2
    assert more("GET /TYPE/{id}/{number}.png", "200") == 1
    assert more("GET /metrics", "200") == 1
    assert [more("other", status) for status in ("404", "405", "400")] == [2, 2, 1]
    assert after.series.keys() == before.series.keys()
    seconds = "sdrest_http_request_duration_seconds"
    assert after(f"{seconds}_count", route="GET /TYPE/{id}") == 4
    assert after(f"{seconds}_bucket", route="GET /TYPE/{id}", le="+Inf") == 4
    assert after(f"{seconds}_sum", route="GET /TYPE/{id}") > 0


async def test_two_servers_in_one_process_count_apart(tmp_path: Path) -> None:
    async with served(tmp_path / "one") as one, served(tmp_path / "two") as two:
        await one.job(f"/{TEXT}", json={"prompt": "a", **SIZE})
        assert (await scrape(one))("sdrest_images_total", type=TEXT) == 1
        assert (await scrape(two))("sdrest_images_total", type=TEXT) == 0


async def test_a_real_server_has_process_metrics_behind_the_token(serve: Serve) -> None:
    async with serve(env={"SDREST_TOKEN": "secret"}) as server:
        async with server.client() as client, client.get("/metrics") as response:
            assert response.status == 401
        async with server.client(Authorization="Bearer secret") as client:
            page = Page(read_text(await text_of(client)))
    assert page("process_resident_memory_bytes") > 2**20
    assert page("process_cpu_seconds_total") > 0
    assert page("process_open_fds") > 3
    assert page("process_max_fds") >= page("process_open_fds")
    assert page("process_start_time_seconds") > 1.7e9
    assert page("sdrest_http_requests_total", route="GET /metrics", status="401") == 1


async def text_of(client: aiohttp.ClientSession) -> str:
    async with client.get("/metrics") as response:
        assert response.status == 200
        return await response.text()
