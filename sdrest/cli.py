"""The command line: words become settings, errors become one line.

Nothing heavy is imported here, so that `--help` answers at once; each command imports what it
needs when it runs.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sdrest import __version__
from sdrest.commands.lines import Level, Line
from sdrest.commands.options import Command, option, settings
from sdrest.commands.terminal import Terminal, open_missing_streams
from sdrest.errors import SdrestError
from sdrest.settings import FLAGS, Flag

PROGRAM = "sdrest"
_HELP_WORDS = {"-h", "--help"}
_SUMMARIES = {
    "setup": "Sets up Stable Diffusion (sdrest setup --help)",
    "doctor": "Checks the set-up and tells remedies",
    "generate": "Makes pictures without a server",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with `arguments` (those of the process where None); return its exit status.

    The first word may name a command; without one the server is started.
    """
    open_missing_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in COMMANDS else "serve"
    with Terminal() as terminal:
        try:
            title = PROGRAM if name == "serve" else f"{PROGRAM} {name}"
            with COMMANDS[name]().make_context(title, words, obj=terminal) as context:
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
            "  Commands",
            *(f"    {name:{width}}{text}" for name, text in _SUMMARIES.items()),
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


class _Command(Command):
    """A command with the original's help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if _HELP_WORDS.intersection(args):
            _print_and_exit(ctx, help_text())
        return super().parse_args(ctx, args)


def _print_and_exit(context: click.Context, text: str) -> None:
    context.ensure_object(Terminal).print(text)
    context.exit()


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 (click's signature)
    if wanted:
        _print_and_exit(context, f"{PROGRAM}, {__version__}\n")


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
        params=[*map(option, FLAGS), version],
        callback=run,
        add_help_option=False,
        context_settings={"allow_extra_args": True},
    )


def _setup_command() -> click.Command:
    from sdrest.commands.setup.command import command  # noqa: PLC0415 (keeps --help instant)

    return command()


def _doctor_command() -> click.Command:
    from sdrest.commands.doctor.command import command  # noqa: PLC0415 (keeps --help instant)

    return command()


def _generate_command() -> click.Command:
    from sdrest.commands.generate import command  # noqa: PLC0415 (keeps --help instant)

    return command()


COMMANDS: Mapping[str, Callable[[], click.Command]] = {
    "serve": _serve_command,
    "setup": _setup_command,
    "doctor": _doctor_command,
    "generate": _generate_command,
}
"""The commands by name; `serve` is the one that needs no naming."""
