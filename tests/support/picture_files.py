"""What the tests of picture files share."""

from pathlib import Path

import pytest
from PIL import Image

from sdrest.errors import InvalidRequestError
from sdrest.pictures import prepare

COLOUR = (200, 40, 40)


def prepared(folder: Path, content: bytes) -> Image.Image:
    (folder / "upload").write_bytes(content)
    prepare({"image": folder / "upload"}, folder, max_pixels=1 << 24)
    with Image.open(folder / "image.png") as picture:
        picture.load()
        return picture


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(InvalidRequestError) as raised:
        prepared(folder, content)
    return raised.value.fields[0].message
