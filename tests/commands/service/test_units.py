"""The texts that systemd and launchd read."""

import os
import plistlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path, PurePath

import pytest

from sdrest.commands.service.units import (
    Service,
    environment_file,
    launchd_plist,
    systemd_unit,
)
from sdrest.errors import UsageError

SERVICE = Service(
    name="sdrest",
    summary="sdrest server",
    command=("/bin/sh", "-m", "sdrest", "--output=~/my pictures", '--python=a"b\\c$d%e;é'),
    folder=PurePath("/tmp/a b%c"),
    stop_seconds=35,
    variables={"PATH": "/usr/bin:/a b%:$HOME"},
    secrets={"SDREST_TOKEN": 'a"b$c`d\\e%'},
)
SECRETS = PurePath("/home/ada/my config/sdrest.env")


def test_a_unit_says_how_to_start_stop_and_restart() -> None:
    assert systemd_unit(SERVICE, SECRETS).splitlines() == [
        "# Written by `sdrest service install`; `sdrest service uninstall` removes it.",
        "[Unit]",
        "Description=sdrest server",
        "",
        "[Service]",
        "Type=exec",
        'ExecStart="/bin/sh" "-m" "sdrest" "--output=~/my pictures" "--python=a\\"b\\\\c$$d%%e;é"',
        "WorkingDirectory=/tmp/a b%%c",
        'Environment="PATH=/usr/bin:/a b%%:$HOME"',
        "EnvironmentFile=/home/ada/my config/sdrest.env",
        "Restart=on-failure",
        "RestartSec=5",
        "KillMode=mixed",
        "OOMPolicy=continue",
        "TimeoutStopSec=35",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    machine = systemd_unit(replace(SERVICE, system=True, user="ada", secrets={}), SECRETS)
    assert "User=ada" in machine.splitlines()
    assert "WantedBy=multi-user.target" in machine.splitlines()
    assert "EnvironmentFile" not in machine


def test_secrets_are_quoted_for_systemd() -> None:
    text = environment_file(SERVICE.secrets)
    assert text.splitlines()[1:] == ['SDREST_TOKEN="a\\"b\\$c\\`d\\\\e%"']


def test_a_property_list_says_the_same_to_launchd() -> None:
    text = launchd_plist(SERVICE, SERVICE.secrets, PurePath("/Users/ada/Library/Logs/sdrest.log"))
    assert plistlib.loads(text.encode()) == {
        "Label": "sdrest",
        "ProgramArguments": list(SERVICE.command),
        "WorkingDirectory": "/tmp/a b%c",
        "EnvironmentVariables": {**SERVICE.variables, **SERVICE.secrets},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ExitTimeOut": 35,
        "ProcessType": "Interactive",
        "StandardOutPath": "/Users/ada/Library/Logs/sdrest.log",
        "StandardErrorPath": "/Users/ada/Library/Logs/sdrest.log",
    }
    hidden = launchd_plist(replace(SERVICE, user="ada"), SERVICE.hidden(), PurePath("/log"))
    assert plistlib.loads(hidden.encode())["UserName"] == "ada"
    assert plistlib.loads(hidden.encode())["EnvironmentVariables"]["SDREST_TOKEN"] == "********"


def test_control_characters_are_refused_since_units_have_lines() -> None:
    with pytest.raises(UsageError, match="control characters"):
        replace(SERVICE, command=("/bin/sh", "a\nExecStartPre=/bin/rm"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("system", [False, True])
def test_systemd_understands_the_unit(tmp_path: Path, *, system: bool) -> None:
    unit = tmp_path / "sdrest.service"
    service = replace(SERVICE, system=system, folder=tmp_path)
    unit.write_text(systemd_unit(service, tmp_path / "my secrets.env"))
    manager = "--system" if system else "--user"
    done = subprocess.run(
        ["systemd-analyze", manager, "verify", str(unit)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line for line in done.stderr.splitlines() if str(unit) in line] == []
    assert done.returncode == 0
