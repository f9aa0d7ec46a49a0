"""Load renewed certificate files while the server runs, and report what is wrong with them."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from sdrest.commands.certificate.check import Certificate, Problem, problems, read
from sdrest.commands.certificate.files import Pair, context
from sdrest.commands.log_lines import Level, LogLine
from sdrest.errors import UsageError
from sdrest.settings import Settings
from sdrest.web.tls import ServerContext

_SECONDS = 2.0
"""Seconds between two checks of the files."""

_BROWSER_NOTE = (
    "Browsers warn at the first visit, since the certificate is self-signed: choose Advanced (Show "
    "Details in Safari) and go on to the page."
)

_Identity = tuple[tuple[int, ...] | None, ...]


class Renewal:
    """Replaces the certificate of `tls` when the files of `pair` change.

    Unusable files change nothing. They are reported once, at the second check, since they may be
    half written at the first.
    """

    def __init__(self, settings: Settings, pair: Pair, tls: ServerContext) -> None:
        self._settings = settings
        self._pair = pair
        self._tls = tls
        self._used = _identity(pair)
        self._failed: _Identity | None = None
        self._reported: _Identity | None = None
        self._read = read(pair.cert, tls.current)
        self._said: set[str] = set()

    def browser_note(self) -> Iterator[LogLine]:
        """Yield what to expect of a browser, if no authority has signed the certificate."""
        if isinstance(self._read, Certificate) and self._read.self_signed:
            yield LogLine.of(Level.INFO, _BROWSER_NOTE)

    def problems(self) -> Iterator[LogLine]:
        """Yield the problems of the certificate in use that were not reported before."""
        found = [self._read] if isinstance(self._read, Problem) else problems(
            self._read, self._settings
        )  # fmt: skip
        for problem in found:
            if problem.message not in self._said:
                self._said.add(problem.message)
                yield LogLine.of(Level.WARNING, f"{problem.message} {problem.remedy}")

    async def watch(self, say: Callable[[LogLine], None]) -> None:
        """Check the files until cancelled; call `say` with each line for the log."""
        while True:
            await asyncio.sleep(_SECONDS)
            for line in await asyncio.to_thread(self._check):  # the disk may be slow
                say(line)

    def _check(self) -> list[LogLine]:
        identity = _identity(self._pair)
        if identity == self._used:
            return list(self.problems())
        try:
            renewed = context(self._pair)
            certificate = read(self._pair.cert, renewed)
        except (UsageError, OSError, ssl.SSLError) as error:
            return list(self._failure(identity, error))
        if _identity(self._pair) != identity:  # written while they were read
            return []
        self._tls.use(renewed)
        self._used, self._read, self._said = identity, certificate, set()
        taken = LogLine.of(Level.INFO, f"Took the renewed certificate {self._pair.cert}")
        return [taken, *self.problems()]

    def _failure(self, identity: _Identity, error: Exception) -> Iterator[LogLine]:
        again, self._failed = identity == self._failed, identity
        if again and identity != self._reported:
            self._reported = identity
            yield LogLine.of(
                Level.WARNING, f"{error} The server keeps the certificate that it has."
            )


def _identity(pair: Pair) -> _Identity:
    """Return values that change when a file is written or replaced; links are followed."""
    return tuple(map(_status, (pair.cert, pair.key)))


def _status(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
