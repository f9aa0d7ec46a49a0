"""The scripts behave to the outside as the fork's: bars, lines and files against recorded runs."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import tiny
from tests.support.tiny import Capture

pytestmark = pytest.mark.integration


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "p256.png"
    ramp = np.linspace(0, 255, 256).astype(np.uint8)
    across, down = np.meshgrid(ramp, ramp)
    Image.fromarray(np.stack([across, down, across // 2], 2)).save(path)
    return path


def _options(capture: Capture, outdir: Path, **inputs: Path) -> list[str]:
    """Return the recorded options, with our own checkpoint and these places."""
    options = list(capture.options)
    places = {
        "--outdir": outdir,
        **{f"--{name.replace('_', '-')}": p for name, p in inputs.items()},
    }
    for name, path in places.items():
        options[options.index(name) + 1] = str(path)
    if "--ckpt" in options:
        at = options.index("--ckpt")
        del options[at : at + 2]
    return options


def _is_subsequence(lines: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(line in rest for line in lines)


def _lines(stdout: str, outdir: Path) -> list[str]:
    """Return the printed lines without what is particular to a model or a folder."""
    text = stdout.replace(str(outdir), "OUTDIR")
    for beginning in ("Loading model from", "Global Step:", "loaded input image"):
        text = "\n".join(
            beginning if line.startswith(beginning) else line for line in text.split("\n")
        )
    return text.split("\n")


def _same_shape(capture: Capture, result: subprocess.CompletedProcess[str], outdir: Path) -> None:
    assert result.returncode == capture.status, result.stderr
    assert tiny.bars(result.stderr) == tiny.bars(capture.stderr)
    assert tiny.files(outdir) == capture.pictures
    assert _is_subsequence(_lines(result.stdout, outdir), _lines(capture.stdout, outdir))


@pytest.mark.parametrize("name", ["t2i_n3", "t2i_b2n2_grid", "fail_niter0"])
def test_txt2img_draws_and_writes_as_recorded(name: str, tmp_path: Path) -> None:
    capture = Capture.read(name)
    result = tiny.run("txt2img.py", *_options(capture, tmp_path / "out"))
    _same_shape(capture, result, tmp_path / "out")
    assert result.stderr.startswith("Global seed set to 42\n\rSampling: ")


@pytest.mark.parametrize("name", ["i2i_n3", "i2i_strength0"])
def test_img2img_draws_and_writes_as_recorded(name: str, tmp_path: Path, photo: Path) -> None:
    capture = Capture.read(name)
    result = tiny.run("img2img.py", *_options(capture, tmp_path / "out", init_img=photo))
    _same_shape(capture, result, tmp_path / "out")


def test_inpaint_draws_and_writes_as_recorded(tmp_path: Path, photo: Path) -> None:
    capture = Capture.read("inp_3")
    inputs = tmp_path / "in"
    inputs.mkdir()
    for name in "abc":
        Image.open(photo).save(inputs / f"{name}.png")
        Image.new("L", (256, 256), "white").crop((-80, -80, 200, 200)).resize((256, 256)).save(
            inputs / f"{name}_mask.png"
        )
    result = tiny.run("inpaint.py", *_options(capture, tmp_path / "out", indir=inputs))
    _same_shape(capture, result, tmp_path / "out")


def test_open_bars_are_drawn_once_more_before_a_traceback(tmp_path: Path) -> None:
    capture = Capture.read("fail_H64")
    result = tiny.run("txt2img.py", *_options(capture, tmp_path))
    assert result.returncode == capture.status
    end = "\r".join(capture.stderr.split("\r")[-2:]).partition("Traceback")[0]
    assert end in result.stderr
    assert result.stderr.splitlines()[-1] == capture.stderr.splitlines()[-1]


def test_every_picture_is_complete_before_its_tick(tmp_path: Path) -> None:
    options = ("--n_iter", "3", "--ddim_steps", "2", "--H", "256", "--W", "256", "--skip_grid")
    seen, ticks = b"", 0
    with tiny.started("txt2img.py", *options, "--outdir", tmp_path) as process:
        assert process.stderr is not None
        while data := process.stderr.read(65536):
            seen += data
            while seen.count(b"\n\rdata: 100%") > ticks:
                assert tiny.picture(tmp_path / f"samples/{ticks:05}.png").shape == (256, 256, 3)
                ticks += 1
    assert ticks == 3
