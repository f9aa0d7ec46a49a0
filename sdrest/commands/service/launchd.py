"""Services of launchd."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdrest.commands.service.managers import SECONDS, State, call, remove, succeed, write
from sdrest.commands.service.units import Service, launchd_plist
from sdrest.paths import expand

_NO_LAUNCHD = "launchd refused the service ({reason}). Log in at the Mac's own screen, or use sudo."

_POLL_SECONDS = 0.2


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
        write(self.files(service))
        for command in self.install_commands(service):
            succeed(command, _NO_LAUNCHD)
        return []

    def uninstall(self, name: str) -> bool:
        """See `Manager`."""
        plist = self._plist(name)
        if not plist.exists():
            return False
        self._end(name)
        remove(plist)
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
        end = time.monotonic() + SECONDS
        while call("launchctl", "print", target).status == 0 and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def log_command(self, name: str) -> str:
        """See `Manager`."""
        return shlex.join(["tail", "-f", str(self._log(name))])
