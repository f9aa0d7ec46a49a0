"""Reads and checks single values of parameters, which are JSON values or texts of a form. Pure.

A value that is not allowed raises a ValueError whose text says what is. The types at the end are
for the fields of `sdrest.params`; `Whole` and `Decimal` come after a field's range.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sdrest import number_format
from sdrest.flag_values import Duration
from sdrest.sampling_steps import check_steps

SIZE_MULTIPLE = 64
"""Sides of pictures are multiples of this: 8 for the autoencoder times 8 for the network."""

MAX_GENERATED_SIDE = 4096
"""Longest side in pixels of a text-to-image picture."""

MAX_KEEP_ALIVE = 10**9
"""Longest `keepAlive` in seconds."""

RANDOM_SEED = -1
"""The number that stands for a random seed, as in other tools."""


def _read_whole(value: Any) -> Any:
    return number_format.whole(value) if isinstance(value, str) else _refuse_bool(value)


def _read_decimal(value: Any) -> Any:
    return number_format.decimal(value) if isinstance(value, str) else _refuse_bool(value)


def read_seed(value: Any) -> Any:
    """Return a seed, or None for a random one."""
    if value is None or value is False:
        return None
    if isinstance(value, str) and number_format.is_random(value):
        return None
    number = _read_whole(value)
    return None if number == RANDOM_SEED else number


def _read_duration(value: Any) -> Any:
    if not isinstance(value, str):
        return _refuse_bool(value)
    try:
        if number_format.is_time(value):
            return float(Duration(value.strip()))
        return _read_decimal(value)
    except ValueError:
        raise ValueError("Should be seconds, or a time such as 90s, 5m or 1h.") from None


def _check_side(side: int) -> int:
    if side % SIZE_MULTIPLE:
        below = side // SIZE_MULTIPLE * SIZE_MULTIPLE
        values = " or ".join(map(str, filter(None, (below, below + SIZE_MULTIPLE))))
        raise ValueError(f"Should be a multiple of {SIZE_MULTIPLE}. Try {values}.")
    return side


def _check_prompt(prompt: str) -> str:
    if "\0" in prompt:
        raise ValueError("Should not contain a NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise ValueError("Should be valid Unicode; it contains half of a surrogate pair.")
    return prompt


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("Should be a number.")  # noqa: TRY004 (pydantic collects ValueErrors)
    return value


Whole = BeforeValidator(_read_whole)
Decimal = BeforeValidator(_read_decimal)
Steps = Annotated[int, Whole, AfterValidator(check_steps)]
Side = Annotated[
    int,
    Field(ge=64, le=MAX_GENERATED_SIDE, json_schema_extra={"multipleOf": SIZE_MULTIPLE}),
    Whole,
    AfterValidator(_check_side),
]
Prompt = Annotated[str, AfterValidator(_check_prompt)]
Seed = Annotated[Annotated[int, Field(ge=0, le=2**32 - 1)] | None, BeforeValidator(read_seed)]
Seconds = Annotated[
    Annotated[float, Field(ge=-1, le=MAX_KEEP_ALIVE)] | None, BeforeValidator(_read_duration)
]
