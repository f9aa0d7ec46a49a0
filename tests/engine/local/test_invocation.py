import argparse
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sdrest.engine.base import Task
from sdrest.engine.local.invocation import environment, plan, usable_strength
from sdrest.engine.local.repository import Repository
from sdrest.job_types import JobType
from sdrest.params import validate
from sdrest.sampling_steps import is_usable, sampled_steps

ROOT = Path("/srv/fork")
WORK = Path("/srv/out [1]/.sdrest/work/job")
REPOSITORY = Repository(
    root=ROOT,
    python=ROOT / "venv/bin/python",
    text_to_image_model=Path("/models/t.ckpt"),
    inpaint_image_model=Path("/models/i.ckpt"),
)

OWN = dataclasses.replace(REPOSITORY, bundled=True)


def task(
    job_type: JobType, *, image: Path | None = None, mask: Path | None = None, **fields: Any
) -> Task:
    params = validate(job_type, {"prompt": "p", **fields})
    return Task("job", params, seed=7, workdir=WORK, image=image, mask=mask)


def test_text_to_image() -> None:
    asked = task(
        JobType.TEXT_TO_IMAGE,
        prompt="-x 'a'\n$(b)",
        iterations=2,
        batchSize=3,
        guidanceScale=-0.5,
    )
    planned = plan(asked, REPOSITORY)
    assert planned.script == ROOT / "scripts/txt2img.py"
    assert planned.arguments == (
        "--prompt=-x 'a'\n$(b)",
        "--n_iter=2",
        "--n_samples=3",
        "--seed=7",
        "--scale=-0.5",
        "--ddim_eta=0.0",
        "--ddim_steps=8",
        "--H=512",
        "--W=512",
        "--C=4",
        "--f=8",
        "--ckpt=/models/t.ckpt",
        f"--outdir={WORK}/output",
        "--skip_grid",
    )
    assert planned.cwd == ROOT
    assert [path.relative_to(WORK / "output") for path in planned.images] == [
        Path(f"samples/0000{n}.png") for n in range(6)
    ]
    assert (planned.batches, planned.batch_size, planned.outer_bar) == (2, 3, "Sampling")
    assert planned.takes_precision
    assert (planned.seed, planned.inputs) == (None, None)


def test_plms() -> None:
    arguments = plan(task(JobType.TEXT_TO_IMAGE, sampler="plms"), REPOSITORY).arguments
    assert "--plms" in arguments
    assert not any("sampler" in argument for argument in arguments)


def test_image_to_image() -> None:
    planned = plan(task(JobType.IMAGE_TO_IMAGE, image=Path("/in.png")), REPOSITORY)
    assert planned.script == ROOT / "scripts/img2img.py"
    assert f"--init-img={WORK}/inputs/image.png" in planned.arguments
    assert {"--strength=0.75", "--ddim_steps=24", "--n_samples=1"} < set(planned.arguments)
    assert planned.inputs == WORK / "inputs"


@pytest.mark.parametrize("job_type", [JobType.TEXT_TO_IMAGE, JobType.IMAGE_TO_IMAGE])
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, None),
        ({"negativePrompt": ""}, None),
        ({"negativePrompt": "fog"}, "fog"),
        ({"negativePrompt": "--"}, "-- "),
        ({"negativePrompt": "-x\n", "guidanceScale": "0"}, "-x\n"),
        ({"negativePrompt": "fog", "guidanceScale": "1"}, None),  # the script asks for no pair
    ],
)
def test_a_negative_prompt_reaches_the_sampling_or_the_bundled_engines_option(
    job_type: JobType, fields: dict[str, Any], text: str | None
) -> None:
    asked = task(job_type, image=Path("/in.png"), **fields)
    without = plan(task(job_type, image=Path("/in.png"), **{**fields, "negativePrompt": ""}), OWN)
    fork, bundled = plan(asked, REPOSITORY), plan(asked, OWN)
    assert fork.sampling.get("negative_prompt") == text
    assert fork.arguments == without.arguments
    assert not {"negative_prompt", "mask"} & {*bundled.sampling}
    added = [each for each in bundled.arguments if each not in without.arguments]
    assert added == ([] if text is None else [f"--negative_prompt={text}"])


