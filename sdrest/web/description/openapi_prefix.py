"""The API's description of a server that a proxy serves under a path. Pure."""

from typing import Any

from sdrest.web.description.examples import BASE
from sdrest.web.requests.proxy import with_prefix
from sdrest.web.responses.answers import JOB_PATH


def under_prefix(value: Any, prefix: str) -> Any:
    """Return a part of the description with `prefix` in its examples, commands and patterns."""
    match value:
        case dict():
            return {name: under_prefix(item, prefix) for name, item in value.items()}
        case list():
            return [under_prefix(item, prefix) for item in value]
        case str():
            text = value.replace(f"{BASE}/", f"{BASE}{prefix}/")
            escaped = prefix.replace(".", r"\.")
            return with_prefix(text.replace(JOB_PATH, f"{escaped}{JOB_PATH}"), prefix)
        case _:
            return value
