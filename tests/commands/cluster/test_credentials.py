"""`sdrest cluster credentials`, as a real process."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from sdrest.engine.cluster import security
from tests.support.server import environment

pytestmark = pytest.mark.integration


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdrest", "cluster", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_two_files_are_made_and_never_overwritten(tmp_path: Path) -> None:
    done = run(tmp_path, "credentials")
    assert (done.returncode, done.stderr) == (0, "")
    assert "scp cluster-worker.pem WORKER:cluster.pem" in done.stdout
    assert "sdrest worker tls://" in done.stdout

    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == {"cluster.pem", "cluster-worker.pem"}
    for name, data in made.items():
        path = tmp_path / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert data.count(b"PRIVATE KEY") == 2, "its own key alone, not that of the authority"
        own, authority = x509.load_pem_x509_certificates(data)
        assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    front, worker = (security.read(tmp_path / name) for name in made)
    assert front.authority == worker.authority

    (tmp_path / "cluster-worker.pem").unlink()
    again = run(tmp_path, "credentials")
    assert again.returncode == 1
    assert "cluster.pem exists already. To renew, delete" in again.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cluster.pem"]
    assert (tmp_path / "cluster.pem").read_bytes() == made["cluster.pem"]


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    done = run(tmp_path, "credentials", "new/folder")
    assert (done.returncode, done.stderr) == (0, "")
    assert "scp new/folder/cluster-worker.pem WORKER:cluster.pem" in done.stdout
    for name in ("cluster.pem", "cluster-worker.pem"):
        security.read(tmp_path / "new/folder" / name)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["credentials", "/dev/null/a"], "Cannot write /dev/null/a: Not a directory."),
        ([], "Missing command."),
        (["credential"], "No such command 'credential'."),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: list[str], sentence: str) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0].startswith(f"error {sentence}")
    assert not list(tmp_path.iterdir())
