"""Failures of models, configurations and disks, in words."""

import errno
import re
from dataclasses import replace

import pytest

from sdrest.engine.local.failures.classify import classify
from sdrest.engine.local.failures.ending import Ending
from sdrest.engine.local.failures.model_failures import state_dict_reason
from sdrest.errors import Failure, FailureCode
from tests.support.failures import AROUND, ending_of, raised

SAFETY_CHECKER = "CompVis/stable-diffusion-safety-checker"


TEXT_ENCODER = "openai/clip-vit-large-patch14"


def unloadable(kind: str, text: str, *files: str) -> Ending:
    return raised(kind, text=text, files=frozenset({"txt2img.py", *files}))


@pytest.mark.parametrize(
    ("ending", "title"),
    [
        (  # in the words of transformers 4.30
            unloadable(
                "OSError",
                f"Error no file named pytorch_model.bin found in directory {SAFETY_CHECKER}.",
                "modeling_utils.py",
            ),
            "safety checker",
        ),
        (
            unloadable(
                "OSError",
                f"It looks like the config file at '{SAFETY_CHECKER}/config.json' is not valid.",
                *("configuration_utils.py", "modeling_utils.py"),
            ),
            "safety checker",
        ),
        (
            unloadable(
                "OSError",
                "We couldn't connect to 'https://huggingface.co' to load this file, and it looks "
                f"like {SAFETY_CHECKER} is not the path to a directory",
                "feature_extraction_auto.py",
            ),
            "safety checker",
        ),
        (
            unloadable(
                *("TypeError", "expected str, bytes or os.PathLike object, not NoneType"),
                *("modules.py", "tokenization_utils_base.py", "tokenization_clip.py"),
            ),
            "text encoder",
        ),
        (
            unloadable(
                *("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
                *("modules.py", "tokenization_utils_base.py", "tokenization_clip.py"),
            ),
            "text encoder",
        ),
        (unloadable("OSError", "You seem to have cloned", "modeling_utils.py"), "safety checker"),
    ],
)
def test_models_of_the_hub_are_named(ending: Ending, title: str) -> None:
    model = SAFETY_CHECKER if title == "safety checker" else TEXT_ENCODER
    failure = classify(ending, AROUND)
    assert failure.code is FailureCode.MODEL_INVALID
    assert f"The {title} ({model}) cannot be loaded" in failure.message
    assert "`sdrest setup`" in failure.message
    known = Failure(FailureCode.MODEL_MISSING, f"The {title} in /srv/fork/{model} is not whole.")
    failure = classify(ending, replace(AROUND, hub_problems={model: known}))
    assert failure.code is FailureCode.MODEL_MISSING
    assert failure.message == f"The {title} in REPOSITORY/{model} is not whole."


CONFIG = "configs/stable-diffusion/v1-inference.yaml"


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (
            raised(
                "FileNotFoundError",
                text=f"[Errno 2] No such file or directory: '/srv/fork/{CONFIG}'",
                errno=errno.ENOENT,
            ),
            f"The repository has no {CONFIG}.",
        ),
        (
            raised(
                *("ParserError", "MarkedYAMLError", "YAMLError"),
                text=f'while parsing a node\n  in "/srv/fork/{CONFIG}", line 2, column 7',
            ),
            f"The repository's {CONFIG} is damaged, line 2 (ParserError: while parsing a node).",
        ),
        (
            raised("ConfigAttributeError", "OmegaConfBaseException", text="Missing key model\n  x"),
            f"The repository's {CONFIG} is damaged (ConfigAttributeError: Missing key model).",
        ),
    ],
)
def test_configurations_are_named(ending: Ending, text: str) -> None:
    failure = classify(ending, replace(AROUND, config=CONFIG))
    assert failure.code is FailureCode.SCRIPT_MISSING
    assert failure.message == f"{text} Restore it there: git checkout -- {CONFIG}"


def test_a_file_that_is_not_of_the_repository_is_no_configuration() -> None:
    ending = raised("FileNotFoundError", text="No such file or directory: '/home/joe/x.yaml'")
    assert classify(ending, AROUND).code is FailureCode.SCRIPT_FAILED


def test_a_size_mismatch_names_the_shapes() -> None:
    failure = classify(ending_of("fail_ckpt_inpaintmodel"), AROUND)
    assert re.search(
        r"size mismatch for [\w.]+: the checkpoint has shape \[[\d, ]+\], "
        r"the model wants \[[\d, ]+\], and more",
        failure.message,
    )
    assert "Error(s) in loading" not in failure.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ""),
        ("a\nb", "a"),
        ('Error(s) in loading state_dict for X:\n\tMissing key(s) in state_dict: "a".', "Missing"),
    ],
)
def test_the_reason_of_a_state_dict(text: str, reason: str) -> None:
    assert reason in state_dict_reason(text)
    assert "\n" not in state_dict_reason(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "(No space left on device). Make room on the disk of the output folder."),
        (errno.EFBIG, "(File too large). Raise the limit of file sizes (ulimit -f)"),
        (errno.EROFS, "(Read-only file system). Allow the server to write to the disk"),
    ],
)
def test_the_remedy_of_a_disk_follows_its_error(number: int, text: str) -> None:
    ending = raised("OSError", errno=number)
    assert text in classify(ending, AROUND).message
    while_loading = classify(replace(ending, loaded=False), AROUND)
    assert while_loading.code is FailureCode.STORAGE_FAILED
    assert "could not write a file while it loaded" in while_loading.message
    assert "images" not in while_loading.message
