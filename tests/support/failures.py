"""Ends of scripts, for the tests of failures."""

import json
import re

from sdrest.engine.local.failures.ending import Ending, FailureContext, Raised
from tests.support.paths import DATA

CAPTURES = DATA / "captures"


AROUND = FailureContext(
    model_flag="--text-to-image-model",
    pip="REPOSITORY/venv/bin/python -m pip install",
    names={"/srv/fork": "REPOSITORY"},
)


LAST_LINE = re.compile(r"^(?:[\w.]+\.)?(?P<type>\w+)(?:: (?P<text>.*))?", re.DOTALL)


def ending_of(capture: str) -> Ending:
    """Return how a recorded run ended, with the exception as the runner reports it."""
    lines = [json.loads(line) for line in (CAPTURES / f"{capture}.jsonl").read_text().splitlines()]
    chunks = [line.get("data", "") for line in lines if line.get("stream") == "stderr"]
    stderr = "".join(chunks)
    _, found, trace = stderr.rpartition("Traceback (most recent call last):\n")
    raised = None
    if found:
        # The frames are indented; what follows them is the exception.
        *_, exception = re.split(r"^  .*\n", trace, flags=re.MULTILINE)
        last = LAST_LINE.match(exception)
        assert last
        files = re.findall(r'File ".*?([^/"]+)", line', trace)
        raised = Raised((last["type"],), (last["text"] or "").strip(), files=frozenset(files))
    return Ending(code=lines[-1]["exit"], stderr=stderr, raised=raised)


def raised(*types: str, text: str = "", **facts: object) -> Ending:
    return Ending(code=1, stderr="", raised=Raised(types, text, **facts))  # type: ignore[arg-type]  # facts of the case
