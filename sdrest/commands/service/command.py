"""`sdrest service`: install, uninstall, and look at services."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sdrest.commands.engine_notes import check_given_paths
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.options import GIVEN, settings
from sdrest.commands.service.launchd import Launchd
from sdrest.commands.service.managers import Manager
from sdrest.commands.service.systemd import Systemd
from sdrest.commands.service.units import Service
from sdrest.commands.terminal import Terminal
from sdrest.engine.cluster.addresses import complete
from sdrest.engine.cluster.security import read, refusal
from sdrest.errors import UsageError
from sdrest.paths import expand
from sdrest.settings import FLAGS, Kind, Settings

SERVER, WORKER = "sdrest", "sdrest-worker"
"""The names of the two services."""

_STOP_MARGIN = 30
"""Seconds of a stop besides `--grace`."""

Commands = Mapping[str, Callable[[], click.Command]]


def command(commands: Commands) -> click.Command:
    """Return the command; `commands` are those that a service may run."""
    worker = click.Option(
        ["--worker"],
        metavar="ADDRESS",
        help="A worker of the cluster at this address, e.g. tls://front.example:8786",
    )
    any_worker = click.Option(["--worker"], is_flag=True, help="The service of a worker")
    install = click.Command(
        "install",
        params=[
            worker,
            click.Option(["--dry-run"], is_flag=True, help="Print what would be done"),
            click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, metavar="[FLAGS]..."),
        ],
        callback=lambda **given: _install(commands, **given),
        context_settings={"ignore_unknown_options": True},
        short_help="Write and start a service",
        help="Write a service that runs the server with FLAGS in this folder, and start it: now, "
        "after each start of the machine, and again when it fails.\n\n"
        "For root it is a service of the machine, else one of yours.",
    )
    uninstall = click.Command(
        "uninstall",
        params=[any_worker],
        callback=_uninstall,
        short_help="Stop and remove a service",
        help="Stop and remove a service.",
    )
    status = click.Command(
        "status",
        params=[any_worker],
        callback=_status,
        short_help="Say whether a service runs",
        help="Say whether a service runs. Exit status 1 where it does not.",
    )
    return click.Group(
        "service",
        commands=[install, uninstall, status],
        no_args_is_help=False,
        help="The server, or a worker, as a service of systemd or launchd.",
    )


@dataclass(frozen=True, slots=True)
class Given:
    """What a command line and the environment set: words, secrets by variable, and the grace."""

    words: tuple[str, ...]
    secrets: Mapping[str, str]
    grace: float


def service_of(
    commands: Commands, worker: str | None, words: Sequence[str], environment: Mapping[str, str]
) -> Service:
    """Return the service for this folder. Raises `UsageError` for flags that its command refuses.

    What the environment sets for the command is part of it, since services have another one.
    """
    name, before = ("worker", [worker]) if worker else ("serve", [])
    context = commands[name]().make_context(f"sdrest {name}", [*before, *words])
    given = _given(context)
    flags = settings(context)
    check_given_paths(flags)
    _check_cluster(worker or flags.cluster or flags.scheduler, flags.cluster_credentials)
    root = os.geteuid() == 0
    return Service(
        name=WORKER if worker else SERVER,
        summary="sdrest worker" if worker else "sdrest server",
        command=(sys.executable, "-m", "sdrest", *(["worker"] if worker else []), *given.words),
        folder=Path.cwd(),
        stop_seconds=int(given.grace) + _STOP_MARGIN,
        variables={"PATH": environment.get("PATH", os.defpath)},
        secrets=given.secrets,
        system=root,
        user=environment.get("SUDO_USER", "") if root else "",
    )


def _check_cluster(address: str, credentials: str) -> None:
    """Raise `UsageError` for an address or credentials that the service would stop at."""
    if not address:
        return
    problem = refusal(complete(address))
    if problem:
        raise UsageError(f"The address {problem}")
    if complete(address).startswith("tls:"):
        read(expand(credentials))


def _given(context: click.Context) -> Given:
    """Return what was given to a command, in words that mean the same to it."""
    if context.args:
        raise UsageError(f"{context.args[0]!r} is not a flag.")
    flags = {flag.name: flag for flag in FLAGS}
    arguments, options, secrets = [], [], {}
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) not in GIVEN:
            continue
        value: Any = context.params[name]
        flag = flags.get(name)
        if flag and flag.kind is Kind.SECRET:
            secrets[flag.variable] = value
        elif flag:
            options.append(f"{flag.option}={flag.text(value)}")
        elif isinstance(parameter, click.Argument):
            arguments.append(value)
        else:
            is_switch = isinstance(parameter, click.Option) and parameter.is_flag
            options.append(parameter.opts[0] if is_switch else f"{parameter.opts[0]}={value}")
    grace = context.params.get("grace", Settings().grace)
    return Given((*arguments, *options), secrets, grace)


def _install(
    commands: Commands, *, worker: str | None, dry_run: bool, words: tuple[str, ...]
) -> int:
    terminal = click.get_current_context().ensure_object(Terminal)
    service, chosen = service_of(commands, worker, words, os.environ), _manager()
    if dry_run:
        terminal.print("".join(_planned(chosen, service)))
        return 0
    notes = chosen.install(service)
    unit = next(iter(chosen.files(service)))
    _say(terminal, Level.SUCCESS, f"Started the service {service.name} ({unit}).")
    _say(terminal, Level.INFO, f"Its log: {chosen.log_command(service.name)}")
    for note in notes:
        _say(terminal, Level.INFO, note)
    return 0


def _planned(chosen: Manager, service: Service) -> Iterator[str]:
    """Yield the files and commands of an installation, without secrets."""
    for path, (text, mode) in chosen.files(service, hidden=True).items():
        yield f"{path} ({mode:o}):\n{text}\n"
    for words in chosen.install_commands(service):
        yield f"$ {shlex.join(words)}\n"


def _uninstall(*, worker: bool) -> int:
    terminal, name = click.get_current_context().ensure_object(Terminal), _name(worker=worker)
    there = _manager().uninstall(name)
    text = f"Removed the service {name}." if there else f"There is no service {name}."
    _say(terminal, Level.SUCCESS if there else Level.INFO, text)
    return 0


def _status(*, worker: bool) -> int:
    terminal, name = click.get_current_context().ensure_object(Terminal), _name(worker=worker)
    chosen = _manager()
    state = chosen.state(name)
    if state is None:
        _say(terminal, Level.INFO, f"There is no service {name}.")
        return 1
    level = Level.SUCCESS if state.running else Level.WARNING
    text = f"The service {name} {state.text}. Its log: {chosen.log_command(name)}"
    _say(terminal, level, text)
    return 0 if state.running else 1


def _name(*, worker: bool) -> str:
    return WORKER if worker else SERVER


def _say(terminal: Terminal, level: Level, text: str) -> None:
    terminal.say(LogLine.of(level, text))


def _manager() -> Manager:
    """Return this machine's; for root that of the machine, else that of the user."""
    system = os.geteuid() == 0
    return Launchd(system) if sys.platform == "darwin" else Systemd(system)
