"""What a job changes in how a script samples reaches that job's script, and no other."""

import json
from pathlib import Path

import pytest

from sdrest.engine.base import Finished
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.pool import PoolConfig
from tests.fakes.running import collect, fake_repository, task

pytestmark = pytest.mark.integration


async def test_a_negative_prompt_is_that_of_its_own_job(tmp_path: Path) -> None:
    executor = LocalExecutor(fake_repository(), config=PoolConfig(keep_alive=-1))
    texts = ["", "fog", "", "rain"]
    asked = []
    for number, text in enumerate(texts):
        work = task(tmp_path / str(number), "ask", negativePrompt=text)
        assert (await collect(executor.run(work)))[-1] == Finished()
        asked.append(json.loads((work.workdir / "output/asked.json").read_text()))
    await executor.close()
    assert asked == [[[text], ["ask"]] for text in texts]
