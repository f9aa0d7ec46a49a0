"""What an installation contains."""

import configparser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    named = set(config["options"]["packages"].split())
    folders = {init.parent.relative_to(ROOT) for init in (ROOT / "sdrest").rglob("__init__.py")}
    assert named == {".".join(folder.parts) for folder in folders} | {"sdrest.bundled"}
