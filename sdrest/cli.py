"""The command line: words become settings, errors become one line.

Nothing heavy is imported here, so that `--help` answers at once; each command imports what it
needs when it runs.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from sdrest import __version__
from sdrest.commands.lines import Level, Line
from sdrest.commands.terminal import Terminal, open_missing_streams
from sdrest.errors import SdrestError
from sdrest.settings import FLAGS, Flag, Origins, Settings

PROGRAM = "sdrest"
_GIVEN = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
_HELP_WORDS = {"-h", "--help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with `arguments` (those of the process where None); return its exit status.

    The first word may name a command; without one the server is started.
    """
    open_missing_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in COMMANDS else "serve"
    with Terminal() as terminal:
        try:
            with COMMANDS[name]().make_context(PROGRAM, words, obj=terminal) as context:
                return int(context.command.invoke(context))
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.ClickException as error:
            terminal.complain(Line.of(Level.ERROR, error.format_message()))
            return 1
        except SdrestError as error:
            terminal.complain(Line.of(Level.ERROR, error.message))
            return 1
        except KeyboardInterrupt:
            return 130


def help_text() -> str:
    """Return what `--help` prints, in the original's form."""
    rows = [(flag.option, _described(flag)) for flag in FLAGS if flag.original]
    rows += [(flag.option, _described(flag)) for flag in FLAGS if not flag.original]
    rows += [("-v, --version", "Displays current version")]
    rows += [("-h, --help", "Displays this message")]
    width = max(len(option) for option, _ in rows) + 4
    first = FLAGS[0]
    return "\n".join(
        [
            "",
            "  Usage",
            f"    $ {PROGRAM} [options]",
            "",
            "  Options",
            *(f"    {option:{width}}{text}" for option, text in rows),
            "",
            f"  Each option is an environment variable too: {first.variable} for {first.option}.",
            "",
            "",
        ]
    )


def _described(flag: Flag) -> str:
    return flag.help + (f"  (default {flag.default_text})" if flag.default_text else "")


class _Command(click.Command):
    """A command with the original's help and its two more ways to switch a flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if _HELP_WORDS.intersection(args):
            _print_and_exit(ctx, help_text())
        off = {f"--no-{flag.option[2:]}": flag.option for flag in FLAGS if flag.kind is bool}
        return super().parse_args(
            ctx, [f"{off[word]}=false" if word in off else word for word in args]
        )


class _Option(click.Option):
    """An option whose environment variable, set to nothing, is as unset; not so a secret's."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        secret = any(flag.secret for flag in FLAGS if flag.variable == self.envvar)
        empty = os.environ.get(str(self.envvar)) == ""
        return "" if secret and empty else super().resolve_envvar_value(ctx)


def _option(flag: Flag) -> click.Option:
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
        [flag.option, flag.name],
        type=str,
        multiple=flag.kind is Origins,
        default=None if flag.kind is Origins else flag.default_text,
        envvar=flag.variable,
        callback=parse,
        **(bare if flag.kind is bool else {}),
    )


def _print_and_exit(context: click.Context, text: str) -> None:
    context.ensure_object(Terminal).print(text)
    context.exit()


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 (click's signature)
    if wanted:
        _print_and_exit(context, f"{PROGRAM}, {__version__}\n")


def settings(context: click.Context) -> Settings:
    """Return what the command line and the environment say."""
    given = (flag.name for flag in FLAGS if context.get_parameter_source(flag.name) in _GIVEN)
    return Settings(**context.params, given=frozenset(given))


def _serve_command() -> click.Command:
    @click.pass_context
    def run(context: click.Context, /, **_: Any) -> int:
        from sdrest.commands.serve import serve  # noqa: PLC0415 (keeps --help instant)

        terminal = context.ensure_object(Terminal)
        notes = [Line.of(Level.WARNING, f"Ignored {word!r}.") for word in context.args]
        return serve(settings(context), terminal, notes)

    version = click.Option(
        ["-v", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
    )
    return _Command(
        "serve",
        params=[*map(_option, FLAGS), version],
        callback=run,
        add_help_option=False,
        context_settings={"allow_extra_args": True},
    )


COMMANDS: Mapping[str, Callable[[], click.Command]] = {"serve": _serve_command}
"""The commands by name; `serve` is the one that needs no naming."""
