"""Services of systemd."""

import getpass
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sdrest.commands.service.managers import State, call, last_line, remove, succeed, write
from sdrest.commands.service.units import Service, environment_file, systemd_unit
from sdrest.errors import UsageError
from sdrest.paths import expand

_NO_SYSTEMD = (
    "systemd does not answer here ({reason}). In a container, let the container's runtime start "
    "sdrest; as another user, log in as that user (su and sudo do not start its systemd)."
)


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
        write(self.files(service))
        for command in self.install_commands(service):
            succeed(command, "systemd refused the service ({reason}).")
        return [] if self.system else list(_lingering())

    def uninstall(self, name: str) -> bool:
        """See `Manager`."""
        unit = self._unit(name)
        if not unit.exists():
            return False
        self._check()
        call(*self._systemctl, "disable", "--now", unit.name)
        remove(unit, self._secrets(name))
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
            raise UsageError(_NO_SYSTEMD.format(reason=last_line(found.output)))


def _config() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or expand("~/.config"))


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
