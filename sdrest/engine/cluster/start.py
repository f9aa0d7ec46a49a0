"""Build the executor of a server with a cluster."""

import platform

from sdrest.checkpoints.hashes import Hashes
from sdrest.engine.base import Executor
from sdrest.engine.cluster.executor import ClusterExecutor
from sdrest.engine.cluster.front import Front
from sdrest.engine.cluster.here import Here
from sdrest.engine.cluster.offer import Machine
from sdrest.engine.cluster.security import security
from sdrest.engine.local.repository import Repository
from sdrest.errors import UsageError
from sdrest.settings import Settings


def has_cluster(settings: Settings) -> bool:
    """Whether a server uses workers. Raises `UsageError` for flags that contradict each other."""
    if settings.cluster and settings.scheduler:
        raise UsageError("--cluster starts a scheduler, --scheduler names another one: give one.")
    found = bool(settings.cluster or settings.scheduler)
    if not (found or settings.concurrency):
        raise UsageError("--concurrency 0 needs --cluster or --scheduler: nothing would run jobs.")
    return found


def cluster_executor(
    settings: Settings, executor: Executor, repository: Repository, hashes: Hashes
) -> ClusterExecutor:
    """Return an executor over workers and, unless `--concurrency` is 0, over `executor`."""
    if not settings.concurrency:
        return ClusterExecutor()
    machine = Machine(_name(settings), "")
    return ClusterExecutor(Here(executor, repository, hashes, machine))


def front_of(settings: Settings, executor: ClusterExecutor) -> Front:
    """Return the front for `executor.start`. Raises `UsageError` for addresses without TLS."""
    option, address = "--cluster", settings.cluster
    if not address:
        option, address = "--scheduler", settings.scheduler
    return Front(
        listen=settings.cluster,
        connect=settings.scheduler,
        security=security(address, settings.cluster_credentials, option=option),
        changed=executor.changed,
        own_name=_name(settings) if settings.concurrency else "",
    )


def _name(settings: Settings) -> str:
    return settings.name or platform.node()
