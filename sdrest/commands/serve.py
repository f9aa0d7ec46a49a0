"""`sdrest serve`: start the server, log its jobs, and stop it at a signal."""

import asyncio
import logging
import os
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from aiohttp import web

from sdrest.commands.certificate.files import context, provide
from sdrest.commands.certificate.renewal import Renewal
from sdrest.commands.engine_notes import check_given_paths, memory_notes
from sdrest.commands.job_lines import JobLines
from sdrest.commands.listen import listen
from sdrest.commands.log_lines import Level, LogLine, serving
from sdrest.commands.loop import loop_factory, stop_event
from sdrest.commands.terminal import LogHandler, Terminal
from sdrest.engine.base import Executor
from sdrest.engine.cluster.executor import ClusterExecutor
from sdrest.engine.cluster.start import has_cluster
from sdrest.engine.local.repository import locate, problems
from sdrest.errors import UsageError
from sdrest.hosts import url_host
from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.folders import Folders
from sdrest.paths import expand, expand_home
from sdrest.settings import FLAGS, Kind, Settings
from sdrest.web.app import create_app
from sdrest.web.keys import EXECUTOR, FOLDERS, JOBS
from sdrest.web.requests.access import is_loopback, require_lock
from sdrest.web.requests.connections import allow_many
from sdrest.web.routes import require_free_base_path
from sdrest.web.server import Runner
from sdrest.web.tls import ServerContext

_STOP_SECONDS = 3.0
"""Seconds for responses in progress when the server stops."""

_ORIGINAL_HOST = "0.0.0.0"  # noqa: S104 (printed; the server listens on --host)

_AUTHORIZATION = '--header "Authorization: Bearer $SDREST_TOKEN"'

_EXAMPLE_PROMPT = "a red house and a white boat on a lake at sunset, snowy mountains"


def serve(settings: Settings, terminal: Terminal, notes: Sequence[LogLine]) -> int:
    """Serve until a signal; return the exit status.

    `notes` are logged after the first line. Raises `UsageError` if the server cannot start.
    """
    for flag in FLAGS:
        if flag.kind is Kind.SECRET:
            os.environ.pop(flag.variable, None)  # keep it from the scripts
    logging.basicConfig(level=logging.WARNING, handlers=[LogHandler(terminal)])
    logging.getLogger("sdrest").setLevel(settings.log_level.upper())
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, terminal, list(notes)))
    return 0


async def _serve(settings: Settings, terminal: Terminal, notes: list[LogLine]) -> None:
    stop = stop_event(terminal)
    check_given_paths(settings)
    require_lock(settings)
    require_free_base_path(settings)
    has_cluster(settings)
    allow_many()
    tls, renewal = _tls(settings, notes)
    sockets = listen(settings.host, settings.port)
    plain = _listen_plain(settings, sockets)
    bus = Bus()
    early: list[JobEvent] = []  # jobs of the previous run may start before the first line
    unsubscribe = bus.subscribe(early.append)
    app = create_app(settings, bus=bus)
    runner = Runner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
    try:
        await runner.setup()
        for opened in sockets:
            await web.SockSite(runner, opened, ssl_context=tls).start()
        for opened in plain:
            await web.SockSite(runner, opened).start()
        url = _url(settings, sockets[0].getsockname()[1])
        _greet(settings, terminal, url, app[EXECUTOR], notes)
        memory = await asyncio.to_thread(list, memory_notes(settings))
        for note in [] if stop.is_set() else memory:
            terminal.log(note)
        unsubscribe()
        log = _log(terminal, app[FOLDERS])
        for event in early:
            log(event)
        bus.subscribe(log)
        await _watched(renewal, terminal, stop)
        await app[JOBS].stop(grace=settings.grace)  # the routes still answer
    finally:
        await runner.cleanup()
        for opened in (*sockets, *plain):
            opened.close()


def _listen_plain(settings: Settings, others: Sequence[socket.socket]) -> list[socket.socket]:
    """Listen on the second address, if there is one; without it the others are closed."""
    if not settings.a1111_port:
        return []
    try:
        return listen(settings.host, settings.a1111_port, option="--a1111-port")
    except UsageError:
        for opened in others:
            opened.close()
        raise


def _tls(settings: Settings, notes: list[LogLine]) -> tuple[ServerContext | None, Renewal | None]:
    if settings.plain_http:
        return None, None
    pair, lines = provide(settings)
    tls = ServerContext(context(pair))
    renewal = Renewal(settings, pair, tls)
    notes += [*lines, *renewal.browser_note(), *renewal.problems()]
    return tls, renewal


