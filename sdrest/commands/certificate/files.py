"""Find or make the files of the server's certificate and key."""

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdrest.commands.certificate.names import machine_names, usable
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.programs import output_of
from sdrest.errors import UsageError
from sdrest.paths import expand
from sdrest.settings import LOOPBACK_NAMES, Settings

HOSTS = LOOPBACK_NAMES
"""The names in every certificate that is made here."""

_MKCERT_SECONDS = 30
_CHILD_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    cert: Path
    key: Path


def provide(settings: Settings) -> tuple[Pair, list[LogLine]]:
    """Return the files to use and log lines about them.

    If the default files do not exist, make both: with mkcert if it is installed, else
    self-signed. Raises `UsageError` if one is missing or the folder cannot be written.
    """
    pair = Pair(expand(settings.cert), expand(settings.key))
    missing = [path for path in (pair.cert, pair.key) if not path.exists()]
    if not missing:
        return pair, []
    if missing == [pair.cert, pair.key] and not settings.given & {"cert", "key"}:
        return pair, [LogLine.of(Level.INFO, _make(pair, hosts(settings)))]
    option = "--cert" if missing[0] == pair.cert else "--key"
    raise UsageError(f"There is no file {missing[0]} ({option}).")


def hosts(settings: Settings) -> tuple[str, ...]:
    """Return the names for a new certificate: loopback, `--host` and this machine's names."""
    return usable([*HOSTS, settings.host, *machine_names()])


def context(pair: Pair) -> ssl.SSLContext:
    """Return a TLS context for these files. Raises `UsageError` if they cannot be used."""
    for path in (pair.cert, pair.key):
        try:
            path.read_bytes()
        except OSError as error:
            raise UsageError(f"Cannot read {path}: {error.strerror}.") from error
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.minimum_version = ssl.TLSVersion.TLSv1_2
    result.set_alpn_protocols(["http/1.1"])
    try:
        result.load_cert_chain(pair.cert, pair.key, password=lambda: _refuse(pair.key))
    except ssl.SSLError as error:
        reason = (
            "the key belongs to another certificate"
            if error.reason == "KEY_VALUES_MISMATCH"
            else "one of them is not a usable PEM file"
        )
        raise UsageError(f"Cannot use {pair.cert} with {pair.key}: {reason}.") from error
    return result


def _refuse(key: Path) -> str:
    raise UsageError(f"{key} is encrypted; the server needs one without a passphrase.")


def _make(pair: Pair, names: Sequence[str]) -> str:
    """Make both files, each in one step, and return a sentence that says how."""
    try:
        with tempfile.TemporaryDirectory(prefix=".sdrest-", dir=pair.cert.parent) as folder:
            made = Pair(Path(folder, "cert.pem"), Path(folder, "key.pem"))
            trusted = _make_with_mkcert(made, names) or _make_self_signed(made, names)
            with contextlib.suppress(OSError):  # FAT has no such modes
                made.key.chmod(0o600)
            made.key.replace(pair.key)
            made.cert.replace(pair.cert)
    except OSError as error:
        raise UsageError(
            f"Cannot write {pair.cert} and {pair.key}: {error.strerror}. Start where that is "
            "possible, give --cert and --key, or use --plain-http behind a proxy."
        ) from error
    return f"Made {pair.cert} and {pair.key}, {trusted}"


def _make_with_mkcert(pair: Pair, names: Sequence[str]) -> str | None:
    """Return the rest of the sentence if mkcert made the files, else None."""
    program = shutil.which("mkcert")
    if program is None:
        return None
    command = [program, "-cert-file", str(pair.cert), "-key-file", str(pair.key), *names]
    if output_of(command, seconds=_MKCERT_SECONDS) is None:
        return None
    return "by mkcert. Where a client does not trust them, run `mkcert -install` once."


def _make_self_signed(pair: Pair, names: Sequence[str]) -> str:
    """Make the files in another process, since importing cryptography takes time and memory.

    If that process fails, make them in this one, which then raises the error.
    """
    paths = os.pathsep.join(filter(None, sys.path))  # the child finds the same packages
    command = [sys.executable, "-P", "-m", "sdrest.commands.certificate.self_signed"]
    try:
        subprocess.run(  # noqa: S603 (this very Python)
            [*command, str(pair.cert), str(pair.key), *names],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_CHILD_SECONDS,
            env=os.environ | {"PYTHONPATH": paths},
        )
    except (OSError, subprocess.SubprocessError):
        from sdrest.commands.certificate import self_signed  # noqa: PLC0415 (rarely needed)

        for path in (pair.cert, pair.key):
            path.unlink(missing_ok=True)
        self_signed.write(pair.cert, pair.key, hosts=names)
    return (
        "self-signed: tell clients to trust cert.pem (export CURL_CA_BUNDLE=$PWD/cert.pem). For "
        "one that browsers trust, install mkcert, run `mkcert -install`, delete both and restart."
    )