def test_a_mask_reaches_the_sampling_or_the_bundled_engines_option() -> None:
    asked = task(JobType.IMAGE_TO_IMAGE, image=Path("/in.png"), mask=Path("/mask.png"))
    path = f"{WORK}/inputs/image_mask.png"
    fork, bundled = plan(asked, REPOSITORY), plan(asked, OWN)
    assert fork.sampling["mask"] == path
    assert f"--mask={path}" not in fork.arguments
    assert not {"negative_prompt", "mask"} & {*bundled.sampling}
    assert f"--mask={path}" in bundled.arguments


def test_inpainting_runs_in_a_folder_of_its_own() -> None:
    planned = plan(task(JobType.INPAINT_IMAGE), REPOSITORY)
    assert planned.arguments == ("--steps=32", "--indir=inputs", f"--outdir={WORK}/output")
    assert planned.cwd == WORK / "run"
    assert planned.inputs == WORK / "run/inputs"
    assert planned.links == {
        WORK / "run/models/ldm/inpainting_big/config.yaml": (
            ROOT / "models/ldm/inpainting_big/config.yaml"
        ),
        WORK / "run/models/ldm/inpainting_big/last.ckpt": Path("/models/i.ckpt"),
    }
    assert planned.images == (WORK / "output/image.png",)
    assert planned.seed == 7
    assert planned.outer_bar == ""
    assert not planned.takes_precision


def prompt_that_argparse_reads(prompt: str) -> str | None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompt", nargs="?", default="another")  # as in txt2img.py
    arguments = plan(task(JobType.TEXT_TO_IMAGE, prompt=prompt), REPOSITORY).arguments
    read: str | None = parser.parse_known_args(arguments)[0].prompt
    return read


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
        lambda prompt: prompt != "--"
    )
)
@example("")
@example("--prompt=x")
@example("-- ")
def test_argparse_reads_any_prompt_as_it_was_sent(prompt: str) -> None:
    assert prompt_that_argparse_reads(prompt) == prompt


def test_argparse_reads_a_prompt_of_two_dashes_with_a_space_that_clip_strips() -> None:
    assert prompt_that_argparse_reads("--") == "-- "


@given(st.floats(0, 1), st.integers(1, 1000).filter(is_usable))
def test_img2img_never_noises_by_more_steps_than_it_samples(strength: float, steps: int) -> None:
    usable = usable_strength(strength, steps)
    assert 0 <= usable <= strength or steps == 1
    most = sampled_steps(steps) - 1
    assert int(usable * steps) == min(int(strength * steps), most)


def test_a_strength_that_works_is_left_alone() -> None:
    assert usable_strength(1.0, 24) == 1.0  # the sampler makes 25 steps of 24
    assert int(usable_strength(1.0, 8) * 8) == 7
    assert usable_strength(0.75, 8) == 0.75


@pytest.mark.parametrize(("server", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "4"}, "4")])
def test_the_bundled_engine_multiplies_in_one_thread(server: dict[str, str], threads: str) -> None:
    bundled = dataclasses.replace(REPOSITORY, bundled=True)
    assert environment(server, bundled)["OPENBLAS_NUM_THREADS"] == threads
    assert environment(server, REPOSITORY).get("OPENBLAS_NUM_THREADS") == server.get(
        "OPENBLAS_NUM_THREADS"
    )


@pytest.mark.parametrize("before", [{}, {"PYTHONPATH": ""}, {"PYTHONPATH": "/other"}])
def test_environment(before: dict[str, str]) -> None:
    disturbing = ["COLUMNS", "LINES", "PYTHONHOME", "PYTHONOPTIMIZE"]
    disturbing += ["TQDM_DISABLE", "SDREST_PORT", "COVERAGE_X"]
    server = {"HOME": "/home/a", **dict.fromkeys(disturbing, "1"), **before}
    result = environment(server, REPOSITORY)
    assert result == {
        "HOME": "/home/a",
        "PYTHONPATH": "/srv/fork:/other" if before.get("PYTHONPATH") else "/srv/fork",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }
