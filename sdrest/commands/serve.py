"""`sdrest serve`: the server from its first line to its last."""

import asyncio
import logging
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from aiohttp import web

from sdrest.commands import certificate
from sdrest.commands.browser_note import browser_note
from sdrest.commands.certificate_renewal import Renewal
from sdrest.commands.job_lines import JobLines
from sdrest.commands.listen import listen
from sdrest.commands.log_lines import Level, LogLine, serving
from sdrest.commands.loop import loop_factory, on_stop_signal
from sdrest.commands.terminal import LogHandler, Terminal
from sdrest.engine.local.repository import locate, problems
from sdrest.errors import UsageError
from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.folders import Folders
from sdrest.paths import expand, expand_home
from sdrest.settings import FLAGS, Settings
from sdrest.web.app import create_app
from sdrest.web.keys import FOLDERS, JOBS
from sdrest.web.requests.access import require_lock
from sdrest.web.requests.connections import allow_many
from sdrest.web.routes import require_free_base_path
from sdrest.web.server import Runner
from sdrest.web.tls import ServerContext

_STOP_SECONDS = 3.0
"""How long answers under way may take when the server stops."""

_ORIGINAL_HOST = "0.0.0.0"  # noqa: S104 (printed; the server listens on --host)

_AUTHORIZATION = '--header "Authorization: Bearer $SDREST_TOKEN"'

_EXAMPLE_PROMPT = "a red house and a white boat on a lake at sunset, snowy mountains"


def serve(settings: Settings, terminal: Terminal, notes: Sequence[LogLine]) -> int:
    """Serve until a signal ends it; return the exit status.

    `notes` are said once the server is up. Raises `UsageError` where it cannot start like this.
    """
    for flag in FLAGS:
        if flag.secret:
            os.environ.pop(flag.variable, None)  # scripts shall not inherit it
    logging.basicConfig(level=logging.WARNING, handlers=[LogHandler(terminal)])
    logging.getLogger("sdrest").setLevel(settings.log_level.upper())
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, terminal, list(notes)))
    return 0


async def _serve(settings: Settings, terminal: Terminal, notes: list[LogLine]) -> None:
    stop = _stop_on_signals(terminal)
    _check_given_paths(settings)
    require_lock(settings)
    require_free_base_path(settings)
    allow_many()
    tls, renewal = _tls(settings, notes)
    sockets = listen(settings.host, settings.port)
    bus = Bus()
    early: list[JobEvent] = []  # jobs of a former life may start before the first line is out
    unsubscribe = bus.subscribe(early.append)
    app = create_app(settings, bus=bus)
    runner = Runner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
    try:
        await runner.setup()
        for opened in sockets:
            await web.SockSite(runner, opened, ssl_context=tls).start()
        _greet(settings, terminal, _url(settings, sockets[0].getsockname()[1]), notes)
        unsubscribe()
        log = _log(terminal, app[FOLDERS])
        for event in early:
            log(event)
        bus.subscribe(log)
        await _watched(renewal, terminal, stop)
        await app[JOBS].stop(grace=settings.grace)  # the routes answer meanwhile
    finally:
        await runner.cleanup()
        for opened in sockets:
            opened.close()


def _stop_on_signals(terminal: Terminal) -> asyncio.Event:
    """Return what the first signal sets."""
    stop = asyncio.Event()

    def handle() -> None:
        terminal.say(LogLine.of(Level.INFO, "Stopping..."))
        stop.set()

    on_stop_signal(handle)
    return stop


def _check_given_paths(settings: Settings) -> None:
    """Refuse what the user named and is not there; missing defaults are only warned about."""
    if "repository" in settings.given and not expand(settings.repository).is_dir():
        raise UsageError(f"There is no folder {settings.repository} (--repository).")
    if settings.python and shutil.which(expand_home(settings.python)) is None:
        raise UsageError(f"There is no program {settings.python} (--python).")


def _tls(settings: Settings, notes: list[LogLine]) -> tuple[ServerContext | None, Renewal | None]:
    if settings.plain_http:
        return None, None
    pair, said = certificate.provide(settings)
    context = certificate.context(pair)
    tls = ServerContext(context)
    renewal = Renewal(settings, pair, tls)
    warning = browser_note(pair.cert, context)
    notes += [*said, *([LogLine.of(Level.INFO, warning)] if warning else []), *renewal.problems()]
    return tls, renewal


async def _watched(renewal: Renewal | None, terminal: Terminal, stop: asyncio.Event) -> None:
    """Wait for the stop; meanwhile take renewed certificates."""
    if renewal is None:
        await stop.wait()
        return
    watching = asyncio.create_task(renewal.watch(lambda line: _say(terminal, line)))
    try:
        await stop.wait()
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _url(settings: Settings, port: int) -> str:
    """Return the address to print; the original's for the default host.

    Scripts wait for its line, and 0.0.0.0 reaches loopback on Linux and macOS.
    """
    scheme = "http" if settings.plain_http else "https"
    host = settings.host if "host" in settings.given else _ORIGINAL_HOST
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def _greet(settings: Settings, terminal: Terminal, url: str, notes: Sequence[LogLine]) -> None:
    terminal.clear()
    terminal.say(serving(url))
    place = LogLine.of(Level.INFO, f"Pictures are saved in {expand(settings.output).absolute()}.")
    for note in [place, *notes, *_engine_notes(settings, url)]:
        _say(terminal, note)


def _say(terminal: Terminal, line: LogLine) -> None:
    (terminal.complain if line.level is Level.WARNING else terminal.say)(line)


def _engine_notes(settings: Settings, url: str) -> Iterator[LogLine]:
    repository = locate(settings)
    for failure in problems(repository):
        yield LogLine.of(Level.WARNING, failure.local_message)
    if repository.bundled:
        yield LogLine.of(
            Level.INFO,
            f"There is no {settings.repository}: the bundled engine draws simple scenes. It is no "
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
    """Return a request to paste. It names the variable of the token, which nobody else may see."""
    trust = [] if settings.plain_http else ["--cacert", expand_home(settings.cert)]
    form = ["--form", f"prompt={_EXAMPLE_PROMPT}"]
    words = shlex.join(["curl", *trust, f"{url}text-to-image", *form, "--location"])
    return f"{words} {_AUTHORIZATION}" if settings.token else words


def _log(terminal: Terminal, folders: Folders) -> Callable[[JobEvent], None]:
    """Return a listener that writes what happens to jobs.

    On a terminal it says where the pictures of a job are. Programs that read a pipe get the
    original's lines alone.
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
