"""Bodies of every encoding and of every kind of malice, over real sockets."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.web.dialects.original_ids import job_id
from tests.support.bodies import SERVER, multipart, part, post, text
from tests.support.forms import form, png
from tests.support.paths import DATA
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


CASES = DATA / "cases"


Colour = tuple[int, int, int, int]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, max_upload=1, max_pixels=256 * 256) as site:
        yield site
        assert site.spooled() == [], "nothing of a request is left in the spool"


async def test_three_encodings_are_one_job(site: Served) -> None:
    fields = {"prompt": "paint", "iterations": "2", "a[b]": "1", "c[]": "2"}
    nested = {"prompt": "paint", "iterations": "2", "a": {"b": "1"}, "c": ["2"]}
    place = f"/text-to-image/{job_id(nested, SERVER)}"

    assert await post(site, data=form(fields)) == (302, place)
    assert await post(site, data=fields) == (302, place)
    assert await post(site, json=nested) == (302, place)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/text-to-image/", "/text-to-image/"),
        ("/text-to-image?prompt=other", "/text-to-image/"),
        ("/Text-to-Image", "/Text-to-Image/"),
    ],
)
async def test_spellings_of_the_route(site: Served, path: str, place: str) -> None:
    id_ = job_id({"prompt": "paint"}, SERVER)

    assert await post(site, path, data={"prompt": "paint"}) == (302, place + id_)


async def test_a_picture_is_a_job_named_by_its_content(site: Served) -> None:
    values = {"imageFilePath": hashlib.sha256(png()).hexdigest(), **SERVER}
    place = f"/image-to-image/{job_id({'prompt': 'paint'}, values)}"

    url = await site.job("/image-to-image", data=form({"prompt": "paint"}, image=png()))
    again = await post(site, "/image-to-image", data=form({"prompt": "paint"}, image=png()))

    assert url == place
    assert again == (302, place)
    async with site.client.get(url) as response:
        assert (await response.json())["status"] == "COMPLETE"


@pytest.mark.parametrize("size", [(64, 64), (32, 32)])
async def test_image_to_image_takes_a_mask(site: Served, size: tuple[int, int]) -> None:
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    digests = {"imageFilePath": png(), "maskFilePath": buffer.getvalue()}
    values = {name: hashlib.sha256(content).hexdigest() for name, content in digests.items()}

    body = form({"prompt": "paint"}, mask=buffer.getvalue(), image=png())
    url = await site.job("/image-to-image", data=body)
    plain = await site.job("/image-to-image", data=form({"prompt": "paint"}, image=png()))

    assert url == f"/image-to-image/{job_id({'prompt': 'paint'}, values | SERVER)}"
    assert plain != url
    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    assert painted.size == (64, 64)
    assert painted.getpixel((3, 3)) != (0, 0, 128)
    assert painted.crop((32, 0, 64, 64)).getcolors() == [(32 * 64, (0, 0, 128))]


@pytest.mark.parametrize(
    ("fields", "mask", "message"),
    [
        ({"prompt": "paint"}, png(colour="black"), "Has nothing to repaint."),
        ({"prompt": "paint"}, b"no picture", "Is not a PNG"),
        ({"prompt": "paint", "mask": "./mask.png"}, None, "Should be a file in a multipart form."),
    ],
)
async def test_a_mask_that_cannot_be_used_is_422(
    site: Served, fields: dict[str, str], mask: bytes | None, message: str
) -> None:
    files = {"image": png()} | ({"mask": mask} if mask else {})

    status, error = await post(site, "/image-to-image", data=form(fields, **files))

    assert (status, error["code"]) == (422, "invalid_request")
    (wrong,) = error["details"]["fields"]
    assert wrong["field"] == "mask"
    assert wrong["message"].startswith(message)


async def test_inpainting_takes_two_pictures(site: Served) -> None:
    url = await site.job("/inpaint-image", data=form({}, mask=png(colour="white"), image=png()))

    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    assert painted.size == (64, 64)
    assert painted.getpixel((3, 3)) == (255, 0, 0)


def square(ground: Colour, ink: Colour) -> bytes:
    """A mask of 64 pixels a side, with a square in its middle."""
    picture = Image.new("RGBA", (64, 64), ground)
    picture.paste(ink, (16, 16, 48, 48))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["gama-short", "iccp-garbage", "text-bad-crc"])
async def test_a_png_with_damaged_metadata_is_a_job(site: Served, name: str) -> None:
    content = (CASES / f"kind-{name}.png").read_bytes()

    url = await site.job("/image-to-image", data=form({"prompt": "paint"}, image=content))

    async with site.client.get(url) as response:
        assert (await response.json())["status"] == "COMPLETE"


@pytest.mark.parametrize(
    ("name", "colour"),
    [("p3", (217, 42, 52)), ("gamma1", (229, 133, 133)), ("untagged", (200, 60, 60))],
)
async def test_colours_outside_a_mask_come_back_as_srgb(
    site: Served, name: str, colour: tuple[int, int, int]
) -> None:
    image, mask = ((CASES / f"{file}.png").read_bytes() for file in (name, "mask"))

    url = await site.job("/inpaint-image", data=form({}, image=image, mask=mask))

    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    found = painted.getpixel((2, 2))
    assert isinstance(found, tuple)
    assert max(abs(one - other) for one, other in zip(found, colour, strict=True)) <= 1
    assert painted.info.get("icc_profile") is None


@pytest.mark.parametrize(
    ("ground", "ink"),
    [
        ((0, 0, 0, 255), (255, 255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 255, 255)),
        ((0, 0, 0, 0), (255, 0, 0, 128)),
        ((90, 120, 90, 255), (0, 0, 0, 0)),
    ],
    ids=["white on black", "blue on black", "red on clear", "hole"],
)
async def test_what_a_mask_means_is_repainted(site: Served, ground: Colour, ink: Colour) -> None:
    body = form({}, image=png(), mask=square(ground, ink))

    url = await site.job("/inpaint-image", data=body)

    async with site.client.get(f"{url}/1.png") as response:
        painted = Image.open(io.BytesIO(await response.read()))
    assert painted.getpixel((32, 32)) == (255, 0, 0)
    assert painted.getpixel((3, 3)) == (0, 0, 128)


@pytest.mark.parametrize("colour", ["black", "clear", "#646464"])
async def test_a_mask_that_repaints_nothing_is_422(site: Served, colour: str) -> None:
    clear = square((0, 0, 0, 0), (0, 0, 0, 0))
    mask = clear if colour == "clear" else png(colour=colour)
    body = form({}, image=png(), mask=mask)

    status, error = await post(site, "/inpaint-image", data=body)

    assert (status, error["code"]) == (422, "invalid_request")
    (wrong,) = error["details"]["fields"]
    assert wrong["field"] == "mask"
    assert wrong["message"].startswith("Has nothing to repaint. White parts of a mask")


@pytest.mark.parametrize("path", ["/image-to-image", "/inpaint-image"])
@pytest.mark.parametrize("encoding", ["json", "urlencoded", "multipart"])
async def test_a_missing_upload_is_reported_with_all_other_errors(
    site: Served, path: str, encoding: str
) -> None:
    fields = {"steps": "0", "seed": "-2"}
    bodies: dict[str, dict[str, Any]] = {
        "json": {"json": fields},
        "urlencoded": {"data": fields},
        "multipart": {"data": form(fields)},
    }

    status, error = await post(site, path, **bodies[encoding])

    assert (status, error["code"]) == (422, "invalid_request")
    named = {item["field"] for item in error["details"]["fields"]}
    assert {"image", "steps", "seed"} <= named
    assert ("mask" in named) == (path == "/inpaint-image")


async def test_wrong_uploads_are_reported_with_all_other_errors(site: Served) -> None:
    body = form({"steps": "0"}, image=png()[:50], mask=png((300, 300)))

    status, error = await post(site, "/inpaint-image", data=body)

    assert status == 422
    named = [item["field"] for item in error["details"]["fields"]]
    assert sorted(named) == ["image", "mask", "steps"]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (form({"prompt": "x"}, image=png()), "image"),
        (form({"prompt": "x"}, picture=png()), "picture"),
    ],
)
async def test_an_unknown_upload_field_is_refused(
    site: Served, parts: aiohttp.FormData, field: str
) -> None:
    status, error = await post(site, data=parts)

    assert status == 422
    assert [item["field"] for item in error["details"]["fields"]] == [field]


async def test_a_second_picture_is_refused(site: Served) -> None:
    body = form({"prompt": "x"}, image=png())
    body.add_field("image", png(colour="red"), filename="b.png")

    status, error = await post(site, "/image-to-image", data=body)

    assert status == 422
    assert error["details"]["fields"] == [{"field": "image", "message": "Should come once only."}]


async def test_an_upload_needs_no_filename(site: Served) -> None:
    """Some clients tell the type of a part alone."""
    content = png()
    head = 'Content-Disposition: form-data; name="image"'
    typed = part(f"{head}\r\nContent-Type: image/png", content) + text("prompt") + b"--B--"
    status, location = await multipart(site, typed, "/image-to-image")
    assert status == 302, location
    named = part(f'{head}; filename="a.png"', content) + text("prompt") + b"--B--"
    assert await multipart(site, named, "/image-to-image") == (302, location)


async def test_an_empty_file_input_is_no_file(site: Served) -> None:
    head = 'Content-Disposition: form-data; name="image"; filename=""\r\n'
    empty = part(head + "Content-Type: application/octet-stream")

    status, place = await multipart(site, text("prompt", "paint") + empty + b"--B--\r\n")

    assert (status, place) == (302, f"/text-to-image/{job_id({'prompt': 'paint'}, SERVER)}")
