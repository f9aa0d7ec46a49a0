"""Names such as `a[b]` and `c[]` nest the fields of a multipart form, as in the original. Pure.

What npm's `append-field` does to JavaScript objects is done here to dicts and lists.
"""

import re
from dataclasses import dataclass
from typing import Any

from sdrest.errors import MalformedRequestError

MAX_INDEX = 64
"""Highest index in a name; `a[999999999]` would else make a list of a thousand million holes."""

MAX_LEVELS = 32
"""Most brackets in a name, as in an urlencoded body."""

_ROOT = re.compile(r"[^\[]*")
_INDEX = re.compile(r"\[([0-9]+)\]")
_KEY = re.compile(r"\[([^\]]+)\]")
_HOLE = object()

Container = dict[str, Any] | list[Any]


@dataclass(slots=True)
class _Step:
    """One part of a name. `appends` is `[]` at the name's end; `index`: the next part is one."""

    key: str | int
    appends: bool = False
    before_index: bool = False


def append_field(fields: dict[str, Any], name: str, value: str) -> None:
    """Put the value of a form's field into `fields`; a name that comes again makes a list."""
    steps = _parse(name) or [_Step(name)]
    container: Container = fields
    for step in steps[:-1]:
        container = _descend(container, step)
    _put(container, steps[-1].key, value, appends=steps[-1].appends)


def fill_holes(value: Any) -> Any:
    """Return the value with null where a list's element never came, as JavaScript writes it."""
    match value:
        case dict():
            return {key: fill_holes(item) for key, item in value.items()}
        case list():
            return [fill_holes(item) for item in value]
        case _:
            return None if value is _HOLE else value


def _parse(name: str) -> list[_Step] | None:
    """Split a name; None: it is not well-formed, and a key as it stands."""
    root = _ROOT.match(name)
    if root is None or not root[0]:
        return None
    steps = [_Step(root[0])]
    position = root.end()
    while position < len(name):
        if name.startswith("[]", position):
            steps[-1].appends = True
            return steps if position + 2 == len(name) else None
        index, key = _INDEX.match(name, position), _KEY.match(name, position)
        found = index or key
        if found is None:
            return None
        steps[-1].before_index = index is not None
        steps.append(_Step(_checked_index(found[1]) if index else found[1]))
        if len(steps) > MAX_LEVELS + 1:
            raise MalformedRequestError(f"A field's name has more than {MAX_LEVELS} levels.")
        position = found.end()
    return steps


def _checked_index(digits: str) -> int:
    if len(digits) > len(str(MAX_INDEX)) or int(digits) > MAX_INDEX:
        raise MalformedRequestError(f"An index in a field's name is higher than {MAX_INDEX}.")
    return int(digits)


def _descend(container: Container, step: _Step) -> Container:
    """Return the value at `step`, made or turned into an object where that is needed."""
    current = _get(container, step.key)
    match current:
        case dict():
            return current
        case list() if step.before_index:
            return current
        case list():
            made: Container = {
                str(index): item for index, item in enumerate(current) if item is not _HOLE
            }
        case str():
            made = {"": current}
        case _:
            made = [] if step.before_index else {}
    _set(container, step.key, made)
    return made


def _put(container: Container, key: str | int, value: str, *, appends: bool) -> None:
    current = _get(container, key)
    match current:
        case list():
            current.append(value)
        case dict():
            _put(current, "", value, appends=False)
        case str():
            _set(container, key, [current, value])
        case _:
            _set(container, key, [value] if appends else value)


# The items of a list are reached by an index alone: `_descend` turns a list into an object before.


def _get(container: Container, key: str | int) -> Any:
    if isinstance(container, dict):
        return container.get(str(key), _HOLE)
    index = int(key)
    return container[index] if index < len(container) else _HOLE


def _set(container: Container, key: str | int, value: Any) -> None:
    if isinstance(container, dict):
        container[str(key)] = value
    else:
        index = int(key)
        container.extend([_HOLE] * (index + 1 - len(container)))
        container[index] = value
