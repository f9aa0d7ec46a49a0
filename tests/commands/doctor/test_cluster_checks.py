"""What `sdrest doctor` says of a cluster."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sdrest.commands.cluster.credentials import make
from sdrest.commands.doctor.cluster_checks import ClusterChecks, worker_findings
from sdrest.commands.doctor.findings import Verdict
from sdrest.commands.doctor.worker_checks import WorkerChecks
from sdrest.settings import Settings
from tests.support.cluster import FRONT
from tests.support.server import Serve

WORKER: dict[str, Any] = {
    "name": "cellar",
    "address": "tls://cellar:1",
    "state": "ready",
    "reason": None,
    "accelerator": "cuda",
    "capacity": 2,
    "jobs": ["63dbe45efdadadd3006feb71aa3e48b7"],
    "types": ["text-to-image", "image-to-image", "inpaint-image"],
    "models": [{"file": "dream.safetensors"}],
    "problems": [],
    "warnings": [],
}
OFFICE = WORKER | {"name": "office", "accelerator": None, "models": [], "warnings": ["Old file."]}
LOST = WORKER | {"name": "attic", "state": "lost"}
REFUSED = WORKER | {"name": "shed", "state": "refused", "reason": "It has another version."}
POOR = WORKER | {"types": ["text-to-image"], "problems": [{"message": "There is no model."}]}


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ([], {Verdict.WARNING: ["No worker is connected"]}),
        (
            [WORKER, OFFICE],
            {
                Verdict.OK: [
                    "can run text-to-image, image-to-image, inpaint-image, and runs 1 of 2 jobs.",
                    "office has an unknown device",
                    "dream.safetensors is on cellar, not on office.",
                ],
                Verdict.WARNING: ["office: Old file."],
            },
        ),
        (
            [WORKER, LOST, REFUSED],
            {
                Verdict.OK: ["cellar has", "dream.safetensors is on cellar."],
                Verdict.WARNING: ["attic (tls://cellar:1) does not answer."],
                Verdict.FAILURE: ["shed is refused. It has another version."],
            },
        ),
        (
            [POOR],
            {
                Verdict.OK: ["cellar has cuda, can run text-to-image, and", "dream"],
                Verdict.WARNING: ["cellar: There is no model."],
                Verdict.FAILURE: ["No machine runs image-to-image", "No machine runs inpaint-"],
            },
        ),
    ],
)
def test_what_is_said_of_workers(
    workers: Sequence[Mapping[str, Any]], said: Mapping[Verdict, Sequence[str]]
) -> None:
    found: dict[Verdict, list[str]] = {}
    for finding in worker_findings(workers):
        found.setdefault(finding.verdict, []).append(f"{finding.message} {finding.remedy}")
    assert set(found) == set(said)
    for verdict, texts in said.items():
        assert len(found[verdict]) == len(texts)
        for text, shown in zip(texts, found[verdict], strict=True):
            assert text in shown


def test_credentials_that_others_can_read_are_named(tmp_path: Path) -> None:
    front, _ = make(tmp_path)
    given = WorkerChecks(Settings(cluster_credentials=str(front)), "tls://127.0.0.1:1")
    assert [finding.verdict for finding in given.credentials()] == [Verdict.OK]
    front.chmod(0o640)
    found = [f"{one.message} {one.remedy}" for one in given.credentials()]
    assert len(found) == 2
    assert f"Others can read {front}" in found[0]
    assert "chmod 600" in found[0]


@pytest.mark.integration
async def test_the_running_server_is_asked(serve: Serve) -> None:
    token = "open-sesame"
    async with serve(*FRONT, "--token", token, "--base-path", "/sd", warns=True) as server:
        port = int(server.url.split(":")[2].partition("/")[0])
        given: dict[str, Any] = {
            "port": port, "cert": str(server.cert), "base_path": "/sd", "token": token,
        }  # fmt: skip
        settings = {
            "No worker is connected": Settings(**given),
            "requires its token": Settings(**(given | {"token": ""})),
            "does not answer": Settings(**(given | {"plain_http": True, "host": "127.0.0.9"})),
            "There is no nowhere.pem here": Settings(**(given | {"cert": "nowhere.pem"})),
        }
        for text, one in settings.items():
            [finding] = await asyncio.to_thread(list, ClusterChecks(one).workers())
            assert text in finding.message
