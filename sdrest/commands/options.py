"""Turn the flags of `settings.py` into click options, and their values into `Settings`."""

import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from sdrest.flag_values import BasePath, Duration
from sdrest.paths import locale_has_other_letters
from sdrest.settings import AUTO, FLAGS, Flag, Kind, Settings

_SERVICE_NAME = re.compile(
    r"SDREST_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(?:TCP|UDP|SCTP)\w*)"
    r"|SDREST_(?:\w+_)?ENV_\w+"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+", re.IGNORECASE)
_LINK_NAME = re.compile(r"/[\w.-]+/[\w.-]+")

GIVEN = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
"""Where a value comes from that a user set."""
_LISTS = {Kind.ORIGINS, Kind.NETWORKS}
"""Kinds whose flag may be repeated; each value may be a list with commas."""


class _Number(click.FloatRange):
    """A finite number within a range; `read` makes it from text."""

    def __init__(
        self, read: Callable[[str], float], minimum: float | None, maximum: float | None
    ) -> None:
        super().__init__(minimum, maximum)
        self._read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = self._read(value)
        if not math.isfinite(number):
            self.fail("not finite", param, ctx)
        super().convert(number, param, ctx)
        return number


def secret(text: str) -> str:
    """Return a token; raises `ValueError` if an HTTP header cannot carry it."""
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("not a token")
    return text


def count(text: str) -> int | str:
    """Return a whole number of at least 1, or `auto`. Raises `ValueError`."""
    if text == AUTO:
        return text
    if int(text) < 1:
        raise ValueError("not a number of things")
    return int(text)


def line(text: str) -> str:
    """Return a text that a terminal and a log show as it is. Raises `ValueError`."""
    if any(ord(sign) < ord(" ") or sign == "\x7f" for sign in text):
        raise ValueError("has control characters")
    return text


def _items(text: str) -> Iterable[str]:
    return filter(None, map(str.strip, text.split(",")))


def origins(text: str) -> tuple[str, ...]:
    """Return origins as browsers write them, e.g. `https://example.org:8443`, each once."""
    return tuple(dict.fromkeys(map(_origin, _items(text))))


def _origin(text: str) -> str:
    origin = text.lower()
    parts = urlsplit(origin)
    if not (parts.scheme and parts.hostname) or f"{parts.scheme}://{parts.netloc}" != origin:
        raise ValueError("not an origin")
    port = {"http": 80, "https": 443}.get(parts.scheme)
    return origin.removesuffix(f":{port}") if parts.port == port else origin


def networks(text: str) -> tuple[Any, ...]:
    """Return an `IPv4Network` or `IPv6Network` for each item; an address is a network of one."""
    found = (ipaddress.ip_network(item, strict=False) for item in _items(text))
    return tuple(dict.fromkeys(found))


def _type(flag: Flag) -> tuple[Any, str]:
    """Return what click's `type=` takes, and a phrase such as `a whole number from 0 to 64`."""
    low: Any = flag.minimum
    high: Any = flag.maximum
    text = "valid UTF-8" if flag.default == "" else "valid UTF-8 and not empty"
    within = f"of at least {low}" if high is None else f"from {low} to {high}"
    duration = "seconds, or a time such as 90s, 5m or 1h; -1 is for ever"
    token = "letters, digits and signs of ASCII, without spaces, and not empty"  # noqa: S105 (a phrase)
    addresses = "IP addresses or networks such as 127.0.0.1 or 10.0.0.0/8, with commas between"
    path = "a path such as /sd, of letters, digits and - . _ ~ between its slashes"
    types: Mapping[Kind, tuple[Any, str]] = {
        Kind.BOOLEAN: (click.BOOL, "true or false"),
        Kind.INTEGER: (click.IntRange(low, high), f"a whole number {within}"),
        Kind.NUMBER: (_Number(float, low, high), f"a number {within}"),
        Kind.DURATION: (_Number(Duration, low, high), duration),
        Kind.TEXT: (line, f"{text}, without control characters"),
        Kind.PATH: (click.STRING, text),  # as typed: a job's id contains the text
        Kind.SECRET: (secret, token),
        Kind.CHOICE: (click.Choice(flag.choices), f"one of {', '.join(flag.choices)}"),
        Kind.COUNT: (count, f"a whole number {within}, or {AUTO}"),
        Kind.ORIGINS: (origins, "origins such as https://example.org, with commas between"),
        Kind.NETWORKS: (networks, addresses),
        Kind.BASE_PATH: (BasePath, path),
    }
    return types[flag.kind]


def parse(flag: Flag, text: str) -> Any:
    """Return the value of a flag; raises `ValueError` with a sentence."""
    kind, expected = _type(flag)
    may_be_empty = flag.default_text == "" and flag.kind is not Kind.SECRET
    try:
        if not (flag.kind is Kind.PATH and locale_has_other_letters()):
            text.encode()  # invalid UTF-8 on the command line arrives as surrogates
        if text or may_be_empty:
            return click.types.convert_type(kind).convert(text, None, None)
    except (ValueError, click.BadParameter):
        pass
    shown = "." if flag.kind is Kind.SECRET else f", not {text!r}."
    raise ValueError(f"should be {expected}{shown}")


class FlagOption(click.Option):
    """The option of a flag, with further `names` such as `-o`.

    An empty environment variable counts as unset, except a secret's. So does a variable that has
    the address of a service.
    """

    def __init__(self, flag: Flag, *names: str) -> None:
        # --cors is --cors=true
        bare: Mapping[str, Any] = {"is_flag": False, "flag_value": "true"}
        super().__init__(
            [flag.option, *names, flag.name],
            type=_type(flag)[0],
            multiple=flag.kind in _LISTS,
            default=None if flag.kind in _LISTS else flag.default_text,
            envvar=flag.variable,
            help=flag.help,
            **(bare if flag.kind is Kind.BOOLEAN else {}),
        )
        self._flag = flag

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the text of the environment variable; None if it counts as unset."""
        if self.envvar in service_variables(os.environ):
            return None
        empty = self._flag.kind is Kind.SECRET and os.environ.get(self._flag.variable) == ""
        return "" if empty else super().resolve_envvar_value(ctx)

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value; raises `UsageError` with the name of the flag or the variable."""
        source = ctx.get_parameter_source(self._flag.name)
        if source not in GIVEN:
            return self._flag.default
        try:
            return parse(self._flag, value if isinstance(value, str) else ",".join(value))
        except ValueError as error:
            from_environment = source is ParameterSource.ENVIRONMENT
            name = self._flag.variable if from_environment else self._flag.option
            raise click.UsageError(f"{name} {error}") from None


class Command(click.Command):
    """A command whose boolean flags have an opposite: `--no-cors`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `--no-x` as `--x=false`."""
        known = {parameter.name for parameter in self.params}
        off = {
            f"--no-{flag.option[2:]}": flag.option
            for flag in FLAGS
            if flag.kind is Kind.BOOLEAN and flag.name in known
        }
        return super().parse_args(
            ctx, [f"{off[word]}=false" if word in off else word for word in args]
        )


def service_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that Kubernetes or Docker links set for a service named sdrest.

    Kubernetes sets `SDREST_PORT=tcp://10.0.0.1:8888`, `SDREST_SERVICE_HOST`, `SDREST_SERVICE_PORT`,
    `SDREST_SERVICE_PORT_HTTP`, `SDREST_PORT_8888_TCP` and `SDREST_PORT_8888_TCP_ADDR`, `_PORT` and
    `_PROTO`; Docker links set the last ones, `SDREST_NAME` and `SDREST_ENV_…`. Secrets are never
    among them.
    """
    secrets = {flag.variable for flag in FLAGS if flag.kind is Kind.SECRET}
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
    return [FlagOption(by_name[name]) for name in names]


def settings(context: click.Context) -> Settings:
    """Return the values from the command line and the environment, else the defaults."""
    names = [flag.name for flag in FLAGS if flag.name in context.params]
    given = (name for name in names if context.get_parameter_source(name) in GIVEN)
    values = {name: context.params[name] for name in names}
    return Settings(**values, given=frozenset(given))
