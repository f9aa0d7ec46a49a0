"""Why a task failed: what its runner saw, in the words of its repository."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from sdrest.checkpoints.problems import named
from sdrest.engine.base import Task
from sdrest.engine.local import hub_models
from sdrest.engine.local.failures.classify import classify
from sdrest.engine.local.failures.ending import Ending, FailureContext
from sdrest.engine.local.failures.redaction import names_of_paths
from sdrest.engine.local.failures.signals import may_be_stopped
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.repository import Repository, config_of, model_flag
from sdrest.engine.local.runner import Result, Runner
from sdrest.errors import Failure, FailureCode


def failure_of(
    runner: Runner,
    result: Result,
    task: Task,
    repository: Repository,
    checkpoint: Path,
    *,
    config: PoolConfig,
    images: int = 0,
    loaded: bool = False,
) -> Failure:
    """Return the failure of a task whose script ended with `result` after so many `images`.

    `checkpoint` is the one that the script loads; `loaded` says whether it had drawn a bar. Looks
    at files: call it in a thread.
    """
    ending = Ending(
        code=result.code,
        raised=result.raised,
        stderr=runner.stderr,
        ready=runner.ready,
        loaded=loaded or images > 0,
        images=images,
        total_images=task.params.total_images,
        oom_killed=runner.oom_killed,
        attention=runner.attention,
    )
    context = replace(
        _context(task, repository, checkpoint),
        max_models=config.max_models,
        concurrency=config.concurrency,
    )
    failure = classify(ending, context)
    about_model = failure.code in {FailureCode.MODEL_MISSING, FailureCode.MODEL_INVALID}
    if about_model and context.model_flag in failure.message:  # else another model is meant
        return replace(failure, path=checkpoint)
    return failure


def was_signalled(runner: Runner, result: Result) -> bool:
    """Return whether a signal of a stop may have ended the script of a runner, or its children.

    Also True where the runner dies of one just after the script, which may have lost a child to it.
    False where the kernel has killed a process for lack of memory.
    """
    if runner.oom_killed:
        return False
    ends = [Ending(result.code, runner.stderr, result.raised), Ending(runner.exit_code or 0, "")]
    return any(map(may_be_stopped, ends))


def _context(task: Task, repository: Repository, checkpoint: Path) -> FailureContext:
    python = repository.python or Path()
    if python.is_relative_to(repository.root):
        pip = f"{Path('REPOSITORY') / python.relative_to(repository.root)} -m pip install"
    else:
        pip = f"{python.name} -m pip install"
    config = config_of(task.params.type)
    linked = str(task.workdir / "run" / config)  # where inpaint.py finds it
    return FailureContext(
        model_flag=named(task.params.model) if task.params.model else model_flag(task.params.type),
        pip=pip,
        config=config,
        names={linked: f"REPOSITORY/{config}"}
        | names_of_paths(
            {
                "REPOSITORY": repository.root,
                "MODEL": checkpoint,
                "VENV": python.parent.parent,
                "OUTPUT": task.workdir / "output",
                "WORKDIR": task.workdir,
                "HUB_CACHE": hub_models.cache_of(),
            }
        ),
        hub_problems=_hub_problems(repository.root),
        hub_folders=_hub_folders(repository.root),
        noexec=_forbids_execution(python.parent),
    )


def _hub_problems(root: Path) -> dict[str, Failure]:
    """Return what is wrong with each model that the fork loads by name, where something is."""
    found = {}
    for model in hub_models.TITLES:
        with contextlib.suppress(OSError):  # the script says so
            found[model] = hub_models.problem(model, root)
    return {model: failure for model, failure in found.items() if failure}


def _hub_folders(root: Path) -> dict[str, Path]:
    """Return what to delete of each model to have it fetched again: in the cache, all versions."""
    found = {}
    for model in hub_models.TITLES:
        with contextlib.suppress(OSError):
            found[model] = hub_models.located(model, root)
    return {
        model: folder if folder.is_relative_to(root) else folder.parents[1]
        for model, folder in found.items()
        if folder
    }


def _forbids_execution(folder: Path) -> bool:
    try:
        flags = os.statvfs(folder).f_flag
    except OSError:
        return False
    return bool(flags & getattr(os, "ST_NOEXEC", 0))  # Linux; macOS gives another error
