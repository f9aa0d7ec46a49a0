"""`sdrest service`, as a real process and with programs in the place of systemctl and launchctl."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from sdrest.cli import COMMANDS
from sdrest.commands.cluster.credentials import make
from sdrest.commands.service.command import service_of
from sdrest.commands.service.launchd import Launchd
from sdrest.commands.service.managers import Manager
from sdrest.commands.service.systemd import Systemd
from sdrest.commands.service.units import Service
from sdrest.errors import UsageError
from tests.support.server import environment

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("measured")]

SERVICE = Service(
    name="sdrest",
    summary="sdrest server",
    command=("/bin/sh", "-m", "sdrest"),
    folder=PurePath("/tmp"),
    stop_seconds=35,
    variables={"PATH": "/usr/bin"},
    secrets={"SDREST_TOKEN": "open-sesame"},
)

PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$HOME/calls"
case "$*" in
{answers}
esac
"""

SYSTEMCTL = """
*--property=ActiveState*) printf 'ActiveState=active\\nSubState=running\\nMainPID=7\\n';;
show-user*) echo Linger=no;;
"""

LAUNCHCTL = """
bootout*) exit 3;;
print*) printf 'sdrest = {\\n\\tstate = running\\n\\tpid = 7\\n\\tsub = {\\n\\t\\tstate = x\\n';;
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, whose bin/ is the first in the PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def install(home: Path, answers: str, *names: str) -> None:
    """Install programs that write down how they are called."""
    (home / "bin").mkdir(exist_ok=True)
    for name in names:
        program = home / "bin" / name
        program.write_text(PROGRAM.format(answers=answers))
        program.chmod(0o755)


def calls(home: Path) -> list[str]:
    """Return what was called since the last time."""
    found = (home / "calls").read_text().splitlines()
    (home / "calls").unlink()
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_systemd_gets_a_unit_and_a_file_with_the_secrets(home: Path) -> None:
    install(home, SYSTEMCTL, "systemctl", "loginctl")
    unit = home / ".config/systemd/user/sdrest.service"
    secrets = home / ".config/sdrest/sdrest.env"
    manager = Systemd(system=False)
    for _ in range(2):  # the second time in the place of the first
        [note] = manager.install(SERVICE)
        assert "now run without a login" in note
        assert [call for call in calls(home) if call.startswith("systemctl")] == [
            "systemctl --user show --property=Version",
            "systemctl --user daemon-reload",
            "systemctl --user enable sdrest.service",
            "systemctl --user restart sdrest.service",
        ]
    assert "open-sesame" not in unit.read_text()
    assert f"EnvironmentFile={secrets}" in unit.read_text()
    assert 'SDREST_TOKEN="open-sesame"' in secrets.read_text()
    assert (mode(unit), mode(secrets)) == (0o644, 0o600)
    state = manager.state("sdrest")
    assert state
    assert (state.running, state.text) == (True, "runs as process 7")
    calls(home)

    assert manager.uninstall("sdrest")
    assert "systemctl --user disable --now sdrest.service" in calls(home)
    assert not unit.exists()
    assert not secrets.exists()
    assert not manager.uninstall("sdrest")
    assert manager.state("sdrest") is None


def test_launchd_gets_a_property_list_that_only_its_owner_reads(home: Path) -> None:
    install(home, LAUNCHCTL, "launchctl")
    plist = home / "Library/LaunchAgents/sdrest.plist"
    manager = Launchd(system=False)
    domain = f"gui/{os.getuid()}"
    for _ in range(2):
        assert manager.install(SERVICE) == []
        assert calls(home) == [
            f"launchctl bootout {domain}/sdrest",
            f"launchctl bootstrap {domain} {plist}",
        ]
    assert "open-sesame" in plist.read_text()
    assert mode(plist) == 0o600
    state = manager.state("sdrest")
    assert state
    assert (state.running, state.text) == (True, "runs as process 7")
    assert manager.uninstall("sdrest")
    assert not plist.exists()
    assert not manager.uninstall("sdrest")


@pytest.mark.parametrize(
    ("manager", "program", "answers", "sentence"),
    [
        (Systemd(system=False), "systemctl", "*) echo No bus; exit 1;;", "not answer here .No bus"),
        (Systemd(system=False), "systemctl", "*enable*) echo No room; exit 1;;", "refused .*room"),
        (Launchd(system=False), "launchctl", "*) echo Bootstrap failed: 5; exit 5;;", "failed: 5"),
    ],
)
def test_what_the_manager_refuses_is_said(
    home: Path, manager: Manager, program: str, answers: str, sentence: str
) -> None:
    install(home, answers, program)
    with pytest.raises(UsageError, match=sentence):
        manager.install(SERVICE)


def run(folder: Path, words: Sequence[str], **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sdrest", "service", *words],
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_dry_run_shows_the_service_and_hides_its_token(tmp_path: Path) -> None:
    words = ["install", "--port", "9000", "--no-cors", "--token", "open-sesame", "--dry-run"]
    done = run(tmp_path, words, SDREST_GRACE="20")
    assert (done.returncode, done.stderr) == (0, "")
    assert "open-sesame" not in done.stdout
    for text in (str(tmp_path), sys.executable, "--port=9000", "--cors=false", "--grace=20"):
        assert text in done.stdout
    assert "SDREST_TOKEN" in done.stdout


def test_a_service_has_the_flags_that_were_given(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("SDREST_KEEP_DAYS", "0.5")
    monkeypatch.setenv("SDREST_WEBHOOK_SECRET", "whsec_" + "QUJD" * 8)
    words = ["--cors", "--no-auth", "--cors-origin", "https://b.example", "--port=1"]
    words += ["--cors-origin=https://a.example", "--keep-alive", "90", "--output", "~/my pictures"]
    words += ["--trusted-proxy", "10.0.0.0/8,127.0.0.1", "--token", "open-sesame"]
    made = service_of(COMMANDS, None, words, {"PATH": "/bin", "SUDO_USER": "ada"})
    given = made.command[3:]
    assert set(given) == {
        "--cors=true",
        "--auth=false",
        "--cors-origin=https://b.example,https://a.example",
        "--port=1",
        "--keep-alive=90",
        "--output=~/my pictures",
        "--trusted-proxy=10.0.0.0/8,127.0.0.1/32",
        "--keep-days=0.5",
    }
    assert set(made.secrets) == {"SDREST_TOKEN", "SDREST_WEBHOOK_SECRET"}
    assert (made.folder, made.variables) == (home, {"PATH": "/bin"})
    monkeypatch.delenv("SDREST_KEEP_DAYS")
    assert service_of(COMMANDS, None, given, {}).command[3:] == given


def test_a_worker_is_a_service_too(tmp_path: Path) -> None:
    make(tmp_path)
    words = ["install", "--worker", "tls://front:8786", "--concurrency", "2", "--dry-run"]
    done = run(tmp_path, words)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("sdrest-worker", "tls://front:8786", "--concurrency=2"):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--worker", "tls://front:8786"], "Cannot read cluster.pem (--cluster-credentials)"),
        (["--worker", "tcp://front:8786"], "The address tcp://front:8786 is refused: without TLS"),
        (["--cluster", "tcp://0.0.0.0:8786"], "The address tcp://0.0.0.0:8786 is refused"),
        (["--worker", "tls://front:8786", "--port", "9"], "No such option '--port'"),
        (["--worker", "tcp://127.0.0.1:1", "--models", "nowhere"], "There is no folder nowhere"),
        (["--repository", "nowhere"], "There is no folder nowhere (--repository)."),
        (["--prot", "9"], "No such option '--prot'"),
        (["--port", "99999"], "--port should be a whole number from 0 to 65535, not '99999'."),
        (["stray"], "'stray' is not a flag."),
    ],
)
def test_flags_are_checked_before_anything_is_written(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    done = run(tmp_path, ["install", *words])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error {sentence}")


@pytest.mark.skipif(sys.platform == "darwin", reason="systemd is Linux's")
def test_without_systemd_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    python = Path(sys.executable).parent
    assert shutil.which("systemctl", path=str(python)) is None
    done = run(tmp_path, ["install"], PATH=str(python), HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error systemd does not answer here (No such file or directory).")
    assert not list(tmp_path.iterdir())
