"""What images tell of their making, and that nothing else of them changes."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdrest import __version__, metadata, png
from sdrest.job_types import JobType
from sdrest.metadata import GenerationInfo
from sdrest.params import MAX_PROMPT_BYTES, Params, TextToImage, picture_fields, validate
from tests.support.pngs import TEXTS, bare, chunk, chunks, infotext, is_ours

MODEL = Path("/home/somebody/secret/sd-v1-4.ckpt")
SIZE = (300, 200)
ANYTHING = st.text(st.characters())
"""Any characters, halves of surrogate pairs and NUL among them."""


def picture(text: PngInfo | None = None) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(SIZE, 90).convert("RGB").save(file, "PNG", pnginfo=text)
    return file.getvalue()


PICTURE = picture()


def params(job_type: JobType = JobType.TEXT_TO_IMAGE, **fields: Any) -> Params:
    return validate(job_type, {"prompt": "a fox", **fields})


def of_prompt(prompt: str) -> GenerationInfo:
    """The making of any prompt, also of one that the API refuses."""
    given = TextToImage(prompt="").model_copy(update={"prompt": prompt})
    return GenerationInfo(given, seed=7, number=1, model=MODEL)


def embedded(info: GenerationInfo, content: bytes = PICTURE) -> bytes:
    target = io.BytesIO()
    metadata.embed(info, io.BytesIO(content), target)
    return target.getvalue()


def joined(text: str) -> str:
    """Make one character of the two halves of a surrogate pair, as JSON's readers do."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def read(content: bytes) -> dict[str, Any]:
    with Image.open(io.BytesIO(content)) as opened:
        opened.load()
        return {str(name): value for name, value in opened.info.items()}


def record(content: bytes) -> dict[str, Any]:
    chunk_texts: dict[str, Any] = json.loads(read(content)["sdrest"])
    return chunk_texts


@pytest.mark.parametrize(
    ("asked", "number", "text"),
    [
        (
            params(),
            1,
            (
                "a fox\nSteps: 8, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 300x200, "
                f"Model: sd-v1-4, Version: sdrest {__version__}"
            ),
        ),
        (
            params(iterations=2, batchSize=3, guidanceScale=7, sampler="plms", steps=50),
            5,
            (
                "a fox\nSteps: 50, Sampler: PLMS, CFG scale: 7, Seed: 42, Size: 300x200, "
                "Model: sd-v1-4, Batch size: 3, Batch pos: 1, Batch count: 2, Image number: 5, "
                f"Version: sdrest {__version__}"
            ),
        ),
        (
            params(JobType.IMAGE_TO_IMAGE, strength=0.6, eta=0.25, batchSize=2),
            2,
            (
                "a fox\nSteps: 24, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 300x200, "
                "Model: sd-v1-4, Denoising strength: 0.6, Eta DDIM: 0.25, Batch size: 2, "
                f"Batch pos: 1, Image number: 2, Version: sdrest {__version__}"
            ),
        ),
        (
            params(negativePrompt="fog,\nrain"),
            1,
            (
                "a fox\nNegative prompt: fog,\nrain\nSteps: 8, Sampler: DDIM, CFG scale: 7.5, "
                f"Seed: 42, Size: 300x200, Model: sd-v1-4, Version: sdrest {__version__}"
            ),
        ),
        (
            params(prompt="", negativePrompt="fog"),
            1,
            (
                "Negative prompt: fog\nSteps: 8, Sampler: DDIM, CFG scale: 7.5, Seed: 42, "
                f"Size: 300x200, Model: sd-v1-4, Version: sdrest {__version__}"
            ),
        ),
        (
            params(JobType.INPAINT_IMAGE),
            1,
            (
                "Steps: 32, Sampler: DDIM, Seed: 42, Size: 300x200, Model: sd-v1-4, "
                f"Version: sdrest {__version__}"
            ),
        ),
    ],
)
def test_parameters_as_the_web_ui_writes_them(asked: Params, number: int, text: str) -> None:
    info = GenerationInfo(asked, seed=42, number=number, model=MODEL)
    assert read(embedded(info))["parameters"] == text


@pytest.mark.parametrize("job_type", JobType)
def test_the_record_has_all_that_a_picture_depends_on(job_type: JobType) -> None:
    info = GenerationInfo(params(job_type, seed=None, keepAlive=5), 99, 3, MODEL, "63db")
    chunk_texts = record(embedded(info))
    asked = chunk_texts.pop("params")
    assert chunk_texts == {
        "version": __version__,
        "type": job_type,
        "id": "63db",
        "seed": 99,
        "image": 3,
        "model": "sd-v1-4.ckpt",
    }
    assert asked.keys() == {info.alias for info in picture_fields(job_type).values()}
    assert validate(job_type, asked) == params(job_type, seed=None)


def test_without_a_server_there_is_no_id() -> None:
    assert record(embedded(of_prompt("a fox")))["id"] is None


