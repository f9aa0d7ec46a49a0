"""Pictures of a request: kept until its job is complete, decoded once."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PIL import Image

from sdrest.engine.base import Event, Finished, ImageReady, Task
from sdrest.errors import (
    ConflictError,
    Failure,
    FailureCode,
    StorageUnavailableError,
)
from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey
from sdrest.params import ImageToImage, InpaintImage
from tests.support.jobs import (
    ScriptedExecutor,
    Submission,
    house,
    picture,
    text_key,
    upload,
    value_of,
)

pytestmark = pytest.mark.integration


async def test_identical_uploads_at_once_make_one_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        first = home.inpaint()
        await asyncio.gather(*(home.submit(first) for _ in range(9)))
        assert await home.waiting() == 1
        assert list(home.folders.spool.iterdir()) == []
        assert value_of(home.folders.inputs(first.key) / "mask.png") == 255
        gate.opened.set()
        await home.ended(first.key)


async def test_pictures_stay_until_the_job_is_complete(tmp_path: Path) -> None:
    seen: list[tuple[object, object]] = []

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        assert task.image is not None
        assert task.mask is not None
        seen.append((value_of(task.image), value_of(task.mask)))
        yield picture(task, 1)
        yield Finished()

    async with house(tmp_path, ScriptedExecutor(script)) as home:
        submission = home.inpaint()
        await home.submit(submission)
        assert list(home.folders.spool.iterdir()) == []
        await home.ended(submission.key)
        assert seen == [(128, 255)]
        assert list(home.folders.all_inputs.iterdir()) == []


def masked(folder: Path, name: str = "masked") -> Submission:
    """Return a submission of image to image with a mask."""
    key = JobKey(JobType.IMAGE_TO_IMAGE, text_key(name).id)
    files = {"image": upload(folder / "image"), "mask": upload(folder / "mask", 255)}
    return Submission(key, ImageToImage(prompt="masked"), files)


async def test_a_mask_of_image_to_image_stays_with_its_job_over_failure_and_restart(
    tmp_path: Path,
) -> None:
    seen: list[object] = []

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        if task.image:
            seen.append(task.mask and value_of(task.mask))
        if len(seen) == 1:
            yield Finished(Failure(FailureCode.SCRIPT_FAILED, "no"))
            return
        yield picture(task, 1)
        yield Finished()

    async with house(tmp_path / "out", ScriptedExecutor(script)) as home:
        submission = masked(home.uploads)
        await home.submit(submission)
        job = (await home.ended(submission.key)).snapshot.job
        assert job.params["mask"] is True
        await home.occupy()
        await home.jobs.retry(submission.key)
    async with house(tmp_path / "out", ScriptedExecutor(script)) as home:
        plain = Submission(
            JobKey(JobType.IMAGE_TO_IMAGE, text_key("plain").id),
            ImageToImage(prompt="plain"),
            {"image": upload(home.uploads / "image")},
        )
        await home.submit(plain)
        await home.ended(submission.key)
        job = (await home.ended(plain.key)).snapshot.job
        assert "mask" not in job.params
    assert seen == [255, 255, None]


@pytest.mark.parametrize(
    ("params", "mixed"),
    [
        (InpaintImage(), 0),
        (InpaintImage(feather=9), 9),
        (ImageToImage(prompt="a"), 4),
        (ImageToImage(prompt="a", feather=0), 0),
    ],
)
async def test_the_new_part_fades_into_the_image_within_the_feather(
    tmp_path: Path, params: InpaintImage | ImageToImage, mixed: int
) -> None:
    async def script(task: Task) -> AsyncGenerator[Event, None]:
        path = task.workdir / "white.png"
        Image.new("RGB", (64, 64), "white").save(path)
        yield ImageReady(1, path)
        yield Finished()

    async with house(tmp_path, ScriptedExecutor(script)) as home:
        mask = Image.new("L", (64, 64))
        mask.paste(255, (0, 0, 32, 64))
        mask.save(home.uploads / "mask", format="PNG")
        files = {"image": upload(home.uploads / "image", 0), "mask": home.uploads / "mask"}
        key = JobKey(params.type, text_key("soft").id)
        await home.submit(Submission(key, params, files))
        await home.ended(key)
        with Image.open(home.folders.published(key) / "1.png") as result:
            row = [*result.convert("L").crop((0, 32, 64, 33)).tobytes()]
    assert row[: 32 - mixed] == [255] * (32 - mixed)
    assert all(0 < value < 255 for value in row[32 - mixed : 32])
    assert row[32:] == [0] * 32


async def test_a_mask_that_is_lost_fails_its_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        submission = masked(home.uploads)
        await home.submit(submission)
        (home.folders.inputs(submission.key) / "mask.png").unlink()
        gate.opened.set()
        failure = (await home.ended(submission.key)).snapshot.job.failure
        assert failure is not None
        assert failure.code is FailureCode.STORAGE_FAILED
        with pytest.raises(ConflictError):
            await home.jobs.retry(submission.key)


async def test_pictures_of_a_known_job_are_not_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        submission = home.inpaint()
        await home.submit(submission)
        await home.ended(submission.key)
        await home.submit(home.inpaint())
        assert list(home.folders.all_inputs.iterdir()) == []
        assert list(home.folders.spool.iterdir()) == []


async def test_pictures_that_are_lost_fail_their_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        submission = home.inpaint()
        await home.submit(submission)
        (home.folders.inputs(submission.key) / "mask.png").unlink()
        gate.opened.set()
        failure = (await home.ended(submission.key)).snapshot.job.failure
        assert failure is not None
        assert failure.code is FailureCode.STORAGE_FAILED


async def test_pictures_that_cannot_be_kept_are_no_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        key = JobKey(JobType.IMAGE_TO_IMAGE, text_key("gone").id)
        missing = {"image": home.folders.spool / "missing"}
        with pytest.raises(StorageUnavailableError):
            await home.submit(Submission(key, ImageToImage(prompt="x"), missing))
        assert await home.find(key) is None
