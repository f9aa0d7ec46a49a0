"""Parse the command line, run the command, and report an error as one line.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from sdrest import __version__
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.options import Command, FlagOption, service_variables, settings
from sdrest.commands.terminal import Terminal, open_missing_streams
from sdrest.commands.utf8 import restart_in_utf8_mode
from sdrest.errors import SdrestError, UsageError
from sdrest.settings import FLAGS, Flag

PROGRAM = "sdrest"
_HELP_WORDS = {"-h", "--help"}
_SUMMARIES = {
    "setup": "Sets up Stable Diffusion (sdrest setup --help)",
    "doctor": "Checks the set-up and suggests remedies",
    "generate": "Makes pictures without a server",
    "cluster": "Makes the files that several machines need to work together",
    "worker": "Runs jobs of a server on another machine (sdrest worker --help)",
    "service": "Starts the server with the machine, by systemd or launchd",
    "help": "Displays this message; with a command, the command's own",
}
_CLOSE = 0.75
"""Similarity (0 to 1) from which a word counts as a mistyped command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with `arguments` (default: those of the process); return the exit status.

    The first word may name a command; without one, start the server.
    """
    open_missing_streams()
    if arguments is None:
        restart_in_utf8_mode()
    given = list(sys.argv[1:] if arguments is None else arguments)
    with Terminal() as terminal:
        try:
            name, words = _chosen(given)
            title = PROGRAM if name == "serve" else f"{PROGRAM} {name}"
            with COMMANDS[name]().make_context(title, words, obj=terminal) as context:
                if name != "serve":  # serve logs them after its first line
                    for note in _ignored_variables():
                        terminal.complain(note)
                return int(context.command.invoke(context))
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.ClickException as error:
            terminal.complain(LogLine.of(Level.ERROR, error.format_message()))
            return 1
        except SdrestError as error:
            terminal.complain(LogLine.of(Level.ERROR, error.message))
            return 1
        except KeyboardInterrupt:
            return 130


def _chosen(words: list[str]) -> tuple[str, list[str]]:
    """Return the command's name and the words after it.

    Raises `UsageError` if the first word is not a command. The server ignores further stray
    words, as the original does.
    """
    if not words or words[0].startswith("-"):
        return "serve", words
    name, *others = words
    if name in COMMANDS:
        return name, others
    if name != "help":
        raise _unknown_command(name)
    wanted = next((word for word in others if not word.startswith("-") and word != "help"), "serve")
    if wanted not in COMMANDS:
        raise _unknown_command(wanted)
    return wanted, ["--help"]


def _unknown_command(word: str) -> UsageError:
    close = _similar_command(word)
    advice = f"Did you mean `{PROGRAM} {close}`?" if close else f"`{PROGRAM} help` lists them."
    return UsageError(f"There is no command {word!r}. {advice}")


def _similar_command(word: str) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 (for mistakes only)

    return next(iter(get_close_matches(word.lower(), [*COMMANDS, "help"], 1, _CLOSE)), None)


def _ignored_variables() -> list[LogLine]:
    """Return a line about ignored environment variables, if there are any."""
    names = ", ".join(service_variables(os.environ))
    text = f"Ignored {names}: Kubernetes or Docker set them for a service named {PROGRAM}."
    return [LogLine.of(Level.INFO, text)] if names else []


def help_text() -> str:
    """Return the text of `--help`, in the original's layout."""
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
        gc.disable()  # of 0.9 s of CPU for a start and a stop, collections took 0.2 s
        from sdrest.commands.serve import serve  # noqa: PLC0415 (keeps --help instant)

        gc.freeze()
        gc.enable()
        terminal = context.ensure_object(Terminal)
        for word in context.args:
            close = _similar_command(word)
            if close == word:
                raise UsageError(f"A command comes first: `{PROGRAM} {word} [options]`.")
            if close:
                raise _unknown_command(word)
        notes = [LogLine.of(Level.WARNING, f"Ignored {word!r}.") for word in context.args]
        return serve(settings(context), terminal, [*_ignored_variables(), *notes])

    version = click.Option(
        ["-v", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
    )
    return _Command(
        "serve",
        params=[*map(FlagOption, FLAGS), version],
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


def _worker_command() -> click.Command:
    from sdrest.commands.worker.command import command  # noqa: PLC0415 (keeps --help instant)

    return command()


def _cluster_command() -> click.Command:
    from sdrest.commands.cluster.command import command  # noqa: PLC0415 (keeps --help instant)

    return command()


def _service_command() -> click.Command:
    from sdrest.commands.service.command import command  # noqa: PLC0415 (keeps --help instant)

    return command(COMMANDS)


COMMANDS: Mapping[str, Callable[[], click.Command]] = {
    "serve": _serve_command,
    "setup": _setup_command,
    "doctor": _doctor_command,
    "generate": _generate_command,
    "cluster": _cluster_command,
    "worker": _worker_command,
    "service": _service_command,
}
"""The commands by name; `serve` is the default."""
