"""Flags as click's options, and back to settings."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from sdrest.settings import FLAGS, Flag, Items, Settings

_SERVICE_NAME = re.compile(
    r"SDREST_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(?:TCP|UDP|SCTP)\w*)"
    r"|SDREST_(?:\w+_)?ENV_\w+"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+", re.IGNORECASE)
_LINK_NAME = re.compile(r"/[\w.-]+/[\w.-]+")

_GIVEN = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}


class _Option(click.Option):
    """An option whose environment variable, set to nothing, is as unset; not so a secret's.

    A variable that names the address of a service is as unset, too.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        if self.envvar in service_variables(os.environ):
            return None
        secret = any(flag.secret for flag in FLAGS if flag.variable == self.envvar)
        empty = os.environ.get(str(self.envvar)) == ""
        return "" if secret and empty else super().resolve_envvar_value(ctx)


class Command(click.Command):
    """A command whose flags that are true or false have an opposite: `--no-cors`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `--no-x` as `--x=false`."""
        known = {parameter.name for parameter in self.params}
        off = {
            f"--no-{flag.option[2:]}": flag.option
            for flag in FLAGS
            if flag.kind is bool and flag.name in known
        }
        return super().parse_args(
            ctx, [f"{off[word]}=false" if word in off else word for word in args]
        )


def option(flag: Flag, *names: str) -> click.Option:
    """Return the option of a flag, with further `names` such as `-o`."""

    def parse(context: click.Context, _: click.Parameter, given: str | tuple[str, ...]) -> Any:
        source = context.get_parameter_source(flag.name)
        if source not in _GIVEN:
            return flag.default
        try:
            return flag.parse(given if isinstance(given, str) else ",".join(given))
        except ValueError as error:
            name = flag.variable if source is ParameterSource.ENVIRONMENT else flag.option
            raise click.UsageError(f"{name} {error}") from None

    bare: Mapping[str, Any] = {"is_flag": False, "flag_value": "true"}  # --cors is --cors=true
    return _Option(
        [flag.option, *names, flag.name],
        type=str,
        multiple=issubclass(flag.kind, Items),
        default=None if issubclass(flag.kind, Items) else flag.default_text,
        envvar=flag.variable,
        callback=parse,
        help=flag.help,
        **(bare if flag.kind is bool else {}),
    )


def service_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that Kubernetes or Docker links set for a service named sdrest.

    Kubernetes sets `SDREST_PORT=tcp://10.0.0.1:8888`, `SDREST_SERVICE_HOST`, `SDREST_SERVICE_PORT`,
    `SDREST_SERVICE_PORT_HTTP`, `SDREST_PORT_8888_TCP` and `SDREST_PORT_8888_TCP_ADDR`, `_PORT` and
    `_PROTO`; Docker links set the last ones, `SDREST_NAME` and `SDREST_ENV_…`. A secret is none.
    """
    secrets = {flag.variable for flag in FLAGS if flag.secret}
    return sorted(
        name
        for name, value in environment.items()
        if name.startswith("SDREST_") and name not in secrets and _is_of_service(name, value)
    )


def _is_of_service(name: str, value: str) -> bool:
    if name == "SDREST_NAME":
        return _LINK_NAME.fullmatch(value) is not None
    return bool(_SERVICE_NAME.fullmatch(name) or _SERVICE_ADDRESS.fullmatch(value))


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
