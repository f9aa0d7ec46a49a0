"""`~` in every flag that names a path, and the paths of missing things in the server's own log."""

import os
import pwd
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from sdrest.engine.local.repository import INPAINT_CHECKPOINT, TEXT_TO_IMAGE_CHECKPOINT
from sdrest.paths import expand, expand_home
from sdrest.settings import FLAGS, Kind
from sdrest.web.dialects.original_ids import job_id
from tests.fakes.running import FORK, copy_fork
from tests.support.in_process import run_here
from tests.support.server import Serve, environment

pytestmark = pytest.mark.integration

JOB = {"prompt": "paint", "width": "256", "height": "256"}
FILES = {
    "cert": "~/tls/cert.pem",
    "key": "~/tls/key.pem",
    "output": "~/Bilder ü",
    "repository": "~/sd",
    "python": "~/bin/python",
    "text_to_image_model": "~/models/text.ckpt",
    "inpaint_image_model": "~/models/inpaint.ckpt",
    "models": "~/models",
}


@pytest.fixture
def home(tmp_path: Path, certificate: Path) -> Path:
    """A home folder with everything that a server needs."""
    home = tmp_path / "home"
    copy_fork(home / "sd")
    for name, source in (("bin/python", sys.executable), ("tls", certificate)):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).symlink_to(source)
    (home / "models").mkdir()
    for name, place in (("text", TEXT_TO_IMAGE_CHECKPOINT), ("inpaint", INPAINT_CHECKPOINT)):
        shutil.copy(FORK / place, home / f"models/{name}.ckpt")
    return home


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path,
    home: Path,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """Run a command whose user has this home folder; return status, stdout and stderr."""
    return partial(run_here, capfd, tmp_path, environment(HOME=str(home)))


def typed(*, without: tuple[str, ...] = ()) -> list[str]:
    """Return the flags as they are typed where no shell expands them."""
    chosen = [flag for flag in FLAGS if flag.name in FILES and flag.name not in without]
    return [f"{flag.option}={FILES[flag.name]}" for flag in chosen]


def test_every_flag_that_names_a_path_is_among_them() -> None:
    names = {flag.name for flag in FLAGS if flag.kind is Kind.PATH}
    assert names == FILES.keys() | {"cluster_credentials"}


@pytest.mark.parametrize("from_environment", [False, True])
async def test_a_home_folder_in_every_path_and_ids_as_typed(
    serve: Serve, home: Path, from_environment: bool
) -> None:
    variables = {f"SDREST_{name.upper()}": path for name, path in FILES.items()}
    flags = ["--port=0"] if from_environment else typed()
    env = {"HOME": str(home), **(variables if from_environment else {})}
    pair = [] if from_environment else [f"--cert={FILES['cert']}", f"--key={FILES['key']}"]
    async with serve(*flags, *pair, env=env) as server, server.client() as client:
        async with client.post("/text-to-image", data=JOB, allow_redirects=False) as answer:
            path = answer.headers["Location"]
        await server.out.line(f"{path[-32:]} Done")
    expected = job_id(
        JOB,
        {
            "modelFilePath": FILES["text_to_image_model"],
            "stableDiffusionRepositoryDirectoryPath": FILES["repository"],
        },
    )
    assert path == f"/text-to-image/{expected}"
    assert (home / "Bilder ü" / path[1:] / "1.png").is_file()
    assert not (server.folder / "~").exists()


def test_a_certificate_is_looked_for_in_the_home_folder(command: Command, home: Path) -> None:
    (home / "tls").unlink()
    status, _, err = command("--port=0", *typed())
    assert status == 1
    assert err == f"error There is no file {home}/tls/cert.pem (--cert).\n"


def test_credentials_of_a_cluster_are_looked_for_in_the_home_folder(
    command: Command, home: Path
) -> None:
    flags = ("--cluster=tls://127.0.0.1:0", "--cluster-credentials=~/cluster.pem", *typed())
    status, _, err = command("--port=0", *flags)
    assert status == 1
    assert f"{home}/cluster.pem" in err


