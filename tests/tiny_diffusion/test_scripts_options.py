"""What the options do to files and pictures."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import tiny

pytestmark = pytest.mark.integration

SMALL = ("--H", "256", "--W", "256", "--ddim_steps", "4", "--prompt=a boat on a lake")


def _digests(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in tiny.files(folder)]


def test_same_seed_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    for threads in ("1", "2"):
        settings = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        outdir = tmp_path / threads
        result = tiny.run("txt2img.py", *SMALL, "--seed", "7", "--outdir", outdir, **settings)
        assert result.returncode == 0
    assert _digests(tmp_path / "1") == _digests(tmp_path / "2")


def test_inpaint_is_the_same_on_any_number_of_threads_once_numpy_is_seeded(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "in/a.png")
    Image.new("L", (128, 128), "white").crop((-40, -40, 88, 88)).save(tmp_path / "in/a_mask.png")
    options = ("--indir", tmp_path / "in", "--steps", "8")
    for folder, seed, threads in (("a", 1, "1"), ("b", 1, "2"), ("c", 2, "1")):
        settings = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        result = tiny.run_seeded(
            seed, "inpaint.py", *options, "--outdir", tmp_path / folder, **settings
        )
        assert result.returncode == 0, result.stderr
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    assert _digests(tmp_path / "a") != _digests(tmp_path / "c")


def test_iterations_and_samples_are_different_pictures(tmp_path: Path) -> None:
    tiny.run("txt2img.py", *SMALL, "--n_iter", "2", "--n_samples", "2", "--outdir", tmp_path)
    assert tiny.files(tmp_path) == [
        "grid-0000.png",
        *(f"samples/0000{number}.png" for number in range(4)),
    ]
    assert len(set(_digests(tmp_path))) == 5
    grid = tiny.picture(tmp_path / "grid-0000.png")
    assert grid.shape == (518, 518, 3)
    assert np.array_equal(grid[260:516, 2:258], tiny.picture(tmp_path / "samples/00002.png"))


def test_fixed_code_starts_every_iteration_from_the_same_noise(tmp_path: Path) -> None:
    options = ("--n_iter", "2", "--fixed_code", "--skip_grid", "--outdir", tmp_path)
    tiny.run("txt2img.py", *SMALL, *options)
    assert len(set(_digests(tmp_path))) == 1


def test_an_empty_negative_prompt_changes_no_byte_and_another_does(tmp_path: Path) -> None:
    none: tuple[str, ...] = ()
    for folder, options in (
        ("a", none),
        ("b", ("--negative_prompt=",)),
        ("c", ("--negative_prompt=lake",)),
    ):
        tiny.run("txt2img.py", *SMALL, *options, "--outdir", tmp_path / folder)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    assert _digests(tmp_path / "a") != _digests(tmp_path / "c")


def test_a_mask_for_image_to_image_keeps_what_is_black(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 256).astype(np.uint8)
    source = np.stack([*np.meshgrid(ramp, ramp), np.full((256, 256), 90, np.uint8)], 2)
    Image.fromarray(source).save(tmp_path / "in.png")
    white = np.zeros((256, 256), np.uint8)
    white[96:224, 32:160] = 255
    Image.fromarray(white).save(tmp_path / "mask.png")
    result = tiny.run(
        "img2img.py", "--prompt=a black cat", f"--init-img={tmp_path / 'in.png'}", "--n_samples=1",
        f"--mask={tmp_path / 'mask.png'}", "--ddim_steps=8", "--outdir", tmp_path / "out",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    made = tiny.picture(tmp_path / "out/samples/00000.png")
    assert np.array_equal(made[white == 0], source[white == 0])
    assert (made[white > 0].max(1) < 60).mean() > 0.1


def test_numbering_goes_on_in_a_folder_in_use(tmp_path: Path) -> None:
    for _ in range(2):
        tiny.run("txt2img.py", *SMALL, "--outdir", tmp_path)
    assert tiny.files(tmp_path) == [
        "grid-0000.png",
        "grid-0001.png",
        "samples/00000.png",
        "samples/00001.png",
    ]
    assert len(set(_digests(tmp_path))) == 1, "a grid of one picture is that picture"


def test_prompts_are_read_from_a_file_in_batches(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red circle\na castle\nthe sea\na green square\n")
    options = ("--from-file", tmp_path / "prompts.txt", "--n_samples", "2", "--n_rows", "4")
    result = tiny.run("txt2img.py", *SMALL, *options, "--outdir", tmp_path / "out")
    assert f"reading prompts from {tmp_path}/prompts.txt\n" in result.stdout
    assert "data: 2/2" in tiny.bars(result.stderr)
    assert tiny.picture(tmp_path / "out/grid-0000.png").shape == (260, 4 * 258 + 2, 3)


def test_skip_save_leaves_the_grid_alone(tmp_path: Path) -> None:
    tiny.run("txt2img.py", *SMALL, "--skip_save", "--outdir", tmp_path)
    assert tiny.files(tmp_path) == ["grid-0000.png"]


def test_options_may_be_abbreviated(tmp_path: Path) -> None:
    result = tiny.run("txt2img.py", *SMALL, "--skip_g", "--out", tmp_path)
    assert result.returncode == 0
    assert tiny.files(tmp_path) == ["samples/00000.png"]


def test_strength_0_gives_the_input_back(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (256, 320, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    options = ("--init-img", tmp_path / "in.png", "--strength", "0", "--skip_grid")
    tiny.run("img2img.py", *options, "--ddim_steps", "4", "--outdir", tmp_path / "out")
    assert tiny.files(tmp_path / "out") == ["samples/00000.png", "samples/00001.png"]
    assert np.array_equal(tiny.picture(tmp_path / "out/samples/00001.png"), picture)


def test_inpaint_keeps_all_that_is_not_masked_and_drops_the_masks_alpha(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "in/x y.png")
    mask = np.zeros((64, 96, 4), np.uint8)
    mask[10:30, 20:60, :3] = 200
    mask[40:50, :, :3] = 127
    Image.fromarray(mask).save(tmp_path / "in/x y_mask.png")
    options = ("--indir", tmp_path / "in", "--outdir", tmp_path / "out", "--steps", "4")
    result = tiny.run("inpaint.py", *options)
    changed = (tiny.picture(tmp_path / "out/x y.png") != picture).any(2)
    assert result.stdout.startswith("Found 1 inputs.\n")
    assert changed[10:30, 20:60].any()
    assert not changed[mask[..., 0] < 128].any()


@pytest.mark.parametrize("script", ["txt2img.py", "inpaint.py"])
def test_the_working_directory_chooses_the_checkpoint_before_the_checkout(
    script: str, tmp_path: Path
) -> None:
    folder = "inpainting_big" if script == "inpaint.py" else "stable-diffusion-v1"
    name = "last.ckpt" if script == "inpaint.py" else "model.ckpt"
    place = tmp_path / "models/ldm" / folder
    place.mkdir(parents=True)
    (place / name).symlink_to(tmp_path / "gone.ckpt")
    start = f"import os, sys; os.chdir({str(tmp_path)!r}); os.execv(sys.argv[1], sys.argv[1:])"
    options = ("--outdir", tmp_path / "out", "--indir", tmp_path)
    argv = tiny.command(script, *(options if script == "inpaint.py" else options[:2]))
    result = tiny.run_command([argv[0], "-c", start, *argv])
    assert result.returncode == 1
    assert (
        f"FileNotFoundError: [Errno 2] No such file or directory: 'models/ldm/{folder}/{name}'"
        in (result.stderr)
    )
