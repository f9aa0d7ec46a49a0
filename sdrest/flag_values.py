"""Values of flags that have a notation of their own: paths of a proxy, and times."""

import math
import re
from typing import ClassVar, Self


class BasePath(str):
    """The path under which a proxy serves the server: `/sd`, or empty. Raises `ValueError`."""

    __slots__ = ()

    _MAX_LENGTH: ClassVar = 200
    _PATH: ClassVar = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?")

    def __new__(cls, text: str) -> Self:
        """Validate a path and remove a slash at its end."""
        if len(text) > cls._MAX_LENGTH or not cls._PATH.fullmatch(text):
            raise ValueError("not a path")
        return str.__new__(cls, text.removesuffix("/"))


class Duration(float):
    """Seconds, from a number or a text such as `90`, `90s`, `5m` or `1h`. Raises `ValueError`."""

    _UNITS: ClassVar = {"s": 1, "m": 60, "h": 3600}

    def __new__(cls, value: float | str) -> Self:
        """Parse a duration."""
        unit = cls._UNITS.get(value[-1:], 0) if isinstance(value, str) else 0
        seconds = float(value[:-1]) * unit if isinstance(value, str) and unit else float(value)
        if not math.isfinite(seconds):
            raise ValueError("not a duration")
        return super().__new__(cls, seconds)

    def __str__(self) -> str:
        for unit in ("h", "m"):
            count, rest = divmod(self, self._UNITS[unit])
            if count > 0 and not rest:
                return f"{count:g}{unit}"
        return f"{float(self):g}"
