"""Make the files with which the machines of a cluster prove that they belong to it."""

import datetime as dt
import socket
from collections.abc import Mapping
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID

from sdrest.commands.certificate.signing import sign, write_secret
from sdrest.errors import UsageError

FRONT, WORKER = "cluster.pem", "cluster-worker.pem"
"""The files of the front, where `--cluster-credentials` finds it by default, and of workers."""

_LIFETIME = dt.timedelta(days=3650)


def make(folder: Path, *, now: dt.datetime | None = None) -> tuple[Path, Path]:
    """Write the front's file and the one for workers (mode 0600), valid from `now`; return both.

    A folder that is not there is made. The authority's key is not kept: nobody can make further
    files for this cluster. Raises `UsageError` if one of the two exists or cannot be written.
    """
    files = _contents(now or dt.datetime.now(dt.UTC))
    paths = [folder / name for name in files]
    for path in paths:
        if path.exists():
            raise UsageError(
                f"{path} exists already. To renew, delete {FRONT} and {WORKER}, run this again, "
                "and copy the new file to every worker."
            )
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, files.values(), strict=True):
            write_secret(path, data)
            written.append(path)
    except OSError as error:
        for path in written:
            path.unlink()
        raise UsageError(f"Cannot write {error.filename or folder}: {error.strerror}.") from error
    return paths[0], paths[1]


def next_steps(front: Path, worker: Path) -> str:
    """Return what was made, what it is good for, and what to do with it."""
    return (
        f"Made {front} for this machine and {worker} for workers. Keep both secret: each one gives "
        "the right to run programs on every machine of the cluster. Start the server here with "
        f"`--cluster tls://0.0.0.0:8786`, copy the other file to each worker (`scp {worker} "
        f"WORKER:{FRONT}`), and run `sdrest worker tls://{socket.gethostname()}:8786` beside it "
        "there."
    )


def _contents(now: dt.datetime) -> Mapping[str, bytes]:
    authority = sign("sdrest cluster", _LIFETIME, now=now)
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    files = {}
    for name, role in ((FRONT, "front"), (WORKER, "worker")):
        signed = sign(f"sdrest {role}", _LIFETIME, now=now, authority=authority, usages=both)
        files[name] = signed.certificate_pem + signed.key_pem + authority.certificate_pem
    return files
