"""Prepare a task: find its checkpoint and what is missing, and lay out its folder."""

from dataclasses import replace

from sdrest import pictures
from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.problems import missing_model, named
from sdrest.engine.base import Task
from sdrest.engine.local import links
from sdrest.engine.local.invocation import Invocation, plan
from sdrest.engine.local.repository import Repository, problem
from sdrest.errors import Failure, FailureCode, picture_failure
from sdrest.params import Params


def prepare(task: Task, repository: Repository, attention: str) -> Invocation | Failure:
    """Look for what is missing, and lay out the workdir: pictures that fit the script, links."""
    chosen = _chosen(task.params, repository)
    if isinstance(chosen, Failure):
        return chosen
    failure = problem(repository, task.params.type, chosen)
    if failure:
        return failure
    invocation = plan(task, repository, chosen)
    sampling = {**invocation.sampling, "attention": attention}
    try:
        if invocation.inputs and task.image:
            invocation.inputs.mkdir(parents=True)
            pictures.script_input(task.image, task.mask, invocation.inputs)
        return links.lay_out(replace(invocation, sampling=sampling))
    except OSError as error:
        return picture_failure(error)


def _chosen(params: Params, repository: Repository) -> Checkpoint | Failure | None:
    """Return the checkpoint that a job names, or why it cannot use it; None where it names none."""
    if not params.model:
        return None
    found = repository.models.find(params.model)
    if found is None:
        return Failure(FailureCode.MODEL_MISSING, missing_model(named(params.model)))
    if params.type not in found.types:
        reason = found.reason or f"It is a model for {' and '.join(found.types)}."
        text = f"The model {found.name} cannot be used. {reason}"
        return Failure(FailureCode.MODEL_INVALID, text, path=found.path)
    return found
