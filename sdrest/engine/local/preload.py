"""Loading the text-to-image model before the first request."""

import asyncio
import logging
import tempfile
from pathlib import Path

from sdrest.engine.base import Task
from sdrest.engine.local.failures.verdict import failure_of, was_signalled
from sdrest.engine.local.invocation import plan
from sdrest.engine.local.pool import Pool
from sdrest.engine.local.repository import Repository, problem
from sdrest.job_types import JobType
from sdrest.params import TextToImage

_log = logging.getLogger(__name__)


async def preload(pool: Pool, repository: Repository, *, keep_alive: float) -> None:
    """Let a runner import what the script imports, and load its model, but draw nothing.

    Without torch there is no model that could stay: then it is the imports alone.
    """
    failure = problem(repository, JobType.TEXT_TO_IMAGE)
    if failure:
        _log.warning("Nothing was loaded: %s", failure.local_message)
        return
    with tempfile.TemporaryDirectory(prefix="sdrest-") as folder:
        task = Task(id="", params=TextToImage(prompt=""), seed=0, workdir=Path(folder))
        try:
            runner = await pool.take(repository.text_to_image_model)
        except OSError as error:
            _log.warning("Nothing was loaded: %s", error)
            return
        changed = asyncio.Event()
        try:
            runner.submit(plan(task, repository), repository, on_change=changed.set, preload=True)
            while runner.result is None:
                changed.clear()
                await changed.wait()
            if runner.result.code:
                await runner.settle()
                level = logging.DEBUG if was_signalled(runner, runner.result) else logging.WARNING
                failure = await asyncio.to_thread(
                    failure_of,
                    runner,
                    runner.result,
                    task,
                    repository,
                    repository.text_to_image_model,
                    config=pool.config,
                )
                _log.log(level, "Nothing was loaded: %s", failure.local_message)
        finally:
            await pool.dismiss(runner, keep_alive=keep_alive)
