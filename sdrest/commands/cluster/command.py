"""`sdrest cluster credentials`."""

from pathlib import Path

import click

from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.terminal import Terminal
from sdrest.paths import expand


def command() -> click.Command:
    """Return the command."""
    credentials = click.Command(
        "credentials",
        params=[click.Argument(["folder"], required=False, default=".")],
        callback=_credentials,
        short_help="Make the files of a cluster's machines",
        help="Make the files with which the machines of a cluster prove that they belong to it.\n\n"
        "FOLDER is where they are written (default: this one, beside cert.pem); it is made where "
        "there is none. Nothing is overwritten.",
    )
    return click.Group(
        "cluster",
        commands=[credentials],
        no_args_is_help=False,
        help="Prepare a cluster: one server, and workers on other machines.",
    )


@click.pass_context
def _credentials(context: click.Context, /, *, folder: str) -> int:
    from sdrest.commands.cluster.credentials import make, next_steps  # noqa: PLC0415 (slow)

    made: tuple[Path, Path] = make(expand(folder))
    context.ensure_object(Terminal).say(LogLine.of(Level.SUCCESS, next_steps(*made)))
    return 0
