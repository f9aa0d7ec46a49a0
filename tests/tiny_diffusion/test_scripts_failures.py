"""The scripts fail, or carry on, on the same values as the fork's, with the same exit codes."""

import functools
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.support import tiny

pytestmark = pytest.mark.integration

Result = Callable[[str], subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True)
class Case:
    """Options of a run; `error` is in the last line of stderr, `pictures` are left behind."""

    script: str
    options: str
    status: int
    error: str = ""
    pictures: int = 0


T2I, I2I, INP = "txt2img.py", "img2img.py", "inpaint.py"
MISMATCH = "RuntimeError: Sizes of tensors must match except in dimension 1."
OUT_OF_BOUNDS = "IndexError: index 1000 is out of bounds"

CASES = {
    "height is no multiple of 64": Case(T2I, "--H 264", 1, MISMATCH + " Expected size 10"),
    "height 500": Case(T2I, "--H 500", 1, MISMATCH + " Expected size 32 but got size 31"),
    "height 0": Case(T2I, "--H 0", 1, "Error"),
    "smaller than 256x256": Case(T2I, "--H 128", 1, "RuntimeError: image too small"),
    "smaller, but nothing to save": Case(T2I, "--H 128 --skip_save", 0),
    "3 steps": Case(T2I, "--ddim_steps 3", 1, OUT_OF_BOUNDS),
    "600 steps": Case(T2I, "--ddim_steps 600", 1, OUT_OF_BOUNDS),
    "0 steps": Case(T2I, "--ddim_steps 0", 1, "ZeroDivisionError"),
    "1001 steps": Case(T2I, "--ddim_steps 1001", 1, "ValueError"),
    "negative steps give noise": Case(T2I, "--ddim_steps -5", 0, pictures=1),
    "seed below 0": Case(T2I, "--seed -1", 0, pictures=1),
    "seed above 32 bits": Case(T2I, f"--seed {2**32}", 0, pictures=1),
    "no iterations": Case(T2I, "--n_iter 0", 0),
    "no iterations and a grid": Case(T2I, "--n_iter 0 --grid", 1, "ValueError"),
    "negative iterations": Case(T2I, "--n_iter -1", 0),
    "PLMS with eta": Case(T2I, "--plms --ddim_eta 0.5", 1, "ValueError: ddim_eta must be 0"),
    "guidance is not a number": Case(T2I, "--scale nan", 0, pictures=1),
    "huge guidance": Case(T2I, "--scale 1e30", 0, pictures=1),
    "steps that are no number": Case(T2I, "--ddim_steps abc", 2, "invalid int value: 'abc'"),
    "steps that are not whole": Case(T2I, "--ddim_steps 8.5", 2, "invalid int value: '8.5'"),
    "seed that is not whole": Case(T2I, "--seed 1.5", 2, "invalid int value: '1.5'"),
    "unknown precision": Case(T2I, "--precision half", 2, "invalid choice"),
    "prompt read as an option": Case(T2I, "--prompt --plms", 1, "--prompt has no text"),
    "prompt read as an abbreviation": Case(T2I, "--prompt --skip_g", 1, "--prompt has no text"),
    "prompt read as an unknown option": Case(T2I, "--prompt -x", 2, "unrecognized arguments: -x"),
    "prompt -1 is a text": Case(T2I, "--prompt -1", 0, pictures=1),
    "prompt after an equals sign": Case(T2I, "--prompt=--plms", 0, pictures=1),
    "prompts from a missing file": Case(T2I, "--from-file {tmp}/none", 1, "FileNotFoundError"),
    "config missing": Case(T2I, "--config {tmp}/none", 1, "FileNotFoundError"),
    "the other LAION model is not here": Case(T2I, "--laion400m", 1, "FileNotFoundError"),
    "folder cannot be made": Case(T2I, "--outdir {tmp}/text/out", 1, "NotADirectoryError"),
    "checkpoint missing": Case(T2I, "--ckpt {tmp}/none", 1, "FileNotFoundError"),
    "checkpoint is a folder": Case(T2I, "--ckpt {tmp}", 1, "IsADirectoryError"),
    "checkpoint of inpainting": Case(
        T2I, "--ckpt models/ldm/inpainting_big/last.ckpt", 1, "size mismatch"
    ),
    "strength 1": Case(I2I, "--init-img {tmp}/p.png --strength 1", 1, "IndexError: index 2"),
    "strength above 1": Case(I2I, "--init-img {tmp}/p.png --strength 1.1", 1, "strength in [0.0"),
    "strength below 0": Case(I2I, "--init-img {tmp}/p.png --strength -0.1", 1, "strength in [0.0"),
    "strength is not a number": Case(I2I, "--init-img {tmp}/p.png --strength nan", 1, "strength"),
    "img2img with 3 steps": Case(I2I, "--init-img {tmp}/p.png --ddim_steps 3", 1, OUT_OF_BOUNDS),
    "img2img with PLMS": Case(I2I, "--init-img {tmp}/p.png --plms", 1, "NotImplementedError"),
    "img2img 500x333": Case(I2I, "--init-img {tmp}/odd.png", 1, MISMATCH),
    "img2img of 20 pixels": Case(I2I, "--init-img {tmp}/small.png", 1, "must be > 0"),
    "img2img of a text": Case(I2I, "--init-img {tmp}/text", 1, "cannot identify image file"),
    "img2img of a cut-off picture": Case(I2I, "--init-img {tmp}/cut.png", 1, "OSError"),
    "img2img of a missing picture": Case(I2I, "--init-img {tmp}/none", 1, "FileNotFoundError"),
    "img2img of nothing": Case(I2I, "", 1, "Error"),
    "img2img of a palette with alpha": Case(I2I, "--init-img {tmp}/palette.gif", 0, pictures=1),
    "inpaint a missing folder": Case(INP, "--indir {tmp}/none", 0),
    "inpaint a folder with brackets": Case(INP, "--indir {tmp}/[x]", 0),
    "inpaint nothing": Case(INP, "", 1, "TypeError"),
    "inpaint with 0 steps": Case(INP, "--indir {tmp}/pair --steps 0", 1, "ZeroDivisionError"),
    "inpaint with negative steps": Case(INP, "--indir {tmp}/pair --steps -5", 0, pictures=1),
    "inpaint 264x256": Case(INP, "--indir {tmp}/odd", 1, MISMATCH),
    "inpaint with a mask of another size": Case(INP, "--indir {tmp}/othersize", 1, "ValueError"),
    "inpaint with a mask of one pixel": Case(INP, "--indir {tmp}/onepixel", 0, pictures=1),
    "inpaint with a mask and no picture": Case(INP, "--indir {tmp}/maskonly", 1, "FileNotFound"),
}
COMMON = {
    T2I: "--ddim_steps 2 --H 256 --W 256 --skip_grid",
    I2I: "--ddim_steps 2 --n_samples 1 --skip_grid",
    INP: "",
}


