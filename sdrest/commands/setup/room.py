"""Log lines about what a set-up needs, and whether the disks have room for it."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sdrest.commands.bar import size
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.setup.step import Footprint
from sdrest.commands.sizes import Size


def takes_text(footprint: Footprint) -> str:
    """Return what a step needs, as the end of its line; empty if it needs almost nothing."""
    if footprint.size is None:
        return " (size unknown)"
    if footprint.size.download:
        return f" ({size(footprint.size.download)})"
    return f" ({size(footprint.size.disk)} on the disk)" if footprint.size.disk else ""


def room_lines(footprints: Sequence[Footprint]) -> Iterator[LogLine]:
    """Yield what all steps need together, and how much is needed and free on each disk."""
    if not footprints:
        return
    sizes = [footprint.size for footprint in footprints]
    least = "at least " if None in sizes else ""
    download = sum(one.download for one in sizes if one)
    yield LogLine.of(Level.INFO, f"Downloads: {least}{size(download)} in all.")
    for folder, needed in _needs_by_disk(footprints).items():
        free = shutil.disk_usage(folder).free
        enough = needed <= free
        text = f"{folder}: {least}{size(needed)} are needed, {size(free)} are free."
        remedy = "" if enough else " Make room, or choose other folders."
        yield LogLine.of(Level.INFO if enough else Level.WARNING, text + remedy)


def _needs_by_disk(footprints: Sequence[Footprint]) -> dict[Path, int]:
    """Return how many bytes each disk must have free, by its first folder."""
    folders: dict[int, Path] = {}
    sums: dict[int, Size] = {}
    for footprint in footprints:
        folder = next(
            path for path in (footprint.folder, *footprint.folder.parents) if path.is_dir()
        )
        disk = folder.stat().st_dev
        folders.setdefault(disk, folder)
        sums[disk] = sums.get(disk, Size()) + (footprint.size or Size())
    return {folders[disk]: total.disk + total.passing for disk, total in sums.items()}
