"""`sdrest worker`: connect to a server, and run its jobs here until a signal."""

import asyncio
import functools
import logging
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdrest.checkpoints.hashes import Hashes
from sdrest.commands.doctor.asking import accelerator
from sdrest.commands.engine_notes import check_given_paths, memory_notes
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.loop import loop_factory, stop_event
from sdrest.commands.options import Command, options, settings
from sdrest.commands.terminal import LogHandler, Terminal
from sdrest.commands.worker.folder import WorkerFolder, worker_folder
from sdrest.engine.cluster import library
from sdrest.engine.cluster.addresses import complete
from sdrest.engine.cluster.engine import Engine
from sdrest.engine.cluster.offer import Machine, Offers
from sdrest.engine.cluster.runs import Runs
from sdrest.engine.cluster.security import security
from sdrest.engine.local.memory import GIB
from sdrest.engine.local.repository import Repository, locate, problems
from sdrest.engine.local.start import local_executor
from sdrest.engine.runner.consumed import cache_folder
from sdrest.engine.workers import Offer
from sdrest.errors import UsageError, counted
from sdrest.job_types import JobType
from sdrest.settings import Settings

if TYPE_CHECKING:
    from sdrest.engine.cluster.worker import Report

FLAGS = (
    *("name", "worker_port", "cluster_credentials", "concurrency", "grace", "log_level"),
    *("repository", "python", "text_to_image_model", "inpaint_image_model", "models"),
    *("allow_pickle", "attention", "keep_alive", "max_models", "max_host_memory", "preload"),
)


def command() -> click.Command:
    """Return the command."""
    return Command(
        "worker",
        params=[
            click.Argument(["address"], required=False, envvar="SDREST_SCHEDULER"),
            *options(FLAGS),
        ],
        callback=_run,
        help="Run the jobs of the server at ADDRESS on this machine, e.g. "
        "`sdrest worker tls://front.example:8786` for a server that was started with "
        "--cluster tls://0.0.0.0:8786.\n\n"
        "Tries again, for ever, where no server answers. A stop gives running jobs --grace "
        "seconds, then the server runs them elsewhere. `sdrest doctor --worker ADDRESS` says what "
        "is wrong.",
    )


@click.pass_context
def _run(context: click.Context, /, *, address: str | None, **_: object) -> int:
    terminal, given = context.ensure_object(Terminal), settings(context)
    if not address:
        raise UsageError("The server's address is missing, e.g. tls://front.example:8786.")
    logging.basicConfig(level=logging.WARNING, handlers=[LogHandler(terminal)])
    logging.getLogger("sdrest").setLevel(given.log_level.upper())
    with worker_folder() as folder, asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work(address, given, terminal, folder))
    return 0


async def _work(address: str, given: Settings, terminal: Terminal, folder: WorkerFolder) -> None:
    stop = stop_event(terminal)
    check_given_paths(given)
    if not given.concurrency:
        raise UsageError("A worker needs a --concurrency of at least 1.")
    await asyncio.to_thread(library.load)
    from sdrest.engine.cluster.worker import WorkerConnection  # noqa: PLC0415 (see `library`)

    address = complete(address)
    credentials = security(address, given.cluster_credentials, option="The server's address")
    repository = locate(given)
    engine, hashes = await _engine(given, repository, folder)
    name = engine.offers.current.name
    notes = await asyncio.to_thread(list, memory_notes(given))
    connecting = LogLine.of(Level.INFO, f"Connecting to {address}...")
    for line in (*_greeting(engine.offers.current, repository), *notes, connecting):
        terminal.log(line)
    connection = WorkerConnection(
        address,
        engine,
        name=name,
        port=given.worker_port,
        security=credentials,
        folder=folder.path,
        report=functools.partial(_report, terminal),
    )
    tasks = [
        asyncio.create_task(connection.keep()),
        asyncio.create_task(_watch(engine.offers, repository)),
    ]
    try:
        if given.preload:
            engine.runs.executor.preload()
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        await engine.runs.drain(given.grace)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await engine.runs.cancel_all()
        await engine.runs.executor.close()
        hashes.close()


async def _watch(offers: Offers, repository: Repository) -> None:
    """Keep the offer up to date; at first find out the accelerator, which takes a while."""
    found = await accelerator(repository)
    offers.machine = replace(offers.machine, accelerator=found)
    await offers.refresh()
    await offers.watch()


async def _engine(
    given: Settings, repository: Repository, folder: WorkerFolder
) -> tuple[Engine, Hashes]:
    executor = await local_executor(given, repository, owner=folder.owner)
    machine = Machine(given.name or platform.node(), "")
    hashes = Hashes(_known_hashes(folder.path))
    runs = Runs(executor, folder.work)
    offers = Offers(machine, repository, executor, hashes, changed=runs.changed.send)
    await offers.refresh()
    return Engine(runs, offers), hashes


def _known_hashes(fallback: Path) -> Path:
    """Return the file that keeps hashes from one start to the next, in the user's caches."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # computed again after the next start
        folder = fallback
    return folder / "hashes.json"


def _greeting(offer: Offer, repository: Repository) -> Iterator[LogLine]:
    """Yield what the worker offers, and what is wrong."""
    types = [str(kind) for kind in JobType if kind not in offer.problems]
    memory = f"{offer.memory / GIB:.1f} GiB of memory"
    jobs = f"{counted(offer.capacity, 'job')} at a time"
    yield LogLine.of(
        Level.INFO,
        f"This worker is {offer.name}: {', '.join(types) or 'no jobs'}; {jobs}, with {memory}.",
    )
    for failure in problems(repository):
        yield LogLine.of(Level.WARNING, failure.local_message)
    if offer.bundled:
        text = "There is no Stable Diffusion repository: the bundled engine draws simple scenes."
        yield LogLine.of(Level.INFO, f"{text} `sdrest setup` gets one.")
    elif offer.models:
        yield LogLine.of(Level.INFO, f"Models: {', '.join(one.name for one in offer.models)}.")


def _report(terminal: Terminal, report: "Report") -> None:
    terminal.log(LogLine.of(Level.SUCCESS if report.good else Level.WARNING, report.text))
