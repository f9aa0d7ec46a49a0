"""The event loop of a command: uvloop where it is installed, and the signals that stop it."""

import asyncio
import os
import signal
from collections.abc import Callable

SECOND_SIGNAL_SECONDS = 1.0
"""A signal that comes within so many seconds of the first one belongs to the same stop.

systemd sends SIGTERM and SIGHUP at once (SendSIGHUP=), `timeout` and wrappers of commands pass on
what the process has got from the terminal already.
"""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the loop; None stands for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 (it is not to be had on every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop


def on_stop_signal(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once.

    Ending at once leaves no script behind: their hosts end when this process does.
    """
    loop = asyncio.get_running_loop()
    first: float | None = None

    def handle(number: signal.Signals) -> None:
        nonlocal first
        if first is None:
            first = loop.time()
            stop()
        elif loop.time() >= first + SECOND_SIGNAL_SECONDS:
            os._exit(128 + number)

    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        wanted.append(signal.SIGHUP)
    for number in wanted:
        loop.add_signal_handler(number, handle, number)