async def _watched(renewal: Renewal | None, terminal: Terminal, stop: asyncio.Event) -> None:
    """Wait for `stop`; meanwhile load renewed certificates."""
    if renewal is None:
        await stop.wait()
        return
    watching = asyncio.create_task(renewal.watch(terminal.log))
    try:
        await stop.wait()
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _url(settings: Settings, port: int) -> str:
    """Return the address to print.

    For the default host it is the original's, since scripts wait for that line; 0.0.0.0 reaches
    loopback on Linux and macOS.
    """
    scheme = "http" if settings.plain_http else "https"
    host = settings.host if "host" in settings.given else _ORIGINAL_HOST
    return f"{scheme}://{url_host(host)}:{port}/"


def _greet(
    settings: Settings, terminal: Terminal, url: str, executor: Executor, notes: Sequence[LogLine]
) -> None:
    terminal.clear()
    terminal.say(serving(url))
    place = LogLine.of(Level.INFO, f"Pictures are saved in {expand(settings.output).absolute()}.")
    engine = _engine_notes(settings, url) if settings.concurrency else ()
    cluster = _cluster_notes(executor)
    page = LogLine.of(Level.INFO, f"The page for your browser is {_page_url(settings, url)}.")
    for note in [place, *_plain_notes(settings), page, *cluster, *notes, *engine]:
        terminal.log(note)


def _page_url(settings: Settings, url: str) -> str:
    """Return where a browser finds the page: the certificate is for localhost, not for 0.0.0.0."""
    return url if "host" in settings.given else url.replace(_ORIGINAL_HOST, "localhost")


def _plain_notes(settings: Settings) -> Iterator[LogLine]:
    """Yield where the second address is, and what passes it unencrypted."""
    if settings.a1111_port:
        url = f"http://{url_host(settings.host)}:{settings.a1111_port}"
        yield LogLine.of(Level.INFO, f"AUTOMATIC1111's API is at {url} too, over plain HTTP.")
        if settings.token and not is_loopback(settings.host):
            text = "The token and the pictures pass --a1111-port unencrypted."
            yield LogLine.of(Level.WARNING, text)


def _cluster_notes(executor: Executor) -> Iterator[LogLine]:
    """Yield how workers reach the server."""
    if isinstance(executor, ClusterExecutor):
        text = f"Workers connect with `sdrest worker {executor.address}`."
        yield LogLine.of(Level.INFO, text)


def _engine_notes(settings: Settings, url: str) -> Iterator[LogLine]:
    repository = locate(settings)
    for failure in problems(repository):
        yield LogLine.of(Level.WARNING, failure.local_message)
    if repository.bundled:
        yield LogLine.of(
            Level.INFO,
            f"There is no {settings.repository}: the bundled engine draws simple scenes. It is not "
            "Stable Diffusion; `sdrest setup` gets that.",
        )
        yield LogLine.of(Level.INFO, "Try: ", _curl(settings, url))
        if settings.token:
            yield LogLine.of(
                Level.INFO,
                "That sends the token in $SDREST_TOKEN and does not show it: where you paste it, "
                "first set SDREST_TOKEN to the server's token (the value of --token).",
            )


def _curl(settings: Settings, url: str) -> str:
    """Return a curl command to paste. It contains the token's variable, not the token."""
    trust = [] if settings.plain_http else ["--cacert", expand_home(settings.cert)]
    form = ["--form", f"prompt={_EXAMPLE_PROMPT}"]
    words = shlex.join(["curl", *trust, f"{url}text-to-image", *form, "--location"])
    return f"{words} {_AUTHORIZATION}" if settings.token else words


def _log(terminal: Terminal, folders: Folders) -> Callable[[JobEvent], None]:
    """Return a listener that logs job events.

    On a terminal it adds where the pictures are; a pipe gets only the original's lines.
    """
    lines = JobLines()

    def log(event: JobEvent) -> None:
        for line in lines.of(event):
            terminal.say(line)
        job = event.snapshot.job
        if terminal.is_watched and event.change is Change.FINISHED and job.images:
            folder = folders.published(job.key)
            place = folder / "1.png" if job.images == 1 else f"{folder} ({job.images} pictures)"
            terminal.say(LogLine.of(Level.INFO, f"Saved {place}"))

    return log
