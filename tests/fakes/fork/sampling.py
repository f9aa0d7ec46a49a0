"""The fake txt2img.py and img2img.py. The first word of the prompt says how they misbehave.

`crash_between` crashes after the first of two images; `hang lifeline=/path/to/fifo` takes a value.
A behaviour is a function of that name in behaviours.py; `paint` is what any other prompt gets.

A `lifeline` is a FIFO that the test reads: each process of the fake keeps it open and writes its
pid into it, so that the test sees which processes there are, and by its end that all are gone. A
`gate` is a FIFO that opens when the test writes to it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import behaviours  # type: ignore[import-not-found]  # found on PYTHONPATH, as in the fork
import drawing  # type: ignore[import-not-found]  # found on PYTHONPATH, as in the fork


class Script:
    """A run of the script: its options, and what it does in good order."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        for name in ("prompt", "outdir", "ckpt", "init-img", "precision"):
            parser.add_argument(f"--{name}")
        for name in ("n_iter", "n_samples", "ddim_steps", "seed", "H", "W", "C", "f"):
            parser.add_argument(f"--{name}", type=int, default=1)
        for name in ("scale", "ddim_eta", "strength"):
            parser.add_argument(f"--{name}", type=float)
        for name in ("skip_grid", "plms"):
            parser.add_argument(f"--{name}", action="store_true")
        self.options = parser.parse_args()
        behaviour, *values = self.options.prompt.split() or [""]
        self.behaviour = behaviour
        self.values = dict(value.split("=", 1) for value in values if "=" in value)
        self.samples = Path(self.options.outdir) / "samples"
        self.samples.mkdir(parents=True)
        self.drawn = True
        self.images = 0
        record_invocation(Path(self.options.outdir))

    def batches(self, first: int = 0, last: int | None = None) -> None:
        """Make the batches from `first` up to `last`, by default all."""
        total = self.options.n_iter
        size = self.options.n_samples
        if first == 0:
            self.draw(drawing.bar("Sampling", 0, total))
        for n in range(first, total if last is None else last):
            self.draw("\n" + drawing.bar("data", 0, 1) + "\x1b[A")
            if self.drawn:
                drawing.sample("PLMS Sampler" if self.options.plms else "DDIM Sampler")
            if self.behaviour == "preview":
                self.step(n)
            if self.behaviour == "flag":
                self.check(n)
            for k in range(size):
                drawing.save(self.image(n * size + k), self.png())
            self.draw("\n" + drawing.bar("data", 1, 1) + "\n")
            self.draw(drawing.bar("Sampling", n + 1, total))

    def step(self, batch: int) -> None:
        """Take steps of a batch with the sampler until something is written into the gate.

        The estimate of the first batch is dark, that of the next one bright.
        """
        from ldm.models.diffusion import (  # type: ignore[import-not-found]  # noqa: PLC0415 (the one beside this file)
            ddim,
        )

        options = self.options
        shape = options.n_samples, options.C, options.H // options.f, options.W // options.f
        latents = ddim.latents(shape, 9.0 if batch else -9.0)
        gate = os.open(self.values["gate"], os.O_RDONLY | os.O_NONBLOCK)
        for index in reversed(range(1_000_000)):
            ddim.DDIMSampler().p_sample_ddim(latents, None, None, index=index)
            time.sleep(0.01)
            try:
                if os.read(gate, 1):
                    break
            except BlockingIOError:  # opened, and nothing written yet
                continue
        os.close(gate)

    def check(self, batch: int) -> None:
        """Ask the safety checker about a batch, as the script of the fork does."""
        from diffusers.pipelines.stable_diffusion import (  # type: ignore[import-not-found]  # noqa: PLC0415 (the one beside this file)
            safety_checker,
        )

        size = self.options.n_samples
        bad = set(map(int, self.values["images"].split(",")))
        numbers = range(batch * size + 1, batch * size + size + 1)
        checker = safety_checker.StableDiffusionSafetyChecker()
        checker(clip_input=None, images=[number in bad for number in numbers])

    def draw(self, text: str) -> None:
        if self.drawn:
            drawing.write(text)

    def image(self, number: int) -> Path:
        return self.samples / f"{number:05}.png"

    def png(self) -> bytes:
        if self.images >= drawing.images_left:
            raise RuntimeError("Only a single TORCH_LIBRARY can be used to register the namespace")
        self.images += 1
        return bytes(drawing.png(self.options.W, self.options.H))

    def hold_lifeline(self) -> None:
        self.lifeline = Path(self.values["lifeline"]).open("w")  # noqa: SIM115 (held for ever)
        print(os.getpid(), file=self.lifeline, flush=True)

    def leave_grandchild(self, *, new_session: bool) -> None:
        subprocess.Popen(
            [sys.executable, "-c", behaviours.GRANDCHILD, self.values["lifeline"]],
            start_new_session=new_session,
        )


def record_invocation(outdir: Path) -> None:
    """Write down how this process was started."""
    facts = {
        "argv": sys.argv,
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "path": sys.path[:2],
        "main": sys.modules["__main__"].__dict__["__file__"],
        "sigint_interrupts": sigint_interrupts(),
        "stdin": sys.stdin.read(),
        "leader": os.getpgrp() == os.getpid() == os.getsid(0),
        "inherited": inherited_descriptors(),
    }
    (outdir / "invocation.json").write_text(json.dumps(facts))


def sigint_interrupts() -> bool:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return True
    return False


def inherited_descriptors() -> list[int]:
    """Return the descriptors beyond the standard streams that a child of this process gets."""
    return [number for number in range(3, 64) if is_inheritable(number)]


def is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:
        return False


def main() -> None:
    script = Script()
    getattr(behaviours, script.behaviour, behaviours.paint)(script)
