"""The bare scripts that results are compared with."""

import sys
from pathlib import Path

from benchmarks.bare import Bare
from sdrest.engine.local.repository import Repository


def test_a_bare_script_gets_the_precision_that_its_python_needs(tmp_path: Path) -> None:
    """A Python without torch has no accelerator."""
    python = Path(sys.base_prefix, "bin", "python3")
    model = tmp_path / "model.ckpt"
    bare = Bare(Repository(tmp_path, python, model, model), tmp_path)
    assert bare._precision == ("--precision", "full")
