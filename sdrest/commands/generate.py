"""`sdrest generate`: run one job without a server. Its options derive from the parameters."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

import click
from click.core import ParameterSource

from sdrest.api import generate, with_seed
from sdrest.commands.bar import Bar
from sdrest.commands.engine_notes import check_given_paths
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.loop import on_stop_signal
from sdrest.commands.options import Command, FlagOption, options, settings
from sdrest.commands.terminal import Terminal
from sdrest.commands.utf8 import decoded
from sdrest.engine.base import Finished, ImageReady, Output, Preview, Progress, Started
from sdrest.errors import InvalidRequestError, UsageError
from sdrest.job_types import JobType
from sdrest.params import Params, picture_fields, validate
from sdrest.paths import expand
from sdrest.settings import FLAGS, Settings

_FLAGS = (
    *("repository", "python", "text_to_image_model", "inpaint_image_model", "models"),
    *("allow_pickle", "attention", "max_pixels", "job_timeout", "metadata"),
)


def command() -> click.Command:
    """Return the command."""
    output = next(flag for flag in FLAGS if flag.name == "output")
    return Command(
        "generate",
        params=[
            click.Argument(["prompt"], required=False),
            FlagOption(output, "-o"),
            click.Option(["--image"], help="Picture to start from"),
            click.Option(["--mask"], help="Picture whose white parts are repainted"),
            *_parameters(),
            *options(_FLAGS),
        ],
        callback=_run,
        help="Make pictures of a PROMPT, of a prompt and an --image, with or without a --mask, or "
        "of an --image and a --mask, and print their paths.",
    )


def _parameters() -> list[click.Parameter]:
    """Return an option for each parameter of any job type; `validate` checks the values."""
    described: dict[str, list[str]] = {}
    for job_type in JobType:
        for name, info in picture_fields(job_type).items():
            if name != "prompt":
                texts = described.setdefault(name, [info.description or ""])
                texts.append(f"{job_type}: {info.default if info.default != '' else 'none'}")
    return [
        click.Option([_option(name), name], metavar="VALUE", help=f"{text} [{', '.join(defaults)}]")
        for name, (text, *defaults) in described.items()
    ]


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


@click.pass_context
def _run(context: click.Context, /, **_: Any) -> int:
    terminal = context.ensure_object(Terminal)
    given = {name: context.params[name] for name in ("image", "mask")}
    files = {name: expand(text) for name, text in given.items() if text is not None}
    job_type = _job_type(files, has_prompt=context.params["prompt"] is not None)
    params = _validated(job_type, _given(context, job_type))
    flags = settings(context)
    check_given_paths(flags)
    return asyncio.run(_generate(terminal, params, flags, files))


def _job_type(files: Mapping[str, Path], *, has_prompt: bool) -> JobType:
    """Return the type that takes the given files, and a prompt only if there is one."""
    if "image" in files:
        return (
            JobType.INPAINT_IMAGE if "mask" in files and not has_prompt else JobType.IMAGE_TO_IMAGE
        )
    if files:
        raise UsageError("--mask goes with --image, the picture that it belongs to.")
    return JobType.TEXT_TO_IMAGE


def _given(context: click.Context, job_type: JobType) -> dict[str, Any]:
    """Return the given values by parameter; raises `UsageError` for one of another job type."""
    known = picture_fields(job_type)
    names = {name: _option(name) for other in JobType for name in picture_fields(other)}
    given = {
        name: decoded(context.params[name])
        for name in names
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        and context.params[name] is not None
    }
    for name in given:
        if name not in known:
            shown = "A prompt" if name == "prompt" else names[name]
            raise UsageError(f"{shown} does not go with {job_type}.")
    return given


def _validated(job_type: JobType, given: Mapping[str, Any]) -> Params:
    fields = picture_fields(job_type)
    aliases = {name: fields[name].alias or name for name in fields}
    values = {aliases[name]: value for name, value in given.items()}
    try:
        return validate(job_type, values)
    except InvalidRequestError as error:
        names = {alias: _option(name) for name, alias in aliases.items()} | {"prompt": "PROMPT"}
        messages = (
            f"{names.get(wrong.field, wrong.field)}: {wrong.message}" for wrong in error.fields
        )
        raise UsageError(" ".join(messages)) from error


async def _generate(
    terminal: Terminal, params: Params, given: Settings, files: Mapping[str, Path]
) -> int:
    """Run the job until it ends or SIGINT, SIGTERM or SIGHUP stops it."""
    running = asyncio.current_task()
    if running:
        on_stop_signal(running.cancel)
    seeded = with_seed(params)
    if params.seed is None:
        terminal.complain(LogLine.of(Level.INFO, f"Seed {seeded.seed}"))
    finished: list[Path] = []
    try:
        async with asyncio.timeout(given.job_timeout or None):
            return await _show(terminal, seeded, given, files, finished)
    except TimeoutError as error:
        raise UsageError(f"It took longer than {given.job_timeout:g} seconds.") from error
    except asyncio.CancelledError as error:
        terminal.complain(LogLine.of(Level.WARNING, _interrupted(finished, params.total_images)))
        raise KeyboardInterrupt from error


def _interrupted(finished: Sequence[Path], total: int) -> str:
    """Return the warning for an interrupted run with these finished pictures."""
    if not finished:
        return "Interrupted before a picture was finished."
    return f"Interrupted after {len(finished)} of {total} pictures: " + ", ".join(
        map(str, finished)
    )


async def _show(
    terminal: Terminal,
    params: Params,
    given: Settings,
    files: Mapping[str, Path],
    finished: list[Path],
) -> int:
    """Run the job and show its progress; print its paths and add them to `finished`."""
    with Bar(terminal, "Pictures") as bar:
        async with aclosing(generate(params, replace(given, previews=False), files)) as events:
            async for event in events:
                match event:
                    case Started() | Output():
                        bar.show(0.0, "loading the model")
                    case Preview():
                        pass
                    case Progress(index=index, fraction=fraction):
                        done = (index - 1 + fraction) / params.total_images
                        bar.show(done, f"{index}/{params.total_images}")
                    case ImageReady(path=path, flagged=flagged):
                        finished.append(path)
                        bar.print(f"{path}\n")
                        if flagged:
                            text = f"The safety checker replaced the image of {path.name}."
                            terminal.complain(LogLine.of(Level.WARNING, text))
                    case Finished(failure=failure):
                        if failure:
                            raise UsageError(failure.local_message)
                        return 0
                    case _:
                        assert_never(event)
    raise RuntimeError("The engine ended without a result")
