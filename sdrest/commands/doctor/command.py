"""`sdrest doctor`: run the checks and print their findings."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from sdrest.commands.doctor.asking import PROBE_SECONDS
from sdrest.commands.doctor.cluster_checks import ClusterChecks
from sdrest.commands.doctor.engine_checks import EngineChecks
from sdrest.commands.doctor.findings import Check, Result, Verdict, results
from sdrest.commands.doctor.machine_checks import MachineChecks
from sdrest.commands.doctor.worker_checks import WorkerChecks
from sdrest.commands.log_lines import Level, LogLine, readable
from sdrest.commands.options import FlagOption, settings
from sdrest.commands.terminal import Terminal
from sdrest.engine.local.repository import locate
from sdrest.paths import expand
from sdrest.settings import FLAGS, Settings

_LEVELS = {
    Verdict.OK: Level.SUCCESS,
    Verdict.WARNING: Level.WARNING,
    Verdict.FAILURE: Level.ERROR,
}


def checks(
    given: Settings, *, probe_seconds: float = PROBE_SECONDS, worker: str | None = None
) -> tuple[Check, ...]:
    """Return the checks for these flags, in the order of the report.

    `worker` is the address of the server where this machine is to be its worker.
    """
    lost = "models" in given.given and not expand(given.models).is_dir()
    engine = EngineChecks(
        locate(given),
        given.attention,
        probe_seconds,
        lost_models=given.models if lost else "",
    )
    machine = MachineChecks(given)
    engine_checks = (
        Check("repository", engine.repository_there),
        Check("scripts", engine.scripts),
        Check("python", engine.python),
        Check("imports", engine.imports),
        Check("device", engine.device),
        Check("attention", engine.attention_used),
        Check("checkpoints", engine.checkpoints),
        Check("models", engine.models),
        Check("hub models", engine.hub_models),
        Check("memory", machine.memory),
    )
    if worker:
        connection = WorkerChecks(given, worker)
        return (
            Check("worker", machine.server_python),
            *engine_checks,
            Check("disk", connection.disk),
            Check("credentials", connection.credentials),
            Check("connection", connection.connection),
        )
    return (
        Check("server", machine.server_python),
        *engine_checks,
        Check("disk", machine.disk),
        Check("port", machine.port),
        Check("certificate", machine.certificate),
        Check("trust", machine.trust),
        Check("output", machine.output),
        Check("file system", machine.file_system),
        Check("job table", machine.table),
        *_cluster_checks(given),
    )


def _cluster_checks(given: Settings) -> tuple[Check, ...]:
    """Return the checks of a server that uses workers."""
    address = given.cluster or given.scheduler
    if not address:
        return ()
    return (
        Check("credentials", WorkerChecks(given, address).credentials),
        Check("workers", ClusterChecks(given).workers),
    )


def command() -> click.Command:
    """Return the command."""
    return click.Command(
        "doctor",
        params=[
            *map(FlagOption, FLAGS),
            click.Option(
                ["--worker"],
                metavar="ADDRESS",
                help="Check what a worker of the server at ADDRESS needs on this machine",
            ),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON"),
        ],
        callback=_run,
        help="Check what the server needs; say what is wrong and how to repair it.\n\n"
        "Takes the server's flags, and with --worker those of `sdrest worker`. Exit status 1 where "
        "a check fails.",
    )


@click.pass_context
def _run(context: click.Context, /, *, as_json: bool, worker: str | None, **_: object) -> int:
    terminal = context.ensure_object(Terminal)
    found: list[Result] = []
    for check in checks(settings(context), worker=worker):
        for result in results(check):
            found.append(result)
            if not as_json:
                terminal.say(_line(result))
    if as_json:
        terminal.print(as_text(found))
    else:
        terminal.say(_summary(found))
    return int(any(result.finding.verdict is Verdict.FAILURE for result in found))


def as_text(found: Iterable[Result]) -> str:
    """Return the results as JSON."""
    rows = [
        {"check": result.name}
        | {name: readable(text) for name, text in asdict(result.finding).items()}
        for result in found
    ]
    return json.dumps({"checks": rows}, indent=2) + "\n"


def _line(result: Result) -> LogLine:
    finding = result.finding
    text = " ".join(filter(None, [finding.message, finding.remedy]))
    return LogLine.of(_LEVELS[finding.verdict], f"{result.name}: {text}")


def _summary(found: Sequence[Result]) -> LogLine:
    verdicts = [result.finding.verdict for result in found]
    failures, warnings = verdicts.count(Verdict.FAILURE), verdicts.count(Verdict.WARNING)
    level = Level.ERROR if failures else Level.WARNING if warnings else Level.SUCCESS
    return LogLine.of(level, f"{len(found)} findings: {failures} failures, {warnings} warnings.")
