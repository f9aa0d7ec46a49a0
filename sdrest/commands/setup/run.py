"""Run the steps of the set-up and log their results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sdrest.commands.certificate.files import provide
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.setup import checkpoint, environment
from sdrest.commands.setup.checkout import FORK_BRANCH, FORK_URL, Checkout
from sdrest.commands.setup.checkpoint import Checkpoint
from sdrest.commands.setup.model_downloads import HubModel
from sdrest.commands.setup.room import room_lines, takes_text
from sdrest.commands.setup.step import Footprint, Step, StepError
from sdrest.commands.setup.torch_build import TorchBuild
from sdrest.commands.sizes import Size
from sdrest.commands.terminal import Terminal
from sdrest.engine.local import hub_models
from sdrest.engine.local.repository import locate
from sdrest.errors import UsageError
from sdrest.paths import expand, expand_home
from sdrest.settings import Settings

STEPS = (
    *("repository", "environment", "packages", "text-to-image-model", "inpaint-image-model"),
    *("text-encoder", "safety-checker", "certificate"),
)
"""The names of the steps, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where everything comes from, by default the public sources."""

    fork_url: str = FORK_URL
    fork_branch: str = FORK_BRANCH
    with_python: str = ""
    index_url: str = ""
    torch_build: TorchBuild = TorchBuild.AUTO
    torch_index_url: str = ""
    text_to_image_source: str = checkpoint.TEXT_TO_IMAGE_URL
    text_to_image_sha256: str = ""
    inpaint_image_source: str = checkpoint.INPAINT_URL
    inpaint_image_sha256: str = ""
    text_encoder: str = ""
    safety_checker: str = ""
    hub_endpoint: str = ""


@dataclass(frozen=True, slots=True)
class _Certificate:
    """Makes the server's certificate."""

    settings: Settings
    name: str = "certificate"
    needs: frozenset[str] = frozenset()

    def plan(self) -> str:
        return f"make the certificate {self.settings.cert} and its key, with mkcert if it is there"

    def footprint(self) -> Footprint:
        return Footprint(expand(self.settings.cert).absolute().parent, Size())

    def done(self) -> bool:
        return expand(self.settings.cert).exists() and expand(self.settings.key).exists()

    def run(self, terminal: Terminal) -> None:
        for name in (self.settings.cert, self.settings.key):
            expand(name).parent.mkdir(parents=True, exist_ok=True)
        try:
            _, notes = provide(self.settings)
        except UsageError as error:
            raise StepError(error.message) from error
        for note in notes:
            terminal.say(note)


def steps_of(settings: Settings, sources: Sources) -> tuple[Step, ...]:
    """Return the steps, each after the ones that it needs."""
    root = expand(settings.repository).absolute()
    located = locate(settings)
    own = bool(settings.python)
    known = located.python if own or not located.bundled else None
    python = known or root / "venv/bin/python"
    given = sources.text_to_image_source != checkpoint.TEXT_TO_IMAGE_URL
    sha256 = sources.text_to_image_sha256 or ("" if given else checkpoint.TEXT_TO_IMAGE_SHA256)
    return (
        Checkout(root, sources.fork_url, sources.fork_branch),
        environment.Environment(python, expand_home(sources.with_python), own=own),
        environment.Packages(
            python,
            expand_home(sources.index_url),
            sources.torch_build,
            expand_home(sources.torch_index_url),
        ),
        Checkpoint(
            expand(settings.text_to_image_model).absolute(),
            sources.text_to_image_source,
            "--text-to-image-model",
            "text-to-image-model",
            sha256,
        ),
        Checkpoint(
            expand(settings.inpaint_image_model).absolute(),
            sources.inpaint_image_source,
            "--inpaint-image-model",
            "inpaint-image-model",
            sources.inpaint_image_sha256,
        ),
        HubModel(
            hub_models.TEXT_ENCODER,
            root,
            python,
            "text-encoder",
            sources.text_encoder,
            sources.hub_endpoint,
        ),
        HubModel(
            hub_models.SAFETY_CHECKER,
            root,
            python,
            "safety-checker",
            sources.safety_checker,
            sources.hub_endpoint,
        ),
        _Certificate(settings),
    )


def set_up(steps: Sequence[Step], terminal: Terminal, *, dry_run: bool) -> int:
    """Run the steps that are not done; return the exit status.

    A failed step prevents only the steps that need it.
    """
    undone: list[LogLine] = []
    planned: list[Footprint] = []
    missing: set[str] = set()
    for number, step in enumerate(steps, start=1):
        title = f"{number}/{len(steps)} {step.name}: "
        if missing & step.needs:
            blocked = ", ".join(sorted(missing & step.needs))
            undone.append(LogLine.of(Level.WARNING, f"{step.name} waits for: {blocked}."))
            missing.add(step.name)
            continue
        try:
            if step.done():
                terminal.say(LogLine.of(Level.SUCCESS, title, "nothing to do"))
            elif dry_run:
                planned.append(step.footprint())
                takes = takes_text(planned[-1])
                terminal.say(LogLine.of(Level.INFO, title, f"would {step.plan()}{takes}"))
            else:
                _perform(step, title, terminal)
        except (StepError, OSError) as error:
            missing.add(step.name)
            undone.append(LogLine.of(Level.ERROR, f"{step.name}: {_reason(error)}"))
            terminal.complain(undone[-1])
    if dry_run:
        for line in room_lines(planned):
            terminal.say(line)
    else:
        for line in _summary(undone):
            (terminal.say if line.level is Level.SUCCESS else terminal.complain)(line)
    return int(bool(undone))


def _perform(step: Step, title: str, terminal: Terminal) -> None:
    terminal.say(LogLine.of(Level.INFO, title, step.plan()))
    step.run(terminal)
    if not step.done():
        raise StepError("The step finished, but its result is incomplete. Run again.")
    terminal.say(LogLine.of(Level.SUCCESS, title, "done"))


def _reason(error: StepError | OSError) -> str:
    if isinstance(error, StepError):
        return error.message
    return f"{error.filename or 'A file'}: {error.strerror}."


def _summary(undone: Sequence[LogLine]) -> Iterator[LogLine]:
    if undone:
        yield LogLine.of(Level.ERROR, f"Not complete: {len(undone)} steps are missing.")
        yield from undone
        yield LogLine.of(Level.WARNING, "Run the same again to go on; what is done stays done.")
    else:
        yield LogLine.of(
            Level.SUCCESS, "All is set up. Check it with `sdrest doctor`; then `sdrest`."
        )
