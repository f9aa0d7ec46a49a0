"""Why a task failed: what its host saw, in the words of its repository."""

from pathlib import Path

from sdrest.engine.base import Task
from sdrest.engine.failures import Ending, Surroundings, classify
from sdrest.engine.hosts import Host, Result
from sdrest.engine.redaction import names_of_paths
from sdrest.engine.repository import Repository, model_flag
from sdrest.engine.signals import may_be_stopped
from sdrest.errors import Failure


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
        oom_killed=host.oom_killed,
    )
    return classify(ending, _surroundings(task, repository))


def was_signalled(host: Host, result: Result) -> bool:
    """Return whether a signal of a stop may have ended the script of a host, or its children.

    Also True where the host dies of one just after the script, which may have lost a child to it.
    False where the kernel has killed a process for lack of memory.
    """
    if host.oom_killed:
        return False
    ends = [Ending(result.code, host.stderr, result.raised), Ending(host.exit_code or 0, "")]
    return any(map(may_be_stopped, ends))


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
