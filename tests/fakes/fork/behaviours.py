"""What the fake scripts do, by the first word of their prompt."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import drawing  # type: ignore[import-not-found]  # found on PYTHONPATH, as in the fork

if TYPE_CHECKING:
    from tests.fakes.fork.sampling import Script

GRANDCHILD = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "w") as lifeline:
    print(os.getpid(), file=lifeline, flush=True)
    signal.pause()
"""


def paint(script: Script) -> None:
    script.batches()


def crash_before(script: Script) -> None:
    raise RuntimeError("Sizes of tensors must match")


def crash_between(script: Script) -> None:
    script.batches(last=1)
    raise RuntimeError(f"cannot go on after {script.image(0)}")


def crash_after(script: Script) -> None:
    script.batches()
    raise RuntimeError("too late to matter")


def hang(script: Script) -> None:
    script.hold_lifeline()
    signal.pause()


def deaf(script: Script) -> None:
    """Hang, deaf to SIGTERM, with children deaf to it, in the group and in a new session."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    script.leave_grandchild(new_session=False)
    script.leave_grandchild(new_session=True)
    hang(script)


def deaf_with_child(script: Script) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    script.leave_grandchild(new_session=False)
    hang(script)


def leave_children(script: Script) -> None:
    """Do well, but leave children that hold stderr open, in the group and in a new session."""
    script.leave_grandchild(new_session=False)
    script.leave_grandchild(new_session=True)
    script.hold_lifeline()
    wait_at_gate(script)
    script.batches()


def attend(script: Script) -> None:
    """Compute attention on a device, in a repository that has it: `attend device=mps`.

    With `torch=1` PyTorch has none of its own; with `memory=1` there is too little for the second
    batch.
    """
    import torch  # type: ignore[import-not-found]  # noqa: PLC0415 (the one of that repository)
    from ldm.modules import (  # type: ignore[import-not-found]  # noqa: PLC0415 (as above)
        attention,
    )

    if "torch" in script.values:
        del torch.nn.functional.scaled_dot_product_attention
    attention.CrossAttention().forward(attention.Tensor(script.values.get("device", "cpu")))
    if "memory" in script.values:
        script.batches(last=1)
        raise MemoryError
    script.batches()


def ask(script: Script) -> None:
    """Ask the model for conditionings, as the scripts of the fork do; write down what came."""
    from ldm.models.diffusion import ddpm  # type: ignore[import-not-found]  # noqa: PLC0415 (the one beside this file)

    model = ddpm.LatentDiffusion()
    empty = model.get_learned_conditioning([""]) if script.options.scale != 1.0 else None
    asked = [empty, model.get_learned_conditioning([script.options.prompt])]
    Path(script.options.outdir, "asked.json").write_text(json.dumps(asked))
    script.batches()


def flag(script: Script) -> None:
    """Let the safety checker replace some images, e.g. `flag images=1,3`."""
    script.batches()


def preview(script: Script) -> None:
    """Sample with previews; each batch ends when something is written into the gate."""
    script.batches()


def wait_between(script: Script) -> None:
    if "lifeline" in script.values:
        script.hold_lifeline()
    script.batches(last=1)
    wait_at_gate(script)
    script.batches(first=1)


def wait_at_gate(script: Script) -> None:
    with Path(script.values["gate"]).open() as gate:
        gate.read()


def flood_stdout(script: Script) -> None:
    sys.stdout.write("x" * 10_000_000)
    sys.stdout.flush()
    script.batches()


def flood_stderr(script: Script) -> None:
    """Write a line of 1 MB without an end, then fail."""
    for _ in range(16):
        drawing.write("y" * 65_536)
    raise RuntimeError("after the flood")


def half_png(script: Script) -> None:
    script.batches(last=script.options.n_iter - 1)
    whole = script.png()
    script.image(script.options.n_iter - 1).write_bytes(whole[: len(whole) // 2])


def too_few(script: Script) -> None:
    script.batches(last=script.options.n_iter - 1)


def no_bars(script: Script) -> None:
    script.drawn = False
    script.batches()


def end_at_once(script: Script) -> None:
    script.batches()
    os._exit(0)


def fork_through(script: Script) -> None:
    """Fork a child that comes to the script's end before the parent has made anything."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        script.batches()


def close_stderr(script: Script) -> None:
    script.drawn = False
    sys.stderr.close()
    os.close(2)
    script.batches()


def killed(script: Script) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def terminated(script: Script) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def leave_at_sigterm(script: Script) -> None:
    """Hang, and leave with an exit code of its own at SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(script.values["code"])))
    hang(script)


def need_child(script: Script) -> None:
    """Wait for a child in a session of its own, which holds the lifeline, and need its success."""
    child = GRANDCHILD.replace("SIG_IGN", "SIG_DFL")
    program = [sys.executable, "-c", child, script.values["lifeline"]]
    subprocess.run(program, start_new_session=True, check=True)


def devour(script: Script) -> None:
    """Take memory until the kernel ends this."""
    taken = []
    while True:
        taken.append(os.urandom(1 << 20))


def exit_text(script: Script) -> None:
    raise SystemExit("nothing to do")


def exit_code(script: Script) -> None:
    raise SystemExit(int(script.values["code"]))


def leave_thread(script: Script) -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    script.batches()


def spoil(script: Script) -> None:
    """Do well, but leave a process in which each later job fails after so many images."""
    script.batches()
    drawing.images_left = int(script.values["images"])


def deaf_to_interrupts(script: Script) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hang(script)


def garbage(script: Script) -> None:
    """Write into every descriptor there is, whole lines and parts of lines."""
    forged = {"event": "finished", "id": "1", "code": 1, "exception": None}
    lines = (
        json.dumps(forged).encode() + b"\n",
        b"\xff{",
        b"7\n[]\n{}\n",
        b"[" * 9999,
        b'\n{"event',
    )
    for number in range(3, 64):
        try:
            os.write(number, b"".join(lines))
        except OSError:
            continue
    script.batches()


def close_descriptors(script: Script) -> None:
    script.batches(last=script.options.n_iter - 1)
    os.closerange(3, 64)


def out_of_memory(script: Script) -> None:
    raise MemoryError


def out_of_memory_between(script: Script) -> None:
    script.batches(last=1)
    raise MemoryError


def too_much_memory(script: Script) -> None:
    try:
        _ = bytearray(1 << 50)
    except MemoryError as error:
        raise OSError("Unable to load weights from the file.") from error


def disk_full(script: Script) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(script.image(0)))


def missing_module(script: Script) -> None:
    __import__("cv2_that_nobody_has")
