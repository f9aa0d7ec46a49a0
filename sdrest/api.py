"""Pictures without a server: run one job here and yield its events.

    async for event in sdrest.text_to_image("a lighthouse", iterations=3, output="lighthouses"):
        ...

The events are the engine's: `Started`, `Progress`, `Preview` (what an image looks like so far), an
`ImageReady` for each image, with its path in the output folder, and exactly one `Finished`, which
holds a `Failure` if the job failed. Ending the iteration early (`aclose`, or cancelling the task)
ends the script.

Names and meanings of the options are those of the REST API, in Python's spelling; so are their
defaults (see `sdrest.params`). Wrong values raise `InvalidRequestError` at the call, a wrong
picture when the iteration begins.
"""

import asyncio
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from pydantic.alias_generators import to_camel, to_snake

from sdrest import pictures
from sdrest.engine.base import STOP_SECONDS, Event, Finished, ImageReady, Output, Requeue, Task
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.repository import locate
from sdrest.errors import FieldError, InvalidRequestError, UsageError
from sdrest.execution import execute
from sdrest.job_types import JobType, Sampler
from sdrest.jobs.durable import sync_path
from sdrest.parameter_values import draw_seed
from sdrest.params import Params, picture_fields, validate
from sdrest.paths import expand
from sdrest.settings import FLAGS, Flag, Kind, Settings

_StrPath = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """What all jobs share: the server's flags of these names, with the same defaults."""

    output: _StrPath
    repository: _StrPath
    python: _StrPath
    text_to_image_model: _StrPath
    inpaint_image_model: _StrPath
    models: _StrPath
    allow_pickle: bool
    attention: Literal["auto", "exact", "fast"]
    metadata: bool
    previews: bool


class PromptOptions(Options, total=False):
    """What jobs with a prompt share; None, False, -1 and "random" are a random seed."""

    model: str
    negative_prompt: str
    iterations: int
    batch_size: int
    seed: int | Literal["random"] | None
    guidance_scale: float
    eta: float
    steps: int


class TextToImageOptions(PromptOptions, total=False):
    """Options of `text_to_image`; sizes in pixels."""

    height: int
    width: int
    channels: int
    downsampling_factor: int
    sampler: Sampler


class ImageToImageOptions(PromptOptions, total=False):
    """Options of `image_to_image`; `feather`, of a mask, in pixels."""

    feather: int
    strength: float


class InpaintImageOptions(Options, total=False):
    """Options of `inpaint_image`; `feather` in pixels."""

    feather: int
    model: str
    steps: int
    seed: int | Literal["random"] | None


def text_to_image(
    prompt: str, **options: Unpack[TextToImageOptions]
) -> AsyncGenerator[Event, None]:
    """Make pictures of a prompt."""
    return _start(JobType.TEXT_TO_IMAGE, {"prompt": prompt, **options}, {})


def image_to_image(
    prompt: str,
    image: _StrPath,
    mask: _StrPath | None = None,
    **options: Unpack[ImageToImageOptions],
) -> AsyncGenerator[Event, None]:
    """Make pictures of a picture (a PNG, JPEG, WebP, GIF or BMP file) and a prompt.

    With a `mask` only its white parts change.
    """
    files = {"image": image} if mask is None else {"image": image, "mask": mask}
    paths = {name: expand(os.fspath(path)) for name, path in files.items()}
    return _start(JobType.IMAGE_TO_IMAGE, {"prompt": prompt, **options}, paths)


def inpaint_image(
    image: _StrPath, mask: _StrPath, **options: Unpack[InpaintImageOptions]
) -> AsyncGenerator[Event, None]:
    """Repaint the white parts of `mask` in `image`."""
    files = {"image": expand(os.fspath(image)), "mask": expand(os.fspath(mask))}
    return _start(JobType.INPAINT_IMAGE, dict(options), files)


