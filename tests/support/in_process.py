"""The command line in this process, where no process of its own is what is tested."""

import contextlib
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from sdrest.cli import main

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_here(
    capfd: pytest.CaptureFixture[str], folder: Path, env: Mapping[str, str], *words: str
) -> tuple[int, str, str]:
    """Run a command in `folder` with the environment `env`; return its status, stdout, stderr.

    A server that starts sets the level of the log and handles signals; both are restored.
    """
    log = logging.getLogger("sdrest")
    level = log.level
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        for name in os.environ.keys() - env.keys():
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        capfd.readouterr()
        try:
            status = main(words)
        finally:
            log.setLevel(level)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return (status, *capfd.readouterr())
