"""`GET /workers`, and the metrics of workers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from sdrest import __version__
from sdrest.engine.base import PoolStats
from sdrest.engine.workers import Offer, OfferedModel, WorkerInfo
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.bus import Bus
from sdrest.web.monitoring.metrics import Metrics
from sdrest.web.monitoring.scrape import Standing, everything
from sdrest.web.monitoring.workers import entry
from sdrest.web.responses import server_answers
from tests.fakes.running import Lifeline
from tests.support.metrics import scrape
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

MODEL = OfferedModel(
    "dream", "sub/dream.safetensors", 7, "text-to-image", "ab" * 32, [JobType.TEXT_TO_IMAGE]
)
OFFER = Offer(
    "cellar",
    2,
    "cuda",
    64 * 2**30,
    [MODEL, OfferedModel("plain", "plain.ckpt", 7, "text-to-image", "", [])],
    {JobType.INPAINT_IMAGE: Failure(FailureCode.MODEL_MISSING, "There is no model.")},
)
WORKER = WorkerInfo(
    "cellar",
    "tls://192.168.0.7:40123",
    {"sdrest": "1.0.0", "python": "3.12", "protocol": "1"},
    since=1_760_000_000.0,
    last_seen=1_760_000_009.5,
    offer=OFFER,
    runs=["63dbe45efdadadd3006feb71aa3e48b7"],
    loaded=["sub/dream.safetensors"],
    busy=1,
    memory=5,
    warnings=["Another file under this name."],
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, concurrency=2) as site:
        yield site


async def test_without_a_cluster_this_machine_is_the_one_worker(
    site: Served, lifeline: Lifeline
) -> None:
    form = {"prompt": f"hang lifeline={lifeline.path}"}
    async with site.client.post("/text-to-image", data=form, allow_redirects=False) as response:
        url = response.headers["Location"]
    await lifeline.pids(1)
    async with site.client.get("/workers") as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
        [worker] = (await response.json())["workers"]
    assert worker["name"] == "local"
    assert worker["address"] is None
    assert worker["state"] == "ready"
    assert worker["capacity"] == 2
    assert worker["jobs"] == [url.rpartition("/")[2]]
    assert worker["version"] == __version__
    assert worker["memory"] > 0
    assert worker["since"] <= worker["lastSeen"]
    page = await scrape(site)
    assert page("sdrest_workers", state="ready") == 1
    assert page("sdrest_workers", state="lost") == 0
    assert page("sdrest_worker_capacity", worker="local") == 2
    assert page("sdrest_worker_jobs", worker="local") == 1


@pytest.mark.parametrize(
    ("worker", "state"),
    [
        (WORKER, "ready"),
        (WorkerInfo("a", "tls://a:1", {}, 0, 0, lost=True), "connecting"),
        (WorkerInfo("a", "tls://a:1", {}, 0, 0, OFFER, draining=True), "draining"),
        (WorkerInfo("a", "tls://a:1", {}, 0, 0, OFFER, draining=True, lost=True), "lost"),
        (WorkerInfo("a", "tls://a:1", {}, 0, 0, refused="Another version."), "refused"),
    ],
)
def test_a_worker_is_shown_in_the_shape_that_is_described(worker: WorkerInfo, state: str) -> None:
    shown = entry(worker)
    assert shown["state"] == state
    assert TypeAdapter(server_answers.Worker).validate_json(json.dumps(shown)) == shown


def test_what_a_worker_shows() -> None:
    shown = entry(WORKER)
    assert shown["models"] == [
        {
            "name": "dream",
            "file": "sub/dream.safetensors",
            "hash": "ababababab",
            "types": ["text-to-image"],
            "loaded": True,
        },
        {"name": "plain", "file": "plain.ckpt", "hash": None, "types": [], "loaded": False},
    ]
    assert shown["types"] == ["text-to-image", "image-to-image"]
    assert shown["problems"] == [{"code": "model_missing", "message": "There is no model."}]
    assert (shown["accelerator"], shown["memory"], shown["memoryUsed"]) == ("cuda", 2**36, 5)
    assert (shown["since"], shown["lastSeen"]) == (
        "2025-10-09T08:53:20.000Z",
        "2025-10-09T08:53:29.500Z",
    )
    assert shown["warnings"] == ["Another file under this name."]


def test_many_workers_have_a_bounded_number_of_series() -> None:
    workers = [WorkerInfo(f"w{number}", "", {}, 0, 0, OFFER, busy=1) for number in range(250)]
    workers.append(WorkerInfo("w0", "", {}, 0, 0, OFFER))  # a name that two have
    standing = Standing(None, PoolStats(0, 0, 0), None, workers)
    families = {family.name: family for family in everything(Metrics(Bus()), standing)}
    samples = families["sdrest_worker_capacity"].samples
    values = {sample.labels["worker"]: sample.value for sample in samples}
    assert len(values) == len(samples) == 101
    assert (values["w0"], values["w1"], values["(others)"]) == (4, 2, 300)
    [ready] = [one for one in families["sdrest_workers"].samples if one.labels["state"] == "ready"]
    assert ready.value == 251
