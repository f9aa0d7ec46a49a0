"""What systemd and launchd read about a service, as text. Pure."""

import plistlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from sdrest.errors import UsageError

_RESTART_SECONDS = 5
_MARK = "Written by `sdrest service install`; `sdrest service uninstall` removes it."
_HIDDEN = "********"


@dataclass(frozen=True, slots=True)
class Service:
    """A service of one user, or (`system`) of the machine, which `user` then runs ("": root).

    `command` begins with an absolute path and holds no `secrets`, which are environment variables
    as `variables` are. `folder` is the working folder. A stop takes `stop_seconds` at most.
    """

    name: str
    summary: str
    command: tuple[str, ...]
    folder: PurePath
    stop_seconds: int
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    system: bool = False
    user: str = ""

    def __post_init__(self) -> None:
        texts = (*self.command, str(self.folder), *self.variables.values())
        if any(ord(sign) < ord(" ") for text in texts for sign in text):
            raise UsageError("A service cannot have flags or paths with control characters.")

    def hidden(self) -> Mapping[str, str]:
        """Return the secrets as they may be shown."""
        return dict.fromkeys(self.secrets, _HIDDEN)


def systemd_unit(service: Service, secrets_file: PurePath) -> str:
    """Return a unit file; `secrets_file` is read where the service has secrets.

    A stop signals the main process alone, which gives what runs its `--grace`. Where the kernel
    kills a script for lack of memory, only its job fails; by default systemd would stop the
    service, whose next start would run that job again.
    """
    network = ["Wants=network-online.target", "After=network-online.target"]
    lines = [
        f"# {_MARK}",
        "[Unit]",
        f"Description={service.summary}",
        *(network if service.system else []),
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(map(_quoted, service.command))}",
        f"WorkingDirectory={_plain(str(service.folder))}",
        *(_variable(name, value) for name, value in service.variables.items()),
        *([f"EnvironmentFile={_plain(str(secrets_file))}"] if service.secrets else []),
        *([f"User={service.user}"] if service.user else []),
        "Restart=on-failure",
        f"RestartSec={_RESTART_SECONDS}",
        "KillMode=mixed",
        "OOMPolicy=continue",
        f"TimeoutStopSec={service.stop_seconds}",
        "",
        "[Install]",
        f"WantedBy={'multi-user' if service.system else 'default'}.target",
        "",
    ]
    return "\n".join(lines)


def environment_file(variables: Mapping[str, str]) -> str:
    """Return what `EnvironmentFile=` reads; values are printable."""
    lines = [f"{name}={_escaped(value, chr(96) + '$')}\n" for name, value in variables.items()]
    return f"# {_MARK}\n{''.join(lines)}"


def launchd_plist(service: Service, secrets: Mapping[str, str], log: PurePath) -> str:
    """Return a property list, which contains `secrets`; output goes to the file `log`."""
    values = {
        "Label": service.name,
        "ProgramArguments": list(service.command),
        "WorkingDirectory": str(service.folder),
        "EnvironmentVariables": {**service.variables, **secrets},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": _RESTART_SECONDS,
        "ExitTimeOut": service.stop_seconds,
        "ProcessType": "Interactive",  # others run slowed down, on efficiency cores
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
    }
    if service.user:
        values["UserName"] = service.user
    text = plistlib.dumps(values, sort_keys=False).decode()
    return text.replace("<plist", f"<!-- {_MARK} -->\n<plist", 1)


def _variable(name: str, value: str) -> str:
    return f"Environment={_quoted(f'{name}={value}', '')}"


def _quoted(word: str, dollar: str = "$") -> str:
    """Return a word as systemd reads it back; in commands a `$` is written twice."""
    return _escaped(_plain(word.replace("$", dollar + "$")))


def _plain(text: str) -> str:
    """Return a text without specifiers, which begin with `%`."""
    return text.replace("%", "%%")


def _escaped(text: str, special: Iterable[str] = ()) -> str:
    """Return a text in double quotes."""
    for sign in ("\\", '"', *special):
        text = text.replace(sign, f"\\{sign}")
    return f'"{text}"'
