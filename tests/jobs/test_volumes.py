"""Output folders on volumes of their own and of other kinds: each job type completes on them."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.every_job import FLAGS, TYPES, all_complete, completes, generated, tidy
from tests.support.filesystems import formatted, mounted
from tests.support.server import Serve

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "volumes",
    [
        TYPES,
        (".sdrest",),
        (".sdrest/spool", "text-to-image"),
        (".sdrest/inputs", "image-to-image"),
        (".sdrest/work", "inpaint-image"),
        (*TYPES, ".sdrest/spool", ".sdrest/inputs"),
    ],
    ids=" ".join,
)
async def test_folders_on_their_own_volumes_take_images(
    serve: Serve, tmp_path: Path, volumes: tuple[str, ...]
) -> None:
    output = tmp_path / "output"
    with ExitStack() as stack:
        for name in volumes:
            stack.enter_context(mounted(output / name, "mount", "-t", "tmpfs", "tmpfs"))
        async with serve(*FLAGS, warns=True) as server:
            await all_complete(server)
        tidy(output)


async def test_a_bind_mount_of_the_same_file_system_takes_images(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    images = tmp_path / "output" / "inpaint-image"
    with mounted(images, "mount", "--bind", str(tmp_path / "elsewhere")):
        async with serve(*FLAGS, warns=True) as server:
            await completes(server, "inpaint-image")
        assert list((tmp_path / "elsewhere").glob("*/1.png"))
    tidy(tmp_path / "output")


@pytest.mark.parametrize(
    ("make", "mount"),
    [
        (("mkfs.vfat",), ("mount", "-t", "vfat")),
        (("mkfs.exfat",), ("mount", "-t", "exfat")),
        (("mkfs.exfat",), ("mount.exfat-fuse",)),
        (("mkfs.ext4", "-q"), ("mount", "-t", "ext4")),
    ],
    ids=["vfat", "exfat", "exfat-fuse", "ext4"],
)
async def test_an_output_folder_on_a_disk_without_links_takes_every_job(
    serve: Serve, tmp_path: Path, make: tuple[str, ...], mount: tuple[str, ...]
) -> None:
    output = tmp_path / "output"
    with (
        formatted(tmp_path / "disk", *make) as device,
        mounted(output, *mount, device),
    ):
        async with serve(*FLAGS, warns=True) as server:
            await all_complete(server)
        tidy(output)
        for number in (1, 2):
            assert generated(output / "generated", number).read_bytes()
