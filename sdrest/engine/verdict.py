"""Why a task failed: what its host saw, in the words of its repository."""

from dataclasses import replace
from pathlib import Path

from sdrest.engine.base import Task
from sdrest.engine.failures import Ending, Surroundings, classify
from sdrest.engine.hosts import Host, Result
from sdrest.engine.redaction import names_of_paths
from sdrest.engine.repository import Repository, model_flag
from sdrest.errors import Failure, FailureCode


def failure_of(
    host: Host, result: Result, task: Task, repository: Repository, *, images: int = 0
) -> Failure:
    """Return the failure of a task whose script ended with `result` after so many `images`."""
    ending = Ending(
        code=result.code,
        raised=result.raised,
        stderr=host.stderr,
        ready=host.ready,
        images=images,
        total_images=task.params.total_images,
    )
    failure = classify(ending, _surroundings(task, repository))
    if failure.code in {FailureCode.MODEL_MISSING, FailureCode.MODEL_INVALID}:
        return replace(failure, path=repository.model(task.params.type))
    return failure


def _surroundings(task: Task, repository: Repository) -> Surroundings:
    python = repository.python or Path()
    if python.is_relative_to(repository.root):
        pip = f"{Path('REPOSITORY') / python.relative_to(repository.root)} -m pip install"
    else:
        pip = f"{python.name} -m pip install"
    return Surroundings(
        model_flag=model_flag(task.params.type),
        pip=pip,
        names=names_of_paths(
            {
                "REPOSITORY": repository.root,
                "MODEL": repository.model(task.params.type),
                "VENV": python.parent.parent,
                "OUTPUT": task.workdir / "output",
                "WORKDIR": task.workdir,
            }
        ),
    )
