"""None"""

import errno
import json
import signal
from dataclasses import replace

import pytest

from sdrest.engine.local.failures.classify import classify
from sdrest.engine.local.failures.ending import Ending
from sdrest.errors import FailureCode
from tests.support.failures import AROUND, ending_of, raised


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
            *("model_invalid", "EOFError"),
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


def test_details_have_code_or_signal_and_the_last_lines() -> None:
    stderr = 'File "/srv/fork/a.py"\nat /home/joe/b.py\n'
    shown = 'File "REPOSITORY/a.py"\nat .../b.py'
    assert classify(Ending(3, stderr), AROUND).details == {"exitCode": 3, "stderr": shown}
    assert classify(Ending(-15, stderr), AROUND).details == {"signal": "SIGTERM", "stderr": shown}


def test_a_message_shows_no_path() -> None:
    failure = classify(raised("ValueError", text="bad '/srv/fork/x' in /home/joe/y"), AROUND)
    assert failure.message == "The script failed: ValueError: bad 'REPOSITORY/x' in .../y"


TORCH_MEMORY = "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"


MAP = "failed to map segment from shared object"


@pytest.mark.parametrize(
    "ending",
    [
        raised("MemoryError"),
        raised("RuntimeError", text=TORCH_MEMORY),
        raised("RuntimeError", text="unable to mmap 12 bytes: Cannot allocate memory (12)"),
        raised("OSError", errno=errno.ENOMEM),
        raised("_ArrayMemoryError", text="Unable to allocate 3. GiB for an array"),
        raised("ImportError", "Exception", text=f"libtorch_cuda.so: {MAP}"),
        raised("ImportError", text="libtorch_cpu.so: cannot allocate memory"),
        raised("ImportError", text=f"x.so: {MAP}: Cannot allocate memory"),
        raised(
            "ImportError", text="Error importing numpy: \u2026", causes=[f"ImportError: x: {MAP}"]
        ),
        raised("OSError", text="Unable to load weights", causes=["A: b", f"B: {TORCH_MEMORY}"]),
        raised("RuntimeError", text="CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
        raised("RuntimeError", text="Invalid buffer size: 16.00 GiB"),
        Ending(127, f"python: error while loading shared libraries: libm.so.6: {MAP}", ready=False),
        Ending(1, "MemoryError\n", ready=False),
        Ending(1, "OpenBLAS error: Memory allocation still failed after 10 retries, giving up."),
        Ending(-signal.SIGABRT, "terminate called after throwing 'std::bad_alloc'"),
    ],
)
def test_out_of_memory_while_loading_does_not_advise_a_smaller_picture(ending: Ending) -> None:
    failure = classify(replace(ending, loaded=False), AROUND)
    assert failure.code is FailureCode.OUT_OF_MEMORY
    assert "while it loaded" in failure.message
    for advice in ("--max-models 1", "smaller checkpoint", "Close other programs"):
        assert advice in failure.message
    assert "smaller picture" not in failure.message
    while_sampling = classify(replace(ending, loaded=True), AROUND)
    assert while_sampling.code is FailureCode.OUT_OF_MEMORY
    assert "smaller picture or a smaller batch" in while_sampling.message


def test_out_of_memory_of_the_gpu_is_named() -> None:
    ending = raised("OutOfMemoryError", text="CUDA out of memory. Tried to allocate 2.00 GiB")
    assert "ran out of memory on the GPU" in classify(ending, AROUND).message


CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB"
SMALLER = "Request a smaller picture or a smaller batch"
FEWER = "run fewer tasks at once (--concurrency)"
ONE_MODEL = "start the server with --max-models 1"


@pytest.mark.parametrize(
    ("loaded", "attention", "context", "advice"),
    [
        (True, "fast", {}, f"{SMALLER}."),
        (True, "exact", {}, f"{SMALLER}, or start the server with --attention fast."),
        (True, "", {"concurrency": 2}, f"{SMALLER}, or {FEWER}."),
        (False, "", {"max_models": 1}, "Close other programs, or use a smaller checkpoint."),
        (
            *(False, "exact", {"max_models": 2, "concurrency": 3}),
            f"Close other programs, {ONE_MODEL}, {FEWER}, or use a smaller checkpoint.",
        ),
    ],
)
def test_only_what_helps_is_advised(
    loaded: bool, attention: str, context: dict[str, int], advice: str
) -> None:
    ending = replace(raised("OutOfMemoryError", text=CUDA), loaded=loaded, attention=attention)
    failure = classify(ending, replace(AROUND, **context))  # type: ignore[arg-type]  # by name
    assert failure.message.partition(". ")[2] == advice


@pytest.mark.parametrize(
    ("ending", "around", "advice"),
    [
        (raised("ImportError", text="libgomp: cannot allocate memory in static TLS block"), {}, ""),
        (raised("ImportError", text=f"x.so: {MAP}: Operation not permitted"), {}, ""),
        (raised("ImportError", text=f"x.so: {MAP}"), {"noexec": True}, "forbids execution"),
        (
            raised("ImportError", text="libGL.so.1: cannot open shared object file: No such file"),
            {},
            "lacks the library libGL.so.1",
        ),
        (
            raised("ImportError", text="dlopen: Library not loaded: @rpath/libomp.dylib"),
            {},
            "lacks the library libomp.dylib",
        ),
    ],
)
def test_import_failures_that_are_not_for_want_of_memory(
    ending: Ending, around: dict[str, bool], advice: str
) -> None:
    failure = classify(ending, replace(AROUND, **around))  # type: ignore[arg-type]  # by name
    assert failure.code is FailureCode.IMPORT_FAILED
    assert advice in failure.message


@pytest.mark.parametrize(
    "ending",
    [
        Ending(1, "RuntimeError: can't start new thread\n"),
        raised("RuntimeError", text="can't start new thread"),
        raised("OSError", errno=errno.EMFILE),
        raised("BlockingIOError", "OSError", errno=errno.EAGAIN),
    ],
)
def test_no_more_threads_or_files(ending: Ending) -> None:
    failure = classify(ending, AROUND)
    assert failure.code is FailureCode.OUT_OF_RESOURCES
    assert "ulimit -n" in failure.message
