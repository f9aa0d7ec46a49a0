"""Flags as click's options, and back to settings."""

from collections.abc import Iterable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from sdrest.settings import FLAGS, Flag, Settings

_GIVEN = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}


def option(flag: Flag, *names: str) -> click.Option:
    """Return the option of a flag, with further `names` such as `-o`."""

    def parse(context: click.Context, _: click.Parameter, text: str) -> Any:
        try:
            return flag.parse(text)
        except ValueError as error:
            source = context.get_parameter_source(flag.name)
            name = flag.variable if source is ParameterSource.ENVIRONMENT else flag.option
            raise click.UsageError(f"{name} {error}") from None

    bare: Mapping[str, Any] = {"is_flag": False, "flag_value": "true"}  # --cors is --cors=true
    return click.Option(
        [flag.option, *names, flag.name],
        type=str,
        default=flag.default_text,
        envvar=flag.variable,
        callback=parse,
        help=flag.help,
        **(bare if flag.kind is bool else {}),
    )


def options(names: Iterable[str]) -> list[click.Parameter]:
    """Return the options of the flags with these names."""
    by_name = {flag.name: flag for flag in FLAGS}
    return [option(by_name[name]) for name in names]


def settings(context: click.Context) -> Settings:
    """Return what the command line and the environment say; defaults for what they cannot."""
    names = [flag.name for flag in FLAGS if flag.name in context.params]
    given = (name for name in names if context.get_parameter_source(name) in _GIVEN)
    values = {name: context.params[name] for name in names}
    return Settings(**values, given=frozenset(given))
