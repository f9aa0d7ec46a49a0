"""The step that clones the fork."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sdrest.commands import sizes
from sdrest.commands.setup.step import Footprint, StepError, run_program
from sdrest.commands.terminal import Terminal
from sdrest.engine.local.repository import INPAINT_CONFIG, SCRIPTS
from sdrest.paths import expand

FORK_URL = "https://github.com/bfirsh/stable-diffusion.git"
FORK_BRANCH = "apple-silicon-mps-support"

_PREFIX = ".sdrest-clone-"


@dataclass(frozen=True, slots=True)
class Checkout:
    """Clones `branch` of `url` (or a local folder) into `root`, which appears in one step."""

    root: Path
    url: str
    branch: str
    name: str = "repository"
    needs: frozenset[str] = frozenset()

    def plan(self) -> str:
        """See `Step.plan`."""
        return f"clone the branch {self.branch} of {self.url} into {self.root}"

    def footprint(self) -> Footprint:
        """See `Step.footprint`."""
        return Footprint(self.root.parent, sizes.REPOSITORY if self.url == FORK_URL else None)

    def done(self) -> bool:
        """Whether `root` has the scripts."""
        return all((self.root / name).is_file() for name in (*SCRIPTS.values(), INPAINT_CONFIG))

    def run(self, terminal: Terminal) -> None:
        """Clone beside `root`, then rename the clone."""
        if self.root.is_symlink() or (self.root.exists() and not _is_empty(self.root)):
            raise StepError(
                f"{self.root} exists, but is not a checkout of the fork. Move it away, or choose "
                "another folder with --repository."
            )
        self.root.parent.mkdir(parents=True, exist_ok=True)
        for left in self.root.parent.glob(f"{_PREFIX}*"):  # of interrupted runs
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=self.root.parent) as folder:
            clone = Path(folder, "clone")
            command = ["git", "clone", "--depth", "1", "--branch", self.branch]
            run_program(
                terminal,
                [*command, "--", _address(self.url), clone],
                environment={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
                remedy="See that git is installed and that --fork-url can be reached; run again.",
            )
            clone.replace(self.root)


def _address(url: str) -> str:
    """Return a URL: git makes a shallow clone of a local folder only by URL."""
    folder = expand(url)
    return folder.absolute().as_uri() if folder.is_dir() else url


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
