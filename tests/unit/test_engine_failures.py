import errno
import json
import re
import signal
from pathlib import Path

import pytest

from sdrest.engine.failures import Ending, Raised, Surroundings, classify
from sdrest.errors import FailureCode

CAPTURES = Path(__file__).parents[1] / "data" / "captures"
AROUND = Surroundings(
    model_flag="--text-to-image-model",
    pip="REPOSITORY/venv/bin/python -m pip install",
    names={"/srv/fork": "REPOSITORY"},
)


LAST_LINE = re.compile(r"^(?:[\w.]+\.)?(?P<type>\w+)(?:: (?P<text>.*))?", re.DOTALL)


def ending_of(capture: str) -> Ending:
    """How a recorded run ended, with what the host would have told of its exception."""
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


@pytest.mark.parametrize(
    ("capture", "code"),
    [
        ("fail_H500", "script_failed"),
        ("fail_ckpt_dir", "model_invalid"),
        ("fail_ckpt_empty", "model_invalid"),
        ("fail_ckpt_garbage", "model_invalid"),
        ("fail_ckpt_half", "model_invalid"),
        ("fail_ckpt_half_nowo", "model_invalid"),
        ("fail_ckpt_html", "model_invalid"),
        ("fail_ckpt_inpaintmodel", "model_invalid"),
        ("fail_ckpt_lfs", "model_invalid"),
        ("fail_ckpt_missing", "model_missing"),
        ("fail_ckpt_nostate", "model_invalid"),
        ("fail_ckpt_truncated", "model_invalid"),
        ("fail_ckpt_zip", "model_invalid"),
        ("fail_nsamples_huge", "killed"),  # by SIGKILL, and no counter was recorded
        ("fail_nsamples_memlimit", "out_of_memory"),
        ("fail_niter0", "images_missing"),
        ("fail_steps_text", "script_failed"),
        ("fail_steps0", "script_failed"),
        ("sig_t2i_SIGINT", "killed"),
        ("sig_t2i_SIGTERM_import", "killed"),
    ],
)
def test_recorded_failures(capture: str, code: str) -> None:
    failure = classify(ending_of(capture), AROUND)
    assert failure.code == code
    json.dumps(failure.details)


def raised(*types: str, text: str = "", **facts: object) -> Ending:
    return Ending(code=1, stderr="", raised=Raised(types, text, **facts))  # type: ignore[arg-type]  # facts of the case


@pytest.mark.parametrize(
    ("ending", "code", "message"),
    [
        (raised("MemoryError"), "out_of_memory", "ran out of memory"),
        (raised("OutOfMemoryError", text="CUDA out of memory."), "out_of_memory", "smaller"),
        (raised("RuntimeError", text="MPS backend out of memory"), "out_of_memory", "smaller"),
        (raised("OSError", errno=errno.ENOMEM), "out_of_memory", "smaller"),
        (Ending(-signal.SIGABRT, "terminate: std::bad_alloc"), "out_of_memory", "memory"),
        (Ending(-signal.SIGSEGV, ""), "killed", "SIGSEGV"),
        (Ending(-60, ""), "killed", "signal 60"),
        (Ending(1, "", ready=False), "python_missing", "3.8"),
        (Ending(-signal.SIGKILL, "", ready=False), "killed", "may have run out of memory"),
        (Ending(-signal.SIGKILL, "", oom_killed=False), "killed", "SIGKILL. Submit"),
        (Ending(-signal.SIGKILL, "", oom_killed=True), "out_of_memory", "ran out of memory"),
        (Ending(-signal.SIGTERM, "", oom_killed=True), "killed", "SIGTERM"),
        (raised("KeyboardInterrupt", "BaseException"), "killed", "SIGINT"),
        (raised("OSError", errno=errno.ENOSPC), "storage_failed", "Make room"),
        (raised("RuntimeError", text="[Errno 28] No space left on device"), "storage_failed", ""),
        (Ending(0, "", images=1, total_images=3), "images_missing", "only 1 of 3"),
        (Ending(2, "usage\nt.py: error: no\n"), "script_failed", "code 2: t.py: error: no"),
        (raised("KeyError", text="'state_dict'"), "model_invalid", "--text-to-image-model"),
        (raised("KeyError", text="'a state_dict of ours'"), "script_failed", ""),
        (raised("EOFError", files=frozenset({"serialization.py"})), "model_invalid", "damaged"),
        (
            raised("EOFError", files=frozenset({"serialization.py", "modeling_utils.py"})),
            *("script_failed", "EOFError"),
        ),
        (raised("ValueError", text="x" * 1000), "script_failed", "x..."),
        (raised("ValueError"), "script_failed", "failed: ValueError"),
    ],
)
def test_failures(ending: Ending, code: str, message: str) -> None:
    failure = classify(ending, AROUND)
    assert failure.code == code
    assert message in failure.message
    assert len(failure.message) < 700


@pytest.mark.parametrize(
    ("kind", "module", "advice"),
    [
        ("ModuleNotFoundError", "cv2.dnn", "pip install opencv-python-headless"),
        ("ModuleNotFoundError", "some_module", "pip install some-module"),
        ("ModuleNotFoundError", "ldm.util", "Check it out again"),
        ("ModuleNotFoundError", None, "Install it again there"),
        ("ImportError", "torch", "libc10.so: not there Install it again there"),
    ],
)
def test_imports(kind: str, module: str | None, advice: str) -> None:
    types = tuple(dict.fromkeys((kind, "ImportError")))
    failure = classify(raised(*types, text="libc10.so: not there", module=module), AROUND)
    assert failure.code is FailureCode.IMPORT_FAILED
    assert advice in failure.message


def test_details_tell_code_or_signal_and_the_last_lines() -> None:
    stderr = 'File "/srv/fork/a.py"\nat /home/joe/b.py\n'
    shown = 'File "REPOSITORY/a.py"\nat .../b.py'
    assert classify(Ending(3, stderr), AROUND).details == {"exitCode": 3, "stderr": shown}
    assert classify(Ending(-15, stderr), AROUND).details == {"signal": "SIGTERM", "stderr": shown}


def test_a_message_shows_no_path() -> None:
    failure = classify(raised("ValueError", text="bad '/srv/fork/x' in /home/joe/y"), AROUND)
    assert failure.message == "The script failed: ValueError: bad 'REPOSITORY/x' in .../y"