def _pair(folder: Path, size: tuple[int, int], mask_size: tuple[int, int]) -> None:
    folder.mkdir()
    Image.new("RGB", size, "teal").save(folder / "a.png")
    Image.new("L", mask_size, "white").save(folder / "a_mask.png")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    plain = Image.new("RGB", (256, 256), "teal")
    plain.save(folder / "p.png")
    (folder / "cut.png").write_bytes((folder / "p.png").read_bytes()[:150])
    plain.resize((500, 333)).save(folder / "odd.png")
    plain.resize((20, 20)).save(folder / "small.png")
    plain.convert("P").save(folder / "palette.gif", transparency=0)
    (folder / "text").write_text("no picture")
    _pair(folder / "pair", (64, 64), (64, 64))
    _pair(folder / "[x]", (64, 64), (64, 64))
    _pair(folder / "odd", (264, 256), (264, 256))
    _pair(folder / "othersize", (64, 64), (32, 32))
    _pair(folder / "onepixel", (64, 64), (1, 1))
    _pair(folder / "maskonly", (64, 64), (64, 64))
    (folder / "maskonly/a.png").unlink()
    return folder


def _run(inputs: Path, name: str) -> subprocess.CompletedProcess[str]:
    case = CASES[name]
    common = COMMON[case.script]
    if "--grid" in case.options:
        common = common.replace("--skip_grid", "")
    options = case.options.replace("--grid", "").replace("{tmp}", str(inputs))
    outdir = inputs / "out" / name
    return tiny.run(case.script, "--outdir", outdir, *common.split(), *options.split())


@pytest.fixture(scope="module")
def result(inputs: Path) -> Result:
    """Return how a case ended. Each runs once, in the time of the test that asks first."""
    return functools.cache(functools.partial(_run, inputs))


@pytest.mark.parametrize("name", CASES)
def test_bad_values(name: str, inputs: Path, result: Result) -> None:
    case, ended = CASES[name], result(name)
    assert ended.returncode == case.status, ended.stderr
    assert case.error in ended.stderr.splitlines()[-1]
    assert ("Traceback" in ended.stderr) == (case.status == 1)
    outdir = inputs / "out" / name
    assert len(tiny.files(outdir) if outdir.exists() else []) == case.pictures


@pytest.mark.parametrize("name", ["seed below 0", "seed above 32 bits"])
def test_a_bad_seed_is_replaced_by_another(name: str, result: Result) -> None:
    said = result(name).stderr.partition("Global seed set to ")[2].split()[0]
    assert 0 <= int(said) < 2**32


@pytest.mark.parametrize("folder", ["inpaint a missing folder", "inpaint a folder with brackets"])
def test_no_inputs_are_no_failure(folder: str, result: Result) -> None:
    assert result(folder).stdout.startswith("Found 0 inputs.\n")


def test_unsupported_options_are_refused_with_the_usage(result: Result) -> None:
    assert result("steps that are no number").stderr.startswith("usage: txt2img.py [-h]")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, -2), (signal.SIGTERM, -15), (signal.SIGKILL, -9)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_signals_end_a_script(number: signal.Signals, status: int, tmp_path: Path) -> None:
    with tiny.started("txt2img.py", "--n_iter", "30", "--outdir", tmp_path) as process:
        assert process.stderr is not None
        seen = b""
        while b"DDIM Sampler" not in seen:
            data = process.stderr.read(4096)
            assert data, "the script ended too early"
            seen += data
        process.send_signal(number)
        seen += process.communicate(timeout=tiny.PATIENCE)[1]
    assert process.returncode == status
    assert seen.rstrip().endswith(b"KeyboardInterrupt") == (number == signal.SIGINT)
