from pathlib import Path

import numpy as np
import pytest
from tiny_diffusion import options
from tiny_diffusion.files import OutputFolder, grid
from tiny_diffusion.seeding import seed_everything
from tiny_diffusion.shapes import check_latent


def test_defaults_are_the_forks_and_change_nothing_else() -> None:
    opt = vars(options.parser(outdir="o", n_samples=2, scale=5.0).parse_args([]))
    places = {name: opt.pop(name) for name in ("config", "ckpt")}
    assert places["config"].endswith("configs/stable-diffusion/v1-inference.yaml")
    assert places["ckpt"].endswith("models/ldm/stable-diffusion-v1/model.ckpt")
    assert opt == {
        "prompt": "a painting of a virus monster playing guitar",
        "outdir": "o",
        "skip_grid": False,
        "skip_save": False,
        "ddim_steps": 50,
        "plms": False,
        "fixed_code": False,
        "ddim_eta": 0.0,
        "n_iter": 1,
        "C": 4,
        "f": 8,
        "n_samples": 2,
        "n_rows": 0,
        "scale": 5.0,
        "from_file": None,
        "seed": 42,
        "precision": "autocast",
        "negative_prompt": "",
    }


@pytest.mark.parametrize(("rows", "columns"), [(-1, 3), (0, 3), (2, 2)])
def test_a_grid_is_as_wide_as_a_batch_by_default(rows: int, columns: int) -> None:
    parser = options.parser(outdir="o", n_samples=3, scale=5.0)
    assert options.grid_columns(parser.parse_args([f"--n_rows={rows}"])) == columns


def test_a_grid_has_lines_and_a_lone_picture_has_none() -> None:
    pictures = np.arange(1, 4, dtype=np.uint8)[:, None, None, None] * np.ones((4, 6, 3), np.uint8)
    sheet = grid(pictures, 2)
    assert sheet.shape == (2 * 6 + 2, 2 * 8 + 2, 3)
    assert (sheet[2:6, 10:16] == 2).all()
    assert (sheet[8:12, 2:8] == 3).all()
    assert sheet.sum() == pictures.sum()
    assert grid(pictures[:1], 2) is not pictures
    assert np.array_equal(grid(pictures[:1], 2), pictures[0])


def test_numbers_count_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/notes.txt").touch()
    folder = OutputFolder(str(tmp_path))
    folder.save_sample(np.zeros((2, 2, 3), np.uint8))
    folder.save_sample(np.zeros((2, 2, 3), np.uint8))
    names = sorted(path.name for path in (tmp_path / "samples").glob("*.png"))
    assert names == ["00001.png", "00002.png"]


def test_a_seed_decides_and_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert seed_everything(5).random() == seed_everything(5).random()
    assert capsys.readouterr().err == "Global seed set to 5\n" * 2


@pytest.mark.parametrize("side", [8, 16, 64, 72])
def test_latents_of_whole_eights_pass(side: int) -> None:
    check_latent(side, 8)


@pytest.mark.parametrize(
    ("side", "expected", "got"), [(33, 10, 9), (62, 32, 31), (60, 16, 15), (66, 18, 17), (4, 2, 1)]
)
def test_other_latents_fail_where_the_network_would(side: int, expected: int, got: int) -> None:
    with pytest.raises(RuntimeError, match=f"Expected size {expected} but got size {got}$"):
        check_latent(64, side)
