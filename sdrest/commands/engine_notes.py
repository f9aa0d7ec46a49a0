"""What `serve` and `worker` say of their engine at the start."""

import shutil
from collections.abc import Iterator

from sdrest.commands.doctor.findings import Verdict
from sdrest.commands.doctor.memory import memory_findings
from sdrest.commands.log_lines import Level, LogLine
from sdrest.engine.local.repository import locate
from sdrest.errors import UsageError
from sdrest.paths import expand, expand_home
from sdrest.settings import Settings


def check_given_paths(settings: Settings) -> None:
    """Raise `UsageError` if a given path does not exist; missing defaults are only warned about."""
    for flag in ("repository", "models"):
        folder = getattr(settings, flag)
        if flag in settings.given and not expand(folder).is_dir():
            raise UsageError(f"There is no folder {folder} (--{flag}).")
    if settings.python and shutil.which(expand_home(settings.python)) is None:
        raise UsageError(f"There is no program {settings.python} (--python).")


def memory_notes(settings: Settings) -> Iterator[LogLine]:
    """Yield what the checkpoints take, and whether that fits; reads them."""
    repository = locate(settings)
    if repository.bundled or not settings.concurrency:
        return
    for finding in memory_findings(settings, repository):
        level = Level.INFO if finding.verdict is Verdict.OK else Level.WARNING
        yield LogLine.of(level, " ".join(filter(None, [finding.message, finding.remedy])))
