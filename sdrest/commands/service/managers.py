"""Install, remove and look at services with systemd or launchd."""

import getpass
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sdrest.commands.service.units import (
    Service,
    environment_file,
    launchd_plist,
    systemd_unit,
)
from sdrest.errors import UsageError
from sdrest.paths import expand

_SECONDS = 120
_POLL_SECONDS = 0.2
_NO_SYSTEMD = (
    "systemd does not answer here ({reason}). In a container, let the container's runtime start "
    "sdrest; as another user, log in as that user (su and sudo do not start its systemd)."
)
_NO_LAUNCHD = "launchd refused the service ({reason}). Log in at the Mac's own screen, or use sudo."


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended: its exit status and what it wrote."""

    status: int
    output: str


def call(*command: str) -> Done:
    """Run systemctl, loginctl or launchctl."""
    try:
        done = subprocess.run(  # noqa: S603 (the system's own programs)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Done(127, getattr(error, "strerror", None) or str(error))
    return Done(done.returncode, done.stdout.decode(errors="replace").strip())


@dataclass(frozen=True, slots=True)
class State:
    """How an installed service is, in words."""

    running: bool
    text: str


class Manager(Protocol):
    """systemd or launchd, for the services of a user or of the machine."""

    def files(self, service: Service, *, hidden: bool = False) -> Mapping[Path, tuple[str, int]]:
        """Return the files of a service with their text and mode; the main one comes first."""
        ...

    def install_commands(self, service: Service) -> Sequence[Sequence[str]]:
        """Return the commands that start a service whose files are written."""
        ...

    def install(self, service: Service) -> list[str]:
        """Write and start a service, also in the place of an older one; return notes.

        Raises `UsageError`.
        """
        ...

    def uninstall(self, name: str) -> bool:
        """Stop and remove a service; return whether there was one. Raises `UsageError`."""
        ...

    def state(self, name: str) -> State | None:
        """Return how a service is; None if it is not installed."""
        ...

    def log_command(self, name: str) -> str:
        """Return the command that shows a service's log."""
        ...


@dataclass(frozen=True, slots=True)
class Systemd:
    """systemd: unit files, and a file with the secrets that only its owner reads."""

    system: bool

    @property
    def _systemctl(self) -> tuple[str, ...]:
        return ("systemctl",) if self.system else ("systemctl", "--user")

    def _unit(self, name: str) -> Path:
        folder = Path("/etc/systemd/system") if self.system else _config() / "systemd/user"
        return folder / f"{name}.service"

    def _secrets(self, name: str) -> Path:
        return (Path("/etc") if self.system else _config()) / "sdrest" / f"{name}.env"

    def files(self, service: Service, *, hidden: bool = False) -> Mapping[Path, tuple[str, int]]:
        """See `Manager`."""
        secrets = self._secrets(service.name)
        files = {self._unit(service.name): (systemd_unit(service, secrets), 0o644)}
        if service.secrets:
            shown = service.hidden() if hidden else service.secrets
            files[secrets] = (environment_file(shown), 0o600)
        return files

    def install_commands(self, service: Service) -> Sequence[Sequence[str]]:
        """See `Manager`."""
        unit = f"{service.name}.service"
        actions = (["daemon-reload"], ["enable", unit], ["restart", unit])
        return [[*self._systemctl, *action] for action in actions]

    def install(self, service: Service) -> list[str]:
        """See `Manager`."""
        self._check()
        if not service.secrets:
            self._secrets(service.name).unlink(missing_ok=True)
        _write(self.files(service))
        for command in self.install_commands(service):
            _succeed(command, "systemd refused the service ({reason}).")
        return [] if self.system else list(_lingering())

    def uninstall(self, name: str) -> bool:
        """See `Manager`."""
        unit = self._unit(name)
        if not unit.exists():
            return False
        self._check()
        call(*self._systemctl, "disable", "--now", unit.name)
        _remove(unit, self._secrets(name))
        call(*self._systemctl, "daemon-reload")
        return True

    def state(self, name: str) -> State | None:
        """See `Manager`."""
        unit = self._unit(name)
        if not unit.exists():
            return None
        self._check()
        found = call(
            *self._systemctl, "show", unit.name, "--property=ActiveState,SubState,MainPID,Result"
        )
        values = dict(line.partition("=")[::2] for line in found.output.splitlines())
        running = values.get("ActiveState") == "active"
        if running:
            return State(running, f"runs as process {values.get('MainPID', 'unknown')}")
        parts = (values.get(name, "unknown") for name in ("ActiveState", "SubState", "Result"))
        return State(running, f"does not run ({', '.join(parts)})")

    def log_command(self, name: str) -> str:
        """See `Manager`."""
        return shlex.join(["journalctl", *([] if self.system else ["--user"]), "-u", name, "-f"])

    def _check(self) -> None:
        found = call(*self._systemctl, "show", "--property=Version")
        if found.status:
            raise UsageError(_NO_SYSTEMD.format(reason=_last_line(found.output)))


