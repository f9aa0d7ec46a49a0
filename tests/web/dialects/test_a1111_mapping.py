"""Which jobs requests of AUTOMATIC1111's clients become, and their warnings. Pure."""

from typing import Any

import pytest

from sdrest.errors import InvalidRequestError, TooLargeError
from sdrest.job_types import JobType
from sdrest.params import ImageToImage, TextToImage
from sdrest.web.dialects.a1111.fields import Img2Img, Txt2Img, read
from sdrest.web.dialects.a1111.mapping import Plan, plan

WEBUIAPI = {
    "enable_hr": False,
    "hr_upscaler": "Latent",
    "denoising_strength": 0.7,
    "styles": [],
    "seed": -1,
    "subseed": -1,
    "subseed_strength": 0.0,
    "eta": 1.0,
    "sampler_name": "Euler a",
    "sampler_index": "Euler a",
    "scheduler": "automatic",
    "script_name": None,
    "script_args": [],
    "alwayson_scripts": {"ControlNet": {"args": [{"enabled": False, "image": "x"}]}},
}
"""What webuiapi sends with every request."""


def planned(**fields: Any) -> Plan:
    return plan(read(Txt2Img, {"prompt": "a fox", **fields}))


def text_to_image(**fields: Any) -> TextToImage:
    params = planned(**fields).params(0)
    assert isinstance(params, TextToImage)
    return params


def test_defaults_are_those_of_the_web_ui() -> None:
    params = text_to_image()
    assert (params.steps, params.guidance_scale, params.width, params.height) == (50, 7, 512, 512)
    assert planned().warnings == ()
    image = plan(read(Img2Img, {"init_images": ["x"]})).params(0)
    assert isinstance(image, ImageToImage)
    assert (image.strength, image.steps) == (0.75, 50)


def test_values_are_read_loosely() -> None:
    params = text_to_image(
        seed="7", steps=8.0, cfg_scale="7.5", width="512", height=None, styles=[""], unknown={}
    )
    assert (params.seed, params.steps, params.guidance_scale, params.height) == (7, 8, 7.5, 512)


def test_each_picture_has_its_own_seed() -> None:
    made = planned(seed=5, batch_size=2, n_iter=3)
    assert [made.params(number).seed for number in range(made.count)] == [5, 6, 7, 8, 9, 10]
    assert {made.params(number).total_images for number in range(made.count)} == {1}
    last = planned(seed=2**32 - 2, batch_size=2).params(1).seed
    assert last == 2**32 - 1


def test_a_random_seed_is_another_one_each_time() -> None:
    assert len({planned(seed=-1).seed for _ in range(9)}) > 1
    assert planned(n_iter=100).seed + 99 < 2**32


def test_a_size_is_cut_from_the_next_multiples_of_64() -> None:
    made = planned(width=912, height=510)
    assert (made.size, made.job_size) == ((912, 510), (960, 512))


@pytest.mark.parametrize(
    ("fields", "sampler", "warned"),
    [
        ({"sampler_name": "DDIM"}, "ddim", False),
        ({"sampler_index": "plms"}, "plms", False),
        ({"sampler_name": "PLMS", "sampler_index": "Euler"}, "plms", False),
        ({"sampler_name": "DPM++ 2M Karras"}, "ddim", True),
        ({"sampler_name": ""}, "ddim", False),
    ],
)
def test_samplers(fields: dict[str, str], *, sampler: str, warned: bool) -> None:
    assert text_to_image(**fields).sampler == sampler
    assert bool(planned(**fields).warnings) is warned


def test_eta_counts_with_ddim_only() -> None:
    assert text_to_image(**WEBUIAPI).eta == 0
    assert text_to_image(eta=0.5, sampler_name="DDIM").eta == 0.5
    assert text_to_image(eta=1, sampler_name="PLMS").eta == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"steps": 9}, "9 steps do not work with this model; 10 ran."),
        ({"prompt": "a fox <lora:fur:0.8>"}, "left out of the prompt"),
        ({"styles": ["oil"]}, "styles was ignored."),
        ({"subseed_strength": 0.1}, "subseed was ignored."),
        ({"scheduler": "Karras"}, "scheduler was ignored."),
        ({"restore_faces": True}, "restore_faces was ignored."),
        ({"tiling": True}, "tiling was ignored."),
        ({"refiner_checkpoint": "xl"}, "refiner_checkpoint was ignored."),
        ({"override_settings": {"CLIP_stop_at_last_layers": 2}}, "CLIP_stop_at_last_layers was"),
        ({"override_settings": {"sd_vae": "ft-mse"}}, "sd_vae was ignored."),
    ],
)
def test_what_is_different_is_a_warning(fields: dict[str, Any], sentence: str) -> None:
    (warning,) = planned(**fields).warnings
    assert sentence in warning


def test_values_that_mean_the_default_give_no_warning() -> None:
    settings = {"CLIP_stop_at_last_layers": 1.0, "sd_vae": "Automatic", "sd_hypernetwork": "None"}
    made = planned(styles=["None", ""], scheduler="Automatic", override_settings=settings)
    assert made.warnings == ()


def test_extra_networks_are_no_words_of_the_prompt() -> None:
    params = text_to_image(
        prompt="a fox <lora:fur:0.8>, (red:1.2)", negative_prompt="<lora:x:1>fog"
    )
    assert (params.prompt, params.negative_prompt) == ("a fox , (red:1.2)", "fog")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"enable_hr": True}, "enable_hr"),
        ({"batch_size": 11, "n_iter": 10}, "n_iter"),
        ({"seed": 2**32}, "seed"),
        ({"seed": 2**32 - 1, "n_iter": 2}, "seed"),
        ({"steps": 1001}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"width": 192, "height": 200}, "height"),
        ({"width": 5000}, "width"),
        ({"cfg_scale": 1e9}, "cfg_scale"),
        ({"eta": 2, "sampler_name": "DDIM"}, "eta"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"script_name": "X/Y/Z plot"}, "script_name"),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"image": "x"}]}}}, "alwayson_scripts"),
        ({"alwayson_scripts": {"ADetailer": {"args": [True, {"a": "x"}]}}}, "alwayson_scripts"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        planned(**fields).params(0)
    assert [error.field for error in caught.value.fields] == [wrong]


@pytest.mark.parametrize(
    "script",
    [
        {"args": []},
        {"args": [{"enabled": False, "model": "canny"}]},
        {"args": [False, True, {"ad_model": "None"}]},
        [],
        {},
        None,
    ],
)
def test_scripts_that_are_off_are_no_reason_to_refuse(script: Any) -> None:
    assert planned(alwayson_scripts={"ControlNet": script}).warnings == ()


def test_a_long_prompt_is_refused_with_its_limit() -> None:
    with pytest.raises(TooLargeError, match="negative_prompt"):
        read(Txt2Img, {"negative_prompt": "x" * 100_001})


def test_several_pictures_are_one_batch() -> None:
    made = plan(read(Img2Img, {"init_images": ["x", "y", "z"], "batch_size": 1, "n_iter": 2}))
    assert (made.type, made.count, made.per_batch) == (JobType.IMAGE_TO_IMAGE, 6, 3)
    with pytest.raises(InvalidRequestError, match="n_iter: At most 100 pictures"):
        plan(read(Img2Img, {"init_images": ["x", "y", "z"], "n_iter": 34}))


def test_a_chosen_model_is_a_parameter_of_the_jobs() -> None:
    assert plan(read(Txt2Img, {}), model="dreamlike").fields["model"] == "dreamlike"
