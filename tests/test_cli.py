"""The command line, in this process where no server starts."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from sdrest import __version__
from sdrest.cli import COMMANDS, help_text, main
from sdrest.commands.options import service_variables, settings
from sdrest.settings import FLAGS, Settings
from tests.support.paths import DATA
from tests.support.server import environment

pytestmark = pytest.mark.integration

CASES = {case["case"]: case for case in json.loads((DATA / "contract/cli.json").read_text("utf-8"))}

# What the original took and sdrest refuses: JavaScript's numbers, words that mean nothing.
REFUSED = {
    "concurrency-float": "--concurrency should be a whole number from 0 to 64, not '1.5'.",
    "no-cors-equals-false": "No such option '--no-cors'.",
    "port-hex": "--port should be a whole number from 0 to 65535, not '0x2329'.",
    "port-single-dash": "No such option '-p'.",
    "port-word": "--port should be a whole number from 0 to 65535, not 'abc'.",
    "unknown-flag": "No such option '--bogus'.",
    "unknown-no-flag": "No such option '--no-bogus'.",
    "unknown-short-flag": "No such option '-x'.",
}
# What the original refused and sdrest takes: the last of a repeated flag counts.
TAKEN = {"port-twice"}
# What needs files or another server; see test_cli_serve.py.
ELSEWHERE = {"cert-garbage", "port-in-use", "output-locked-delete-incomplete"}


def exits(case: dict[str, Any]) -> bool:
    return bool(case["exited"])


SERVES = [
    name
    for name, case in CASES.items()
    if (not exits(case) or name in TAKEN) and name not in REFUSED
]
PRINTS = [name for name, case in CASES.items() if exits(case) and case["stdout"]]
FAILS = [name for name in CASES if name not in {*SERVES, *PRINTS, *ELSEWHERE}]


def parsed(*arguments: str) -> Settings:
    return settings(context(*arguments))


def context(*arguments: str) -> click.Context:
    return COMMANDS["serve"]().make_context("sdrest", list(arguments))


@pytest.mark.parametrize("name", SERVES)
def test_flags_that_the_original_takes(name: str) -> None:
    case = CASES[name]
    read = parsed(*case["argv"])
    assert read.port == (9002 if name == "port-twice" else 9001)
    assert read.output == "../out/cli"
    if "probe" in case:
        answer = case["probe"][0]["response"]
        assert read.cors is ("access-control-allow-origin" in answer["headers"])
    assert read.delete_incomplete is (case["argv"][-1] == "--delete-incomplete")
    assert {"port", "output"} <= read.given


@pytest.mark.parametrize("name", FAILS)
def test_a_wrong_command_line_is_one_line(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(CASES[name]["argv"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error ")
    assert err.count("\n") == 1
    assert err.startswith(f"error {REFUSED.get(name, '')}")


@pytest.mark.parametrize("name", PRINTS)
def test_what_the_original_prints(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    assert main(case["argv"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    if name == "version-long":
        assert out == f"sdrest, {__version__}\n"
        return
    recorded = case["stdout"].replace("stable-diffusion-rest-api", "sdrest")
    recorded = re.sub(r"SSL \w+", "SSL certificate", recorded)  # it has a spelling mistake
    assert set(out.splitlines()) >= {
        line for line in recorded.splitlines() if "--port " not in line
    }


def test_help_names_every_flag_in_aligned_columns(capfd: pytest.CaptureFixture[str]) -> None:
    main(["-h"])
    lines = capfd.readouterr().out.splitlines()
    options = [line for line in lines if line.startswith("    -")]
    assert [line.split()[0].rstrip(",") for line in options] == [
        *(flag.option for flag in FLAGS if flag.original),
        *(flag.option for flag in FLAGS if not flag.original),
        "-v",
        "-h",
    ]
    assert all(line[28] == " " and line[29] != " " for line in options)


@pytest.mark.parametrize("arguments", [["-v"], ["--version"], ["serve", "-v"]])
def test_version(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capfd.readouterr().out == f"sdrest, {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sdrest.cli import main; main(['--help']);"
        "sys.exit(str(sorted({'aiohttp', 'asyncio', 'PIL', 'cryptography', 'pydantic'} "
        "& sys.modules.keys())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_defaults_are_not_given() -> None:
    assert parsed() == Settings()


def test_a_flag_goes_before_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDREST_PORT", "9001")
    monkeypatch.setenv("SDREST_CORS", "0")
    assert parsed() == Settings(port=9001, cors=False, given=frozenset({"port", "cors"}))
    assert parsed("--port", "9002", "--cors").port == 9002


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_every_flag_has_a_variable(flag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"base_path": "/sd", "trusted_proxy": "127.0.0.1"}
    value = flag.default_text or values.get(flag.name, "https://example.org")
    monkeypatch.setenv(flag.variable, value)
    assert parsed().given == {flag.name}


def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDREST_MAX_QUEUE", "0")
    assert main([]) == 1
    assert capfd.readouterr().err == (
        "error SDREST_MAX_QUEUE should be a whole number of at least 1, not '0'.\n"
    )


@pytest.mark.parametrize("arguments", [["--delete-incomplete", "--no-delete-incomplete"], []])
def test_what_is_switched_off_stays_off(arguments: list[str]) -> None:
    assert not parsed(*arguments).delete_incomplete


def test_stray_words_are_kept_apart() -> None:
    assert context("--port", "1", "foo", "--no-cors", "bar").args == ["foo", "bar"]


@pytest.mark.parametrize("reader", ["head -n 0", "true"])
def test_help_into_a_closed_pipe_is_no_error(reader: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m sdrest --help | {reader}', sys.executable],
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
        timeout=60,
    )
    assert done.stderr == b""


@pytest.mark.parametrize("words", [["help"], ["help", "--help"], ["help", "help"],
                                   ["help", "serve"], ["serve", "--help"]])  # fmt: skip
def test_the_command_help_prints_the_help(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert capfd.readouterr() == (help_text(), "")


@pytest.mark.parametrize("name", ["setup", "doctor", "generate"])
def test_help_of_a_command_is_its_own(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    expected = capfd.readouterr()
    assert main(["help", name]) == 0
    assert capfd.readouterr() == expected
    assert expected.out.startswith(f"Usage: sdrest {name} ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["genrate", "a fox"], "There is no command 'genrate'. Did you mean `sdrest generate`?"),
        (["servr"], "There is no command 'servr'. Did you mean `sdrest serve`?"),
        (["SETUP"], "There is no command 'SETUP'. Did you mean `sdrest setup`?"),
        (["docter", "--json"], "There is no command 'docter'. Did you mean `sdrest doctor`?"),
        (["hlep"], "There is no command 'hlep'. Did you mean `sdrest help`?"),
        (["help", "genrate"], "There is no command 'genrate'. Did you mean `sdrest generate`?"),
        (["lighthouse"], "There is no command 'lighthouse'. `sdrest help` lists them."),
        ([""], "There is no command ''. `sdrest help` lists them."),
        (["--port", "0", "genrate"], "There is no command 'genrate'. Did you mean `sdrest gener"),
        (["--port", "0", "doctor"], "A command comes first: `sdrest doctor [options]`."),
    ],
)
def test_a_mistyped_command_starts_no_server(
    words: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"error {line}")
    assert err.count("\n") == 1


KUBERNETES = {
    "SDREST_PORT": "tcp://10.0.0.1:8888",
    "SDREST_SERVICE_HOST": "10.0.0.1",
    "SDREST_SERVICE_PORT": "8888",
    "SDREST_SERVICE_PORT_HTTP": "8888",
    "SDREST_PORT_8888_TCP": "tcp://10.0.0.1:8888",
    "SDREST_PORT_8888_TCP_ADDR": "10.0.0.1",
    "SDREST_PORT_8888_TCP_PORT": "8888",
    "SDREST_PORT_8888_TCP_PROTO": "tcp",
}
DOCKER = KUBERNETES | {"SDREST_NAME": "/page/sdrest", "SDREST_ENV_PATH": "/usr/bin"}


@pytest.mark.parametrize(
    "address",
    ["tcp://10.0.0.1:8888", "udp://10.0.0.1:53", "sctp://10.0.0.1:9", "tcp://[fd00::1]:8888",
     "TCP://sdrest.local:1"],
)  # fmt: skip
@pytest.mark.parametrize("flag", ["port", "host", "output", "cors_origin", "max_queue"])
def test_the_address_of_a_service_is_no_flag(
    flag: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SDREST_{flag.upper()}", address)
    assert parsed() == Settings()
    monkeypatch.setenv("SDREST_CONCURRENCY", "2")
    assert parsed("--port", "9001").given == {"port", "concurrency"}


@pytest.mark.parametrize("variables", [KUBERNETES, DOCKER])
def test_variables_of_kubernetes_and_docker_are_recognised(variables: dict[str, str]) -> None:
    own = {"SDREST_CORS": "true", "SDREST_HOST": "10.0.0.1", "SDREST_OUTPUT": "/out", "HOME": "/"}
    own |= {"SDREST_TOKEN": "tcp://10.0.0.1:8888", "TCP": "tcp://10.0.0.1:8888"}
    assert service_variables(variables | own) == sorted(variables)


@pytest.mark.parametrize("text", ["abc", "tcp://", "tcp://10.0.0.1", "tcp:10.0.0.1:8888", "88 88"])
def test_a_wrong_port_variable_is_still_an_error(
    text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDREST_PORT", text)
    assert main([]) == 1
    assert capfd.readouterr().err.startswith("error SDREST_PORT should be a whole number from 0")


@pytest.mark.parametrize("words", [["doctor", "--json"], ["setup", "--dry-run"], ["generate"]])
def test_other_commands_ignore_variables_of_services_too(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sdrest", *words],
        cwd=tmp_path,
        env=environment(**KUBERNETES),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    notes = [line for line in done.stderr.splitlines() if "SDREST_PORT" in line]
    assert notes == [ignored(KUBERNETES)]
    assert "SDREST_" not in done.stdout


def ignored(variables: dict[str, str]) -> str:
    names = ", ".join(sorted(variables))
    return f"info Ignored {names}: Kubernetes or Docker set them for a service named sdrest."
