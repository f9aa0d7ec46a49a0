"""What is wrong with a model or a configuration that a script could not load. Pure.

The fork loads its own checkpoint through torch, and two models by name through transformers.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from sdrest.engine.local.failures.ending import Raised
from sdrest.engine.local.hub_models import SAFETY_CHECKER, TEXT_ENCODER, TITLES
from sdrest.errors import Failure, FailureCode

_HUB_LOADERS = {
    *("configuration_auto.py", "configuration_utils.py"),
    *("feature_extraction_auto.py", "feature_extraction_utils.py", "image_processing_utils.py"),
    *("modeling_utils.py", "tokenization_clip.py", "tokenization_utils_base.py"),
}
"""Files of transformers on the way of an exception that is due to a model loaded by name."""

_TEXT_ENCODER_FILE = "modules.py"
"""The fork's file that loads the text encoder; the safety checker is loaded by txt2img.py."""

_SIZE_MISMATCH = re.compile(
    r"size mismatch for (?P<name>[^:\s]+): copying a param with shape "
    r"torch\.Size\((?P<found>[^)]*)\) from checkpoint, the shape in current model is "
    r"torch\.Size\((?P<wanted>[^)]*)\)"
)
_REPOSITORY_FILE = re.compile(
    r"""["']REPOSITORY/(?P<name>[^"'\n]+\.(?:ya?ml|json))["'](?P<place>, line \d+)?"""
)


def hub_model_problem(
    raised: Raised, shown: str, problems: Mapping[str, Failure], folders: Mapping[str, Path]
) -> Failure | None:
    """Return what is wrong with a model that transformers loads by name; None if it is not one.

    `shown` is the exception's redacted text. `problems` says what the files of these models show;
    otherwise the message has the exception's own reason, and which of the `folders` to delete.
    """
    if not _HUB_LOADERS & raised.files:
        return None
    named = next((model for model in TITLES if model in raised.text), None)
    model = named or (TEXT_ENCODER if _TEXT_ENCODER_FILE in raised.files else SAFETY_CHECKER)
    known = problems.get(model)
    if known:
        return known
    return Failure(
        FailureCode.MODEL_INVALID,
        f"The {TITLES[model]} ({model}) cannot be loaded: it is damaged, incomplete or another "
        f"model. Delete {folders.get(model, 'its folder')}, then run `sdrest setup` on the "
        f"server's machine. ({state_dict_reason(shown)[:400]})",
    )


def config_problem(types: Collection[str], shown: str, config: str) -> Failure | None:
    """Return what is wrong with a configuration file of the repository; None if it is not that.

    `shown` is the exception's redacted text. It may name no file: then it is about `config`.
    """
    found = _REPOSITORY_FILE.search(shown)
    if found is None and not (config and "OmegaConfBaseException" in types):
        return None
    name = found["name"] if found else config
    remedy = f"Restore it there: git checkout -- {name}"
    if "FileNotFoundError" in types:
        return Failure(FailureCode.SCRIPT_MISSING, f"The repository has no {name}. {remedy}")
    if {"YAMLError", "JSONDecodeError", "OmegaConfBaseException"}.intersection(types):
        reason = shown.partition("\n")[0]
        place = (found["place"] or "") if found else ""
        return Failure(
            FailureCode.SCRIPT_MISSING,
            f"The repository's {name} is damaged{place} ({reason}). {remedy}",
        )
    return None


def state_dict_reason(text: str) -> str:
    """Return the reason of an error of loading in one line: of wrong shapes the first one.

    torch lists each parameter on a line of its own, below a line that gives no reason.
    """
    mismatch = _SIZE_MISMATCH.search(text)
    if mismatch:
        more = ", and more" if len(_SIZE_MISMATCH.findall(text)) > 1 else ""
        return (
            f"size mismatch for {mismatch['name']}: the checkpoint has shape {mismatch['found']}, "
            f"the model wants {mismatch['wanted']}{more}"
        )
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    return f"{first} {rest[0]}" if first.endswith(":") and rest else first
