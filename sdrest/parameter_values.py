"""Reads and checks single values of parameters, which are JSON values or texts of a form.

A value that is not allowed raises a ValueError whose text says what is. The types at the end are
for the fields of `sdrest.params`; `Whole` and `Decimal` come after a field's range.
"""

import secrets
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sdrest import number_format
from sdrest.errors import FieldError
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

LARGEST_SEED = 2**32 - 1

_SENTENCES = {
    "greater_than_equal": "At least {:.15g}.",
    "less_than_equal": "At most {:.15g}.",
    "missing": "Is required.",
}
"""What is wrong with a value, by pydantic's type of the error; the number is the limit."""


def _read_whole(value: Any) -> Any:
    return number_format.whole(value) if isinstance(value, str) else _refuse_bool(value)


def _read_decimal(value: Any) -> Any:
    return number_format.decimal(value) if isinstance(value, str) else _refuse_bool(value)


def next_multiple(side: int) -> int:
    """Return the smallest multiple of 64 that is not below `side`."""
    return -(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE


def draw_seed(count: int = 1) -> int:
    """Return a random seed with room for `count` pictures, whose seeds follow one another."""
    return secrets.randbelow(LARGEST_SEED + 2 - count)


def last_seed_problem(seed: int, count: int) -> str:
    """Return what is wrong with the seed of the first of `count` pictures; '' if it may do."""
    too_large = seed + count - 1 > LARGEST_SEED
    return f"The last picture's seed would be over {LARGEST_SEED}." if too_large else ""


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


def field_error(error: Any) -> FieldError:
    """Return what is wrong with a field, from one of the errors of a ValidationError."""
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "Should")
    if error["type"] in _SENTENCES:
        message = _SENTENCES[error["type"]].format(*error.get("ctx", {}).values())
    if not error["loc"]:  # a rule on several fields starts with the one to change
        field, _, message = message.partition(": ")
        return FieldError(field, message)
    return FieldError(str(error["loc"][0]), message if message.endswith(".") else f"{message}.")


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
Seed = Annotated[Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None, BeforeValidator(read_seed)]
Seconds = Annotated[
    Annotated[float, Field(ge=-1, le=MAX_KEEP_ALIVE)] | None, BeforeValidator(_read_duration)
]
