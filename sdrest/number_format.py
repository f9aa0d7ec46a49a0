"""Reads numbers from the texts of forms and queries, and has regular expressions for them. Pure.

A pattern and its reader accept the same texts, those that JavaScript, Python and people write:
`8`, `+8`, `08`, `8.0`, `.5`, `1e-07`, with spaces around; no `1_000`, no `1e3`, no `inf`.
"""

import re
from collections.abc import Iterable

_SPACE = r"[ \t\r\n]*"
_SCIENTIFIC = r"[0-9](\.[0-9]+)?[eE]-0*[1-9][0-9]{0,2}"
_WHOLE = re.compile(rf"{_SPACE}([+-]?)0*([0-9]{{1,20}})(\.0*)?{_SPACE}")
_DECIMAL = re.compile(rf"{_SPACE}[+-]?(0*[0-9]{{1,20}}(\.[0-9]*)?|\.[0-9]+|{_SCIENTIFIC}){_SPACE}")
_UNITS = {"s": 9, "m": 7, "h": 5}
"""Units of time, and how many digits before the point a text may have with them."""

ZERO = rf"^{_SPACE}[+-]?(0+(\.0*)?|\.0+|0(\.0+)?[eE]-[0-9]+){_SPACE}$"
"""The pattern of texts that mean 0."""

RANDOM = (
    rf"^{_SPACE}(-0*1(\.0*)?|[rR][aA][nN][dD][oO][mM]|[fF][aA][lL][sS][eE]|[nN][uU][lL][lL])?"
    rf"{_SPACE}$"
)
"""The pattern of texts that ask for a random seed: empty, -1, random, false or null."""

_RANDOM = re.compile(RANDOM.removesuffix("$"))

_TIME = "|".join(rf"[0-9]{{1,{digits}}}(\.[0-9]*)?{unit}" for unit, digits in _UNITS.items())
_TIMES = re.compile(rf"{_SPACE}({_TIME}){_SPACE}")


def whole(text: str) -> int:
    """Read a whole number; raises ValueError for other texts."""
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise ValueError("Should be a whole number.")
    return int(match[1] + match[2])


def decimal(text: str) -> float:
    """Read a number; raises ValueError for other texts."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("Should be a number.")
    return float(text)


def is_random(text: str) -> bool:
    """Whether a text asks for a random seed."""
    return _RANDOM.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether a text is a duration with a unit, such as `5m`."""
    return _TIMES.fullmatch(text) is not None


def whole_pattern(ranges: Iterable[tuple[int, int]]) -> str:
    """Return the pattern of whole numbers in any of the ranges; both ends, 0 or more, included."""
    digits = "|".join(_integers_between(low, high) for low, high in ranges)
    zero = "|-0+" if re.fullmatch(digits, "0") else ""
    return rf"^{_SPACE}(\+?0*({digits}){zero})(\.0*)?{_SPACE}$"


def decimal_pattern(low: int, high: int, *, times: bool = False) -> str:
    """Return the pattern of numbers from `low`, at most 0, to `high`, at least 1.

    With `times` durations with a unit match, too.
    """
    below = rf"-({_decimals_up_to(-low)})" if low else r"-(0+(\.0*)?|\.0+)"
    more = f"|{_TIME}" if times else ""
    return rf"^{_SPACE}(\+?({_decimals_up_to(high)})|{below}{more}){_SPACE}$"


def _decimals_up_to(high: int) -> str:
    """Return the pattern of decimals from 0 to `high`."""
    return (
        rf"0*({_integers_between(0, high - 1)})(\.[0-9]*)?|0*{high}(\.0*)?|\.[0-9]+|{_SCIENTIFIC}"
    )


def _integers_between(low: int, high: int) -> str:
    """Return the pattern of the digits of the numbers from `low` to `high`."""
    parts = []
    if low == 0 and high >= 9:  # noqa: PLR2004 (leading zeros are allowed)
        parts.append(f"[0-9]{{1,{len(str(high + 1)) - 1}}}")
        low = 10 ** (len(str(high + 1)) - 1)
    while low <= high:
        last = min(high, 10 ** len(str(low)) - 1)
        parts.append(_same_length(str(low), str(last)))
        low = last + 1
    return "|".join(parts)


def _same_length(low: str, high: str) -> str:
    if not low:
        return ""
    rest = len(low) - 1
    if low[0] == high[0]:
        return low[0] + _group(_same_length(low[1:], high[1:]))
    first, last, parts = int(low[0]), int(high[0]), []
    if low[1:].strip("0"):
        parts.append(low[0] + _group(_same_length(low[1:], "9" * rest)))
        first += 1
    if high[1:].strip("9"):
        last -= 1
    if first <= last:
        head = str(first) if first == last else f"[{first}-{last}]"
        parts.append(head + {0: "", 1: "[0-9]"}.get(rest, f"[0-9]{{{rest}}}"))
    if high[1:].strip("9"):
        parts.append(high[0] + _group(_same_length("0" * rest, high[1:])))
    return "|".join(parts)


def _group(pattern: str) -> str:
    return f"({pattern})" if "|" in pattern else pattern