def test_doctor_looks_into_the_home_folder(command: Command, home: Path) -> None:
    report = command("doctor", "--port=0", *typed())[1]
    for line in (
        f"success repository: {home}/sd is there.",
        f"success python: {home}/bin/python is Python",
        "success checkpoints: ",
        "success certificate: The certificate is good until",
        f"success output: {home}/Bilder ü can be written.",
        f"success file system: The file system of {home}",
    ):
        assert line in report
    (home / "models/text.ckpt").unlink()
    report = command("doctor", "--port=0", *typed())[1]
    assert f"(Path: {home}/models/text.ckpt)" in report


def test_generate_takes_pictures_and_output_in_the_home_folder(
    command: Command, home: Path
) -> None:
    Image.new("RGB", (64, 64), "blue").save(home / "image.png")
    Image.new("L", (64, 64), 255).save(home / "mask.png")
    for option in ("-o", "--output="):
        output = (option, "~/out") if option == "-o" else (f"{option}~/out",)
        pictures = ("--image=~/image.png", "--mask=~/mask.png")
        flags = typed(without=("cert", "key", "output"))
        status, _, err = command("generate", *flags, *pictures, *output)
        assert status == 0, err
    assert sorted(path.name for path in (home / "out").iterdir()) == ["1.png", "2.png"]


def test_setup_takes_sources_and_targets_in_the_home_folder(
    command: Command, tmp_path: Path, home: Path
) -> None:
    shutil.rmtree(home / "sd")
    (home / "models/text.ckpt").unlink()
    _, out, _ = command(
        *("setup", "--dry-run", *typed(without=("models", "output", "python"))),
        *("--with-python=~/bin/python", "--text-encoder=~/encoder"),
    )
    assert f"into {home}/sd" in out
    assert f"make a virtual environment in {home}/sd/venv with {home}/bin/python" in out
    assert f"{home}/models/text.ckpt" in out
    assert not (tmp_path / "~").exists()


def test_the_home_folder_of_a_user() -> None:
    user = pwd.getpwuid(os.getuid())
    assert expand(f"~{user.pw_name}/x") == Path(user.pw_dir, "x")
    for text in ("~nobody-by-this-name/x", "./~/x", "a/~", "", "python3"):
        assert expand_home(text) == text


async def test_the_log_names_what_is_missing_and_clients_do_not_learn_it(
    serve: Serve, home: Path
) -> None:
    (home / "models/text.ckpt").unlink()
    (home / "models/inpaint.ckpt").write_text("<html>")
    async with serve(*typed(), env={"HOME": str(home)}, warns=True) as server:
        missing, wrong = home / "models/text.ckpt", home / "models/inpaint.ckpt"
        assert (await server.err.line(f"(Path: {missing})")).startswith("warning The model")
        assert "is a web page" in await server.err.line(f"(Path: {wrong})")
        async with server.client() as client:
            async with client.post("/text-to-image", data=JOB) as answer:
                path = answer.url.path
            await server.out.end_of(path[-32:])
            line = await server.err.line(f"Job {path[-32:]}: The model checkpoint is missing.")
            assert f"(Path: {missing})" in line
            for place in (path, "/jobs", "/readyz"):
                async with client.get(place) as answer:
                    assert str(home) not in await answer.text()
        assert str(missing) not in "".join(server.out.lines)
    async with serve(
        *typed(without=("repository",)), "--repository=~/sd", env={"HOME": str(home)}, warns=True
    ) as server:
        shutil.rmtree(home / "sd/scripts")
        async with server.client() as client:
            shutil.copy(FORK / TEXT_TO_IMAGE_CHECKPOINT, home / "models/text.ckpt")
            async with client.post("/text-to-image", data=JOB | {"prompt": "again"}) as answer:
                path = answer.url.path
            line = await server.err.line(f"Job {path[-32:]}: ")
            assert f"(Path: {home}/sd/scripts/txt2img.py)" in line