async def generate(
    params: Params, settings: Settings, uploads: Mapping[str, Path]
) -> AsyncGenerator[Event, None]:
    """Run one job and yield its events; images get the next free names `N.png` in the output.

    `uploads` are the files that `params.type` needs or may have. Raises `InvalidRequestError` for a
    wrong picture or model, and `UsageError` where the output folder cannot be used.
    """
    await asyncio.to_thread(_check_files, uploads)
    repository = await asyncio.to_thread(locate, settings)
    params = await asyncio.to_thread(repository.models.resolve, params)
    workspace = await asyncio.to_thread(_make_workspace, expand(settings.output))
    output = workspace.parent
    executor = LocalExecutor(repository, attention=settings.attention)
    try:
        if uploads:
            await asyncio.to_thread(
                pictures.prepare, uploads, workspace, max_pixels=settings.max_pixels
            )
        task = _task(with_seed(params), workspace, uploads, previews=settings.previews)
        run = execute(executor, task, folder=workspace, with_metadata=settings.metadata)
        async with aclosing(run) as events:
            async for event in events:
                if isinstance(event, Output):
                    continue
                if isinstance(event, ImageReady):
                    path = await asyncio.to_thread(_publish, event.path, output)
                    yield replace(event, path=path)
                    continue
                if isinstance(event, Finished) and event.requeue is Requeue.IF_STOPPING:
                    await asyncio.sleep(STOP_SECONDS)  # a stop may reach this process, too
                yield event
    finally:
        try:
            await executor.close()
        finally:
            shutil.rmtree(workspace, ignore_errors=True)


def with_seed(params: Params) -> Params:
    """Return the parameters with a number for a seed, a random one where there is none."""
    if params.seed is not None:
        return params
    return params.model_copy(update={"seed": draw_seed()})


def _start(
    job_type: JobType, options: Mapping[str, Any], files: Mapping[str, Path]
) -> AsyncGenerator[Event, None]:
    flags = {name: options[name] for name in Options.__annotations__ if name in options}
    fields = {name: value for name, value in options.items() if name not in flags}
    known = picture_fields(job_type)
    for name in fields:
        if name not in known:
            meant = to_snake(name)
            is_option = meant in known or meant in Options.__annotations__
            hint = f"; did you mean {meant}?" if is_option else ""
            raise TypeError(f"{job_type} has no option {name!r}{hint}")
    params = validate(job_type, {to_camel(name): value for name, value in fields.items()})
    return generate(params, _settings(flags), files)


def _settings(given: Mapping[str, Any]) -> Settings:
    values = {flag.name: _value(flag, given[flag.name]) for flag in FLAGS if flag.name in given}
    return Settings(**values, given=frozenset(values))


def _value(flag: Flag, value: Any) -> Any:
    if flag.kind is Kind.BOOLEAN:
        return bool(value)
    text = os.fsdecode(value)
    if flag.default and not text:
        raise ValueError(f"{flag.name} should not be empty")
    if flag.choices and text not in flag.choices:
        raise ValueError(f"{flag.name} should be one of {', '.join(flag.choices)}")
    return text


def _check_files(uploads: Mapping[str, Path]) -> None:
    """Raise `InvalidRequestError` for a path that is not a readable file."""
    wrong = {name: _problem_of_file(path) for name, path in uploads.items()}
    errors = [FieldError(name, message) for name, message in wrong.items() if message]
    if errors:
        raise InvalidRequestError(errors)


def _problem_of_file(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"There is no file {path}."
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    if stat.S_ISDIR(mode):
        return f"{path} is a folder, not a picture."
    if not stat.S_ISREG(mode):
        return f"{path} is not a regular file, as a picture must be."
    if not os.access(path, os.R_OK):
        return f"{path} cannot be read: {os.strerror(errno.EACCES)}."
    return None


def _make_workspace(output: Path) -> Path:
    """Make a folder in the output, so that images need not be copied from one disk to another."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=".sdrest-", dir=output.absolute()))
        (workspace / "run").mkdir()
    except OSError as error:
        raise UsageError(
            f"Cannot write to the output folder {output}: {error.strerror}."
        ) from error
    return workspace


def _task(params: Params, workspace: Path, uploads: Mapping[str, Path], *, previews: bool) -> Task:
    return Task(
        id="",
        params=params,
        seed=params.seed or 0,
        workdir=workspace / "run",
        image=workspace / pictures.IMAGE_NAME if "image" in uploads else None,
        mask=workspace / pictures.MASK_NAME if "mask" in uploads else None,
        previews=previews,
    )


def _publish(source: Path, output: Path) -> Path:
    """Give a complete image the next free name, also beside other writers; replace nothing."""
    sync_path(source)
    number = 1
    while True:
        target = output / f"{number}.png"
        try:
            _take_name(source, target)
        except FileExistsError:
            number += 1
        else:
            return target


def _take_name(source: Path, target: Path) -> None:
    """Move a file to a name that is free; raises `FileExistsError` where it is not.

    Where the file system has no hard links (exFAT, some network ones), an empty file takes the
    name until the image replaces it.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            source.replace(target)
        except BaseException:
            target.unlink()
            raise
