"""Whether a script may have ended because of a signal that a stop sends to all processes. Pure.

systemd, `shutdown` and a terminal that closes signal the server, its scripts and their children in
any order. A script may die of the signal, leave with the shell's exit code for it, catch it as
KeyboardInterrupt, or raise because a child died of it.
"""

import re
import signal

from sdrest.engine.local.failures.ending import Ending

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

_EXIT_CODES = {code for number in _SIGNALS for code in (-number, 128 + number)}

_LOST_CHILD_TYPES = {
    *("KeyboardInterrupt", "BrokenProcessPool", "BrokenPipeError"),
    *("ConnectionResetError", "EOFError"),
}
"""Exceptions of a script that was interrupted, or whose child processes are gone."""

_LOST_CHILD = re.compile(
    r"\bSIG(?:HUP|INT|TERM|KILL)\b"  # subprocess: died with <Signals.SIGTERM: 15>
    r"|killed by signal"  # torch: DataLoader worker (pid 7) is killed by signal: Terminated.
    r"|worker .*exited unexpectedly"  # torch, too
    r"|exit (?:status|code) (?:129|130|137|143)\b",  # subprocess, of a shell
    re.IGNORECASE,
)


def may_be_stopped(ending: Ending) -> bool:
    """Return whether a stop may have ended the script, or a child that it needs."""
    if ending.code in _EXIT_CODES:
        return True
    if ending.raised is None:
        *_, last = ["", *ending.stderr.split()]
        return ending.code != 0 and last == "KeyboardInterrupt"  # while Python started
    return lost_child(ending)


def lost_child(ending: Ending) -> bool:
    """Return whether a script raised because it was interrupted or a child of it has died."""
    raised = ending.raised
    return raised is not None and bool(
        _LOST_CHILD_TYPES.intersection(raised.types) or _LOST_CHILD.search(raised.text)
    )
