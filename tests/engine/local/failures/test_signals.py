"""Which ends of a script a stop may have caused."""

import signal

import pytest

from sdrest.engine.local.failures.ending import Ending, Raised
from sdrest.engine.local.failures.signals import may_be_stopped


def raised(*types: str, text: str = "") -> Ending:
    return Ending(code=1, stderr="", raised=Raised(types, text))


@pytest.mark.parametrize(
    "ending",
    [
        *(Ending(-number, "") for number in (1, 2, 9, 15)),
        *(Ending(128 + number, "") for number in (1, 2, 9, 15)),
        Ending(1, "Traceback\n  ...\nKeyboardInterrupt\n", ready=False),
        raised("KeyboardInterrupt", "BaseException"),
        raised("CalledProcessError", text="Command 'x' died with <Signals.SIGTERM: 15>."),
        raised("CalledProcessError", text="Command 'x' returned non-zero exit status 143."),
        raised("RuntimeError", text="DataLoader worker (pid 7) is killed by signal: Terminated. "),
        raised("RuntimeError", text="DataLoader worker (pid(s) 7, 8) exited unexpectedly"),
        raised("BrokenProcessPool", text="A process in the pool was terminated abruptly"),
        raised("EOFError"),
        raised("ConnectionResetError", "ConnectionError", "OSError"),
        raised("BrokenPipeError", "ConnectionError", "OSError"),
    ],
    ids=str,
)
def test_a_stop_may_have_ended_it(ending: Ending) -> None:
    assert may_be_stopped(ending)


@pytest.mark.parametrize(
    "ending",
    [
        Ending(0, ""),
        Ending(1, "error: KeyboardInterrupt is no sampler\n"),
        Ending(0, "KeyboardInterrupt\n"),
        Ending(-signal.SIGSEGV, ""),
        Ending(-signal.SIGABRT, ""),
        Ending(15, ""),
        raised("RuntimeError", text="Sizes of tensors must match"),
        raised("RuntimeError", text="a DESIGNTERM"),
        raised("CalledProcessError", text="Command 'x' returned non-zero exit status 1."),
    ],
    ids=str,
)
def test_a_stop_has_not_ended_it(ending: Ending) -> None:
    assert not may_be_stopped(ending)