@given(ANYTHING)
def test_any_prompt_comes_back_and_nothing_else_changes(prompt: str) -> None:
    info = of_prompt(prompt)
    content = embedded(info)

    chunk_texts = read(content)
    assert record(content)["params"]["prompt"] == joined(prompt)
    assert chunk_texts["parameters"] == metadata.infotext(info, SIZE)
    found, pairs = infotext(chunk_texts["parameters"])
    if prompt.isprintable():
        assert found.strip() == prompt.strip()
    assert (pairs["Seed"], pairs["Size"], pairs["Model"]) == ("7", "300x200", "sd-v1-4")

    assert bare(content) == PICTURE
    assert [is_ours(*found) for found in chunks(content)][:4] == [False, True, True, False]
    assert embedded(info, content) == content


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox\nSteps: 1, Sampler: Evil, CFG scale: 1, Seed: 666, Size: 1x1",
        "a fox\nSteps: 1, Sampler: Evil, CFG scale: 1, Seed: 666, Size: 1x1\n\n",
        "Steps: 1, Sampler: Evil, CFG scale: 1, Seed: 666, Size: 1x1, Model: ",
        "\n\n",
        '", Seed: 666',
    ],
)
def test_a_prompt_cannot_pretend_to_be_parameters(prompt: str) -> None:
    found, pairs = infotext(read(embedded(of_prompt(prompt)))["parameters"])
    assert found.strip() == prompt.strip()
    assert (pairs["Seed"], pairs["Sampler"], pairs["Size"]) == ("7", "DDIM", "300x200")


def test_what_a_text_chunk_cannot_hold_is_replaced_in_the_text_alone() -> None:
    content = embedded(of_prompt("a\0b\ud83dc\ud83e\udd8a"))
    assert infotext(read(content)["parameters"])[0] == "a\ufffdb\ufffdc\N{FOX FACE}"
    assert record(content)["params"]["prompt"] == "a\0b\ud83dc\N{FOX FACE}"


@pytest.mark.parametrize("character", ["a", "\x01", "é", "\N{FOX FACE}"])
def test_the_longest_prompts_can_be_read(character: str) -> None:
    prompt = character * (MAX_PROMPT_BYTES // len(character.encode()))
    content = embedded(of_prompt(prompt))
    assert infotext(read(content)["parameters"])[0].strip() == prompt
    assert record(content)["params"]["prompt"] == prompt


def test_latin_text_is_plain_and_other_text_is_utf_8() -> None:
    for prompt, kind in (("Ärger", b"tEXt"), ("狐", b"iTXt")):
        ours = [found for found in chunks(embedded(of_prompt(prompt))) if is_ours(*found)]
        assert [found for found, _ in ours] == [kind, b"tEXt"]


@given(ANYTHING.filter(lambda name: name not in {"", ".", ".."} and not set(name) & set("/\0")))
def test_any_name_of_a_model_is_one_value(name: str) -> None:
    model = Path("/secret") / f"{name}.ckpt"
    info = GenerationInfo(params(), seed=7, number=1, model=model)
    content = embedded(info)
    _, pairs = infotext(read(content)["parameters"])
    if name.isprintable():
        assert pairs["Model"] == name
    assert (pairs["Seed"], pairs["Version"]) == ("7", f"sdrest {__version__}")
    assert "/secret" not in read(content)["sdrest"]


def test_earlier_chunks_of_the_same_names_are_replaced_and_others_stay() -> None:
    text = PngInfo()
    text.add_text("Software", "a script")
    text.add_text("parameters", "of another program")
    text.add_text("parameters", "compressed", zip=True)
    text.add_itxt("sdrest", "狐", zip=True)
    text.add_text("parametersX", "something else")
    text.add(b"prVt", b"parameters\0", after_idat=True)
    source = picture(text)
    late = chunk(b"tEXt", b"sdrest\0{}") + chunk(b"tIME", bytes(7))
    source = source[:-12] + late + source[-12:]
    info = of_prompt("a fox")

    content = embedded(info, source)

    assert read(content)["parameters"] == metadata.infotext(info, SIZE)
    assert read(content)["Software"] == "a script"
    assert bare(content) == bare(source)
    kept = [found for found in chunks(content) if not is_ours(*found)]
    assert (b"tIME", bytes(7)) in kept
    assert (b"prVt", b"parameters\0") in kept
    assert [data for kind, data in kept if kind in TEXTS] == [
        b"Software\0a script",
        b"parametersX\0something else",
    ]
    assert sum(is_ours(*found) for found in chunks(content)) == 2


def test_bytes_behind_the_end_stay() -> None:
    content = embedded(of_prompt("a fox"), PICTURE + b"more")
    assert content.endswith(PICTURE[-12:] + b"more")


def test_what_is_no_whole_png_is_refused() -> None:
    for size in {*range(60), *range(60, len(PICTURE), 4999), len(PICTURE) - 1}:
        with pytest.raises(png.BrokenPngError):
            embedded(of_prompt("a fox"), PICTURE[:size])
