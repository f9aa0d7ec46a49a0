"""Check the machine and the server's own files."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sdrest.commands.certificate.check import Certificate, Problem, handshake, problems, read
from sdrest.commands.certificate.files import Pair, context
from sdrest.commands.doctor.filesystem_checks import filesystem_findings
from sdrest.commands.doctor.findings import Finding, failure, ok, warning
from sdrest.commands.doctor.memory import memory_findings
from sdrest.commands.listen import listen
from sdrest.commands.programs import output_of
from sdrest.engine.local.repository import locate
from sdrest.errors import UsageError
from sdrest.jobs.folders import Folders
from sdrest.jobs.schema import inspect
from sdrest.paths import expand
from sdrest.settings import Settings

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)>=(?P<floor>[0-9.]+)(?!.*extra)")
SCARCE_DISK, NO_DISK = 2**30, 50 * 2**20
"""Free bytes of the output's disk below which there is a warning or a failure."""

_NEW_ONE = "Delete cert.pem and key.pem and start the server: it makes new ones."
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class MachineChecks:
    """Checks of what `settings` name."""

    settings: Settings

    def server_python(self) -> Iterator[Finding]:
        """Whether the server's Python has the required packages in the required versions."""
        version = ".".join(map(str, sys.version_info[:3]))
        yield ok(f"sdrest runs on Python {version}.")
        yield from requirement_findings(metadata.requires("sdrest") or [])

    def memory(self) -> Iterator[Finding]:
        """Whether the models that the server keeps fit into the memory."""
        yield from memory_findings(self.settings, locate(self.settings))

    def disk(self) -> Iterator[Finding]:
        """Whether the disk has room for images."""
        folder = _existing(expand(self.settings.output).absolute())
        yield disk_finding(shutil.disk_usage(folder).free, folder)

    def port(self) -> Iterator[Finding]:
        """Whether the server could listen, on its second address too."""
        host = self.settings.host
        ports = {"--port": self.settings.port}
        if self.settings.a1111_port:
            ports["--a1111-port"] = self.settings.a1111_port
        for option, port in ports.items():
            try:
                sockets = listen(host, port, option=option)
            except UsageError as error:
                yield warning(error.message, "If that is the server itself, all is well.")
                continue
            for opened in sockets:
                opened.close()
            yield ok(f"Port {port} of {host} is free.")

    def certificate(self) -> Iterator[Finding]:
        """Whether the certificate is usable, until when, and for which names."""
        pair = self._pair
        if self.settings.plain_http:
            yield ok("None is needed with --plain-http.")
            return
        if not (pair.cert.exists() or pair.key.exists()):
            yield warning("There is none yet.", "The server makes one when it starts.")
            return
        try:
            found = read(pair.cert, context(pair))
        except UsageError as error:
            yield failure(str(error), _NEW_ONE)
            return
        if isinstance(found, Problem):
            yield failure(found.message, found.remedy)
        else:
            yield from _certificate_findings(found, self.settings)

    def trust(self) -> Iterator[Finding]:
        """Whether clients of this machine trust the certificate."""
        if self.settings.plain_http or not self._pair.cert.exists():
            yield ok("There is no certificate to trust.")
            return
        try:
            yield self._trust()
        except UsageError:
            yield warning("The certificate cannot be used, so no client trusts it.", _NEW_ONE)

    def _trust(self) -> Finding:
        problem = _distrust(self._pair)
        if problem is None:
            return ok("Programs of this machine trust the certificate.")
        root = _mkcert_root()
        if root and _distrust(self._pair, root) is None:
            return warning(
                "The certificate is signed by mkcert, whose authority is not installed here.",
                "Run `mkcert -install` once.",
            )
        return warning(
            f"Programs of this machine do not trust the certificate ({problem}).",
            f"For curl: export CURL_CA_BUNDLE={self._pair.cert.absolute()}. For browsers: install "
            "mkcert, run `mkcert -install`, delete cert.pem and key.pem, and start the server.",
        )

    @property
    def _pair(self) -> Pair:
        return Pair(expand(self.settings.cert), expand(self.settings.key))

    def output(self) -> Iterator[Finding]:
        """Whether the output folder is writable."""
        folder = expand(self.settings.output).absolute()
        existing = _existing(folder)
        if folder.exists() and not folder.is_dir():
            yield failure(f"{folder} is not a folder.", "Choose another --output.")
        elif not os.access(existing, os.W_OK | os.X_OK):
            yield failure(f"{existing} cannot be written.", "Allow it, or choose another --output.")
        else:
            yield ok(f"{folder} can be written.")

    def file_system(self) -> Iterator[Finding]:
        """Whether the output folder's file system supports what the server needs."""
        yield from filesystem_findings(_existing(expand(self.settings.output).absolute()))

    def table(self) -> Iterator[Finding]:
        """Whether the job table is intact."""
        path = Folders(expand(self.settings.output).absolute()).database
        if not os.access(path, os.F_OK):
            yield ok("There is none yet; the server makes one.")
            return
        try:
            inspect(path)
        except UsageError as error:
            yield failure(error.message, f"Put back a copy of {path}, or move it away.")
        else:
            yield ok(f"{path} is whole.")


def requirement_findings(requirements: Iterable[str]) -> Iterator[Finding]:
    """Yield a failure for each unmet requirement; extras do not count."""
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        if found and not _satisfied(found["name"], found["floor"]):
            yield failure(
                f"The server's Python lacks {found[0]}.",
                f"{sys.executable} -m pip install '{found[0]}'",
            )


def disk_finding(
    free: int, folder: Path, remedy: str = "Make room, or choose another --output."
) -> Finding:
    """Return a finding about the free bytes on the disk of `folder`."""
    text = f"{free / 2**30:.1f} GiB are free in {folder}."
    if free < NO_DISK:
        return failure(text, remedy)
    return warning(text, remedy) if free < SCARCE_DISK else ok(text)


def _satisfied(name: str, floor: str) -> bool:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return _numbers(version) >= _numbers(floor)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _certificate_findings(read: Certificate, settings: Settings) -> Iterator[Finding]:
    found = list(problems(read, settings))
    for problem in found:
        yield (failure if problem.fatal else warning)(problem.message, problem.remedy)
    if not found:
        yield ok(f"The certificate is good until {read.ends:%Y-%m-%d}.")
        yield ok(f"It is for {', '.join(read.names)}.")


def _distrust(pair: Pair, root: Path | None = None) -> str | None:
    """Return why a client refuses the certificate for localhost; None if it trusts it.

    The client trusts `root`, by default the authorities of this machine.
    """
    if root is None and sys.platform == "darwin":  # OpenSSL cannot read the keychain
        return _keychain_distrust(pair.cert)
    trusting = ssl.create_default_context(cafile=None if root is None else str(root))
    try:
        handshake(trusting, context(pair))
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".")
    return None


def _keychain_distrust(cert: Path) -> str | None:
    """Return why macOS refuses the certificate; None if it trusts it."""
    command = ["/usr/bin/security", "verify-cert", "-c", str(cert), "-p", "ssl", "-n", "localhost"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)  # noqa: S603 (the system's own)
    return "the keychain refuses it" if done.returncode else None


def _mkcert_root() -> Path | None:
    """Return the certificate of mkcert's authority, if it exists."""
    program = shutil.which("mkcert")
    folder = program and output_of([program, "-CAROOT"], seconds=_SECONDS)
    root = Path(folder.strip(), "rootCA.pem") if folder else None
    return root if root and root.is_file() else None
