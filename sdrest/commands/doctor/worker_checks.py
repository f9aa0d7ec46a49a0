"""Check what a worker needs of its server: credentials, addresses that answer, equal versions."""

import asyncio
import datetime as dt
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdrest.commands.doctor.findings import Finding, failure, ok, warning
from sdrest.commands.doctor.machine_checks import disk_finding
from sdrest.engine.cluster import library
from sdrest.engine.cluster.addresses import complete
from sdrest.engine.cluster.protocol import refusal, versions
from sdrest.engine.cluster.security import RENEW, read, security
from sdrest.errors import UsageError
from sdrest.paths import expand
from sdrest.settings import Settings

_SOON = dt.timedelta(days=30)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class WorkerChecks:
    """Checks of a worker with `settings` for the server at `address`."""

    settings: Settings
    address: str

    def credentials(self) -> Iterator[Finding]:
        """Whether this machine has the cluster's credentials."""
        if not complete(self.address).startswith("tls:"):
            yield ok("Without TLS none are needed.")
            return
        try:
            found = read(expand(self.settings.cluster_credentials))
        except UsageError as error:
            yield failure(error.message)
            return
        if found.path.stat().st_mode & _OTHERS:
            yield warning(
                f"Others can read {found.path}: they could run programs on the whole cluster.",
                f"chmod 600 {shlex.quote(str(found.path))}",
            )
        text = f"{found.path} is good until {found.ends:%Y-%m-%d}."
        yield warning(text, RENEW) if found.ends < dt.datetime.now(dt.UTC) + _SOON else ok(text)

    def connection(self) -> Iterator[Finding]:
        """Whether the server answers, can reach this machine, and has the same versions."""
        address = complete(self.address)
        library.load()
        from sdrest.engine.cluster.probe import probe  # noqa: PLC0415 (see `library`)
        from sdrest.engine.cluster.worker import ConnectError  # noqa: PLC0415

        try:
            given = security(address, self.settings.cluster_credentials, option="--worker")
            with tempfile.TemporaryDirectory(prefix="sdrest-") as folder:
                port = self.settings.worker_port
                answer = asyncio.run(probe(address, given, folder, port=port))
        except UsageError as error:
            yield failure(error.message)
            return
        except ConnectError as error:
            remedy = "See that the server runs with --cluster, and that no firewall is between."
            yield failure(f"Cannot connect to {address}: {error}", "" if error.lasting else remedy)
            return
        yield ok(f"{address} answers.")
        if answer.reached:
            yield ok(f"It reaches this machine at {answer.address}.")
        else:
            yield failure(
                f"It does not reach this machine, for example at {answer.address}.",
                "The server connects to a port of each worker (--worker-port): allow that in the "
                "firewall, and let no other program listen there.",
            )
        if not answer.versions:
            yield warning(
                "It does not say its version of sdrest.",
                "That is usual where Dask's scheduler runs outside of the server (--scheduler).",
            )
        else:
            wrong = refusal(answer.versions, versions())
            yield failure(wrong) if wrong else ok(f"Both have sdrest {versions()['sdrest']}.")

    def disk(self) -> Iterator[Finding]:
        """Whether the disk has room for the pictures of running jobs."""
        folder = Path(tempfile.gettempdir())
        yield disk_finding(shutil.disk_usage(folder).free, folder, "Make room, or set TMPDIR.")
