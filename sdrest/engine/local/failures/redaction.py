"""What clients may see of a script's output: its last lines, without the machine's paths. Pure."""

import re
from collections.abc import Mapping
from pathlib import Path

LINES = 60
"""How many of the last lines of stderr are shown."""

_LONGEST_LINE = 1000
_LONGEST_TEXT = 500
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FILE_URL = re.compile(r"file://(?=/)")
_QUOTED_PATH = re.compile(r"""(?P<quote>["'`])/(?:[^"'`\n]*/)?(?P<name>[^"'`\n/]*)(?P=quote)""")
# Not a path: the slash in 4/8, it/s, https://, <br/>, ./x and in a path that was already cut.
_PATH = re.compile(r"""(?<![\w./<~])/(?:[^\s/"'`:,;()<>|]+/)*(?P<name>[^\s/"'`:,;()<>|]+)""")


def names_of_paths(paths: Mapping[str, Path | None]) -> dict[str, str]:
    """Return, longest first, what stands for each path (as given and as resolved) in a text."""
    spellings = {
        str(spelling): name
        for name, path in paths.items()
        if path is not None
        for spelling in (path, path.resolve())
        if len(spelling.parts) > 1
    }
    return dict(sorted(spellings.items(), key=lambda item: -len(item[0])))


def redact(text: str, names: Mapping[str, str]) -> str:
    """Replace paths: known ones by their names, of all others only the last part is left."""
    text = _FILE_URL.sub("", text)
    for path, name in names.items():
        text = re.sub(re.escape(path) + r"(?![\w-])", name, text)
    text = _QUOTED_PATH.sub(r"\g<quote>.../\g<name>\g<quote>", text)
    return _PATH.sub(r".../\g<name>", text)


def last_lines(stderr: str, names: Mapping[str, str]) -> str:
    """Return the last lines as a terminal would show them: of a redrawn bar, the last drawing."""
    lines = [_visible(line) for line in stderr.split("\n")]
    shown = [line for line in lines if line.strip()][-LINES:]
    return redact("\n".join(shown), names)


def _visible(line: str) -> str:
    drawings = [part for part in _ESCAPE.sub("", line).split("\r") if part.strip()]
    return _CONTROL.sub("", drawings[-1])[-_LONGEST_LINE:].rstrip() if drawings else ""


def shorten(text: str) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."
