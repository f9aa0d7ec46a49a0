"""Ask the running server which machines of its cluster see what."""

import http.client
import ipaddress
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sdrest.commands.doctor.findings import Finding, failure, ok, warning
from sdrest.job_types import JobType
from sdrest.paths import expand
from sdrest.settings import Settings

_SECONDS = 10

Worker = Mapping[str, Any]
"""A worker as `GET /workers` shows it."""


@dataclass(frozen=True, slots=True)
class ClusterChecks:
    """Checks of the cluster whose server runs with `settings`."""

    settings: Settings

    def workers(self) -> Iterator[Finding]:
        """Which workers the server has, and what each one can run."""
        try:
            status, body = self._ask()
            found = json.loads(body)["workers"] if status == HTTPStatus.OK else []
        except FileNotFoundError:
            yield warning(
                f"There is no {self.settings.cert} here, so the server's workers are not known.",
                "Run this in the folder of the server, with its flags.",
            )
            return
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            yield warning(
                "The server does not answer, so its workers are not known.",
                "Start it, and run this again in its folder, with its flags.",
            )
            return
        if status == HTTPStatus.UNAUTHORIZED:
            yield warning("The server requires its token.", "Give it: --token or SDREST_TOKEN.")
        elif status != HTTPStatus.OK:
            yield warning(
                f"The server does not say which workers it has (status {status}).",
                "See that it is the same version of sdrest.",
            )
        else:
            yield from worker_findings(found)

    def _ask(self) -> tuple[int, bytes]:
        """Return status and body of `GET /workers`."""
        headers = {"Authorization": f"Bearer {self.settings.token}"} if self.settings.token else {}
        with closing(self._connection()) as connection:
            connection.request("GET", f"{self.settings.base_path}/workers", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = _reachable(self.settings.host), self.settings.port
        if self.settings.plain_http:
            return http.client.HTTPConnection(host, port, timeout=_SECONDS)
        trusting = ssl.create_default_context(cafile=expand(self.settings.cert))
        trusting.check_hostname = False  # it has to be this very certificate
        trusting.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=trusting)


def worker_findings(workers: Sequence[Worker]) -> Iterator[Finding]:
    """Yield a finding for each worker, for each model, and for types that none can run. Pure."""
    if not workers:
        yield warning(
            "No worker is connected, and this machine runs no jobs.",
            "Start `sdrest worker` on another machine; `sdrest doctor --worker ADDRESS` checks it.",
        )
        return
    for worker in workers:
        yield from _of_worker(worker)
    ready = [worker for worker in workers if worker["state"] == "ready"]
    models = dict.fromkeys(model["file"] for worker in ready for model in worker["models"])
    for file in models:
        names = [one["name"] for one in ready if file in {model["file"] for model in one["models"]}]
        others = [one["name"] for one in ready if one["name"] not in names]
        lacking = f", not on {', '.join(others)}" if others else ""
        yield ok(f"{file} is on {', '.join(names)}{lacking}.")
    for job_type in JobType:
        if not any(job_type in worker["types"] for worker in ready):
            yield failure(
                f"No machine runs {job_type} for requests that name no model.",
                "Give a worker its model (--text-to-image-model, --inpaint-image-model).",
            )


def _of_worker(worker: Worker) -> Iterator[Finding]:
    name, state = worker["name"], worker["state"]
    if state == "refused":
        yield failure(f"{name} is refused.", worker["reason"])
        return
    if state in {"lost", "connecting"}:
        yield warning(
            f"{name} ({worker['address']}) does not answer.",
            "See that it runs, and that no firewall is between.",
        )
        return
    device = worker["accelerator"] or "an unknown device"
    types = ", ".join(worker["types"]) or "nothing without a named model"
    running = f"{len(worker['jobs'])} of {worker['capacity']} jobs"
    ends = ", and stops" if state == "draining" else ""
    yield ok(f"{name} has {device}, can run {types}, and runs {running}{ends}.")
    for problem in worker["problems"]:
        yield warning(f"{name}: {problem['message']}", "")
    for text in worker["warnings"]:
        yield warning(f"{name}: {text}", "")


def _reachable(host: str) -> str:
    """Return an address of this machine for a host that the server listens on."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "127.0.0.1"
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 (IPv4)
    return host