@dataclass(frozen=True, slots=True)
class Launchd:
    """launchd: an agent of the user, or a daemon of the machine."""

    system: bool

    @property
    def _domain(self) -> str:
        return "system" if self.system else f"gui/{os.getuid()}"

    def _plist(self, name: str) -> Path:
        folder = "/Library/LaunchDaemons" if self.system else "~/Library/LaunchAgents"
        return expand(folder) / f"{name}.plist"

    def _log(self, name: str) -> Path:
        return expand("/Library/Logs" if self.system else "~/Library/Logs") / f"{name}.log"

    def files(self, service: Service, *, hidden: bool = False) -> Mapping[Path, tuple[str, int]]:
        """See `Manager`."""
        secrets = service.hidden() if hidden else service.secrets
        text = launchd_plist(service, secrets, self._log(service.name))
        return {self._plist(service.name): (text, 0o600 if service.secrets else 0o644)}

    def install_commands(self, service: Service) -> Sequence[Sequence[str]]:
        """See `Manager`."""
        return [["launchctl", "bootstrap", self._domain, str(self._plist(service.name))]]

    def install(self, service: Service) -> list[str]:
        """See `Manager`."""
        self._end(service.name)
        _write(self.files(service))
        for command in self.install_commands(service):
            _succeed(command, _NO_LAUNCHD)
        return []

    def uninstall(self, name: str) -> bool:
        """See `Manager`."""
        plist = self._plist(name)
        if not plist.exists():
            return False
        self._end(name)
        _remove(plist)
        return True

    def state(self, name: str) -> State | None:
        """See `Manager`."""
        if not self._plist(name).exists():
            return None
        found = call("launchctl", "print", f"{self._domain}/{name}")
        lines = (line.strip().partition(" = ")[::2] for line in found.output.splitlines())
        values: dict[str, str] = {}
        for key, value in lines:
            values.setdefault(key, value)
        if values.get("state") == "running":
            return State(True, f"runs as process {values.get('pid', 'unknown')}")  # noqa: FBT003
        code = values.get("last exit code", "unknown")
        return State(False, f"does not run (last exit code: {code})")  # noqa: FBT003

    def _end(self, name: str) -> None:
        """Stop a service and wait until it is gone: `bootout` returns before that."""
        target = f"{self._domain}/{name}"
        if call("launchctl", "bootout", target).status:
            return
        end = time.monotonic() + _SECONDS
        while call("launchctl", "print", target).status == 0 and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def log_command(self, name: str) -> str:
        """See `Manager`."""
        return shlex.join(["tail", "-f", str(self._log(name))])


def manager() -> Manager:
    """Return this machine's; for root that of the machine, else that of the user."""
    system = os.geteuid() == 0
    return Launchd(system) if sys.platform == "darwin" else Systemd(system)


def _config() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or expand("~/.config"))


def _write(files: Mapping[Path, tuple[str, int]]) -> None:
    """Write files, each in one step. Raises `UsageError`."""
    for path, (text, mode) in files.items():
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(text.encode(errors="surrogateescape"))
            part.replace(path)
        except OSError as error:
            raise UsageError(f"Cannot write {path}: {error.strerror}.") from error


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"Cannot remove {path}: {error.strerror}.") from error


def _succeed(command: Sequence[str], sentence: str) -> None:
    done = call(*command)
    if done.status:
        raise UsageError(
            sentence.format(reason=f"{shlex.join(command)}: {_last_line(done.output)}")
        )


def _lingering() -> Iterator[str]:
    """See that the user's services run without a login; yield a note about that."""
    with suppress(OSError, KeyError):
        user = getpass.getuser()
        if call("loginctl", "show-user", user, "--property=Linger").output == "Linger=yes":
            return
        if call("loginctl", "enable-linger", user).status:
            yield (
                "The service stops when you log out. To keep it running: "
                f"sudo loginctl enable-linger {user}"
            )
        else:
            yield (
                f"Services of {user} now run without a login, too "
                f"(`loginctl disable-linger {user}` ends that)."
            )


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip().rstrip(".") if text else "no answer"
