"""Findings of checks. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Verdict(StrEnum):
    """How a check ends."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: a message, and a remedy if something is wrong."""

    verdict: Verdict
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A named check. `findings` yields at least one finding and may raise OSError."""

    name: str
    findings: Callable[[], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Result:
    """A finding of a named check."""

    name: str
    finding: Finding


def ok(message: str) -> Finding:
    """Return a finding that needs no remedy."""
    return Finding(Verdict.OK, message)


def warning(message: str, remedy: str) -> Finding:
    """Return a finding that does not prevent jobs."""
    return Finding(Verdict.WARNING, message, remedy)


def failure(message: str, remedy: str = "") -> Finding:
    """Return a finding that makes the server or jobs fail."""
    return Finding(Verdict.FAILURE, message, remedy)


def results(check: Check) -> Iterator[Result]:
    """Yield the findings of a check; an OSError becomes a failure."""
    try:
        for finding in check.findings():
            yield Result(check.name, finding)
    except OSError as error:
        message = f"Cannot be checked: {error.filename or 'a file'}: {error.strerror}."
        yield Result(check.name, failure(message, "See that it exists and may be read."))
