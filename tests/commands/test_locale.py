"""Locales that are not UTF-8: paths, prompts and log lines stay what they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.server import PATIENCE, Serve, environment

pytestmark = pytest.mark.integration

PROMPT = "ein schöner Fuchs 🦊 漢字"
SMALL = {"width": "256", "height": "256", "steps": "4"}
LOCALES = [("de_DE", "ISO-8859-1"), ("ja_JP", "EUC-JP")]


@pytest.fixture(scope="session")
def made_locales(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make the locales; return the environment variables that choose each, by its name."""
    place = tmp_path_factory.mktemp("locales")
    found = {"C": {"LC_ALL": "C"}}
    program = shutil.which("localedef")
    for name, encoding in LOCALES if program else ():
        full = f"{name}.{encoding}"
        command = [str(program), "-c", "-i", name, "-f", encoding, str(place / full)]
        subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE)
        if (place / full / "LC_CTYPE").is_file():
            found[full] = {"LC_ALL": full, "LOCPATH": str(place)}
    return found  # type: ignore[return-value]


@pytest.fixture(params=["C", *(".".join(parts) for parts in LOCALES)])
def variables(request: pytest.FixtureRequest, made_locales: Any) -> dict[str, str]:
    """What chooses a locale."""
    if request.param not in made_locales:
        pytest.skip(f"localedef cannot make {request.param} here")
    chosen: dict[str, str] = made_locales[request.param]
    return chosen


def run(folder: Path, variables: dict[str, str], *words: bytes | str) -> tuple[int, bytes, bytes]:
    """Run a command; bytes reach it as they are."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "sdrest", *map(os.fsencode, words)],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout, done.stderr


async def test_a_server_draws_into_a_folder_with_umlauts(
    serve: Serve, tmp_path: Path, variables: dict[str, str]
) -> None:
    async with serve("--output", "Bücher 漢", env=variables) as server, server.client() as client:
        async with client.post("/text-to-image", data={"prompt": PROMPT, **SMALL}) as answer:
            path = answer.url.path
        await server.out.line(f"{path[-32:]} 1/1 100% ██████████")
        await server.out.line(f"{path[-32:]} Done")
        async with client.get("/jobs") as answer:
            (job,) = (await answer.json())["jobs"]
        assert job["params"]["prompt"] == PROMPT
    with Image.open(tmp_path / "Bücher 漢" / path[1:] / "1.png") as image:
        assert str(image.info["parameters"]).startswith(PROMPT)


def test_generate_takes_prompts_and_pictures_in_utf8(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with Image.new("RGB", (256, 256)) as given:
        given.save(tmp_path / "Föhn.png")
    words = ("--image", "Föhn.png", "--steps", "4", "-o", "Bücher")
    status, out, err = run(tmp_path, variables, "generate", PROMPT, *words)
    assert (status, out) == (0, os.fsencode(tmp_path / "Bücher/1.png") + b"\n"), err
    with Image.open(tmp_path / "Bücher/1.png") as image:
        assert str(image.info["parameters"]).startswith(PROMPT)
    status, out, err = run(tmp_path, variables, "generate", "x", "--image", "Märchen.png")
    assert (status, out, err.decode()) == (1, b"", "error image: There is no file Märchen.png.\n")


@pytest.fixture(scope="session")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bytes, bytes]]:
    """What `--help` and a command's help write in a UTF-8 locale."""
    folder = tmp_path_factory.mktemp("help")
    utf8 = {"LC_ALL": "C.UTF-8"}
    return {name: run(folder, utf8, *name.split()) for name in ("--help", "generate --help")}


def test_doctor_and_help_write_utf8(
    tmp_path: Path, variables: dict[str, str], helps: dict[str, tuple[int, bytes, bytes]]
) -> None:
    folder = tmp_path / "Föhn 漢"
    folder.mkdir()
    _, out, err = run(folder, variables, "doctor", "--output", "Bücher")
    assert f"output: {folder}/Bücher can be written.".encode() in out
    assert err == b""
    for name, expected in helps.items():
        assert run(tmp_path, variables, *name.split()) == expected


async def test_bytes_that_are_no_utf8_in_a_path_are_no_harm(
    serve: Serve, tmp_path: Path, variables: dict[str, str]
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xfccher"))
    try:
        folder.mkdir()  # noqa: ASYNC240 (the server is not running yet)
    except OSError as error:
        pytest.skip(f"this file system takes UTF-8 only: {error}")
    async with serve(env=variables, folder=folder) as server, server.client() as client:
        async with client.post("/text-to-image", data={"prompt": PROMPT, **SMALL}) as answer:
            path = answer.url.path
        await server.out.line(f"{path[-32:]} Done")
        async with client.get(f"{path}/1.png?size=64") as answer:
            assert answer.status == 200
    sizes = [f"--{name}={value}" for name, value in SMALL.items()]
    status, out, _ = run(folder, variables, "generate", "x", *sizes, "-o", "new")
    assert (status, out) == (0, os.fsencode(folder / "new/1.png") + b"\n")
    _, out, err = run(folder, variables, "doctor", "--json")
    rows = {row["check"]: row["message"] for row in json.loads(out)["checks"]}
    assert rows["output"] == f"{tmp_path}/b\\xfccher/output can be written."
    assert err == b""


async def test_a_latin_1_terminal_names_files_and_writes_prompts_in_latin_1(
    serve: Serve, tmp_path: Path, made_locales: Any
) -> None:
    variables = made_locales.get("de_DE.ISO-8859-1")
    if variables is None:
        pytest.skip("localedef cannot make de_DE.ISO-8859-1 here")
    name = os.fsdecode("Bücher".encode("latin-1"))
    async with serve("--output", name, env=variables) as server, server.client() as client:
        async with client.post("/text-to-image", data={"prompt": PROMPT, **SMALL}) as answer:
            path = answer.url.path
        await server.out.line(f"{path[-32:]} Done")
    sizes = [f"--{name}={value}" for name, value in SMALL.items()]
    prompt = "schön".encode("latin-1")
    status, out, err = run(tmp_path, variables, "generate", prompt, *sizes, "-o", name)
    assert (status, out) == (0, os.fsencode(tmp_path / name / "1.png") + b"\n"), err
    with Image.open(tmp_path / name / "1.png") as image:
        assert str(image.info["parameters"]).startswith("schön\n")


def test_what_is_no_utf8_in_a_flag_is_refused_in_a_utf8_locale(tmp_path: Path) -> None:
    for words in ((b"--output", b"b\xfccher"), (b"--port", b"\xfc"), (b"doctor", b"--cert=\xfc")):
        status, out, err = run(tmp_path, {"LC_ALL": "C.UTF-8"}, *words)
        assert (status, out) == (1, b"")
        assert err.startswith(b"error ")
        assert err.count(b"\n") == 1
        assert err.decode()
