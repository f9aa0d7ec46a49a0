"""Choose the event loop of a command (uvloop if installed) and handle stop signals."""

import asyncio
import os
import signal
from collections.abc import Callable

from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.terminal import Terminal

SECOND_SIGNAL_SECONDS = 1.0
"""A signal within so many seconds of the first belongs to the same stop.

systemd sends SIGTERM and SIGHUP together (SendSIGHUP=); `timeout` and other wrappers repeat a
signal that the terminal has already sent to the process.
"""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return a factory of event loops; None stands for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 (not available on every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop


def stop_event(terminal: Terminal) -> asyncio.Event:
    """Return an event that the first stop signal sets; the terminal says so."""
    stop = asyncio.Event()

    def handle() -> None:
        terminal.say(LogLine.of(Level.INFO, "Stopping..."))
        stop.set()

    on_stop_signal(handle)
    return stop


def on_stop_signal(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process at once.

    No script outlives the process: the runners end when their pipe to it closes.
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
