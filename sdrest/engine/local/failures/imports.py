"""What is missing where a script cannot import a module, and what helps. Pure."""

import re

from sdrest.engine.local.failures.ending import FailureContext, Raised
from sdrest.engine.local.failures.redaction import shorten
from sdrest.engine.local.failures.resources import lacks_execution

_PACKAGES = {
    "PIL": "pillow",
    "clip": "clip-anytorch",
    "cv2": "opencv-python-headless",
    "imwatermark": "invisible-watermark",
    "pytorch_lightning": "pytorch-lightning",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "taming": "taming-transformers-rom1504",
    "yaml": "pyyaml",
}
"""Packages by the module that they bring, where the two names differ."""

_OWN_MODULES = ("ldm", "main")
"""Modules that are folders and files of the repository."""

_NO_LIBRARY = re.compile(
    r"(?:^|\s|/)(?P<name>[\w.+-]+): cannot open shared object file"
    r"|Library not loaded: (?:\S*/)?(?P<dylib>[\w.+-]+)"
)
"""A shared library that is not there, in the words of Linux and of macOS."""


def import_advice(raised: Raised, text: str, context: FailureContext) -> str:
    """Return what the script's Python lacks, and what to install; `text` is the redacted error."""
    if lacks_execution(str(raised), noexec=context.noexec):
        return (
            "The file system of the repository's Python forbids execution. Mount it without "
            f"noexec, or make the virtual environment elsewhere. ({shorten(text)})"
        )
    library = _NO_LIBRARY.search(raised.text)
    if library:
        return (
            f"The repository's Python lacks the library {library[1] or library[2]}. Install it "
            "with the system's package manager, or install the Python package that needs it again, "
            f"with {context.pip} --force-reinstall. ({shorten(text)})"
        )
    module = (raised.module or "").partition(".")[0]
    if not module or "ModuleNotFoundError" not in raised.types:
        return (
            f"The repository's Python cannot import what the script needs: {shorten(text)} "
            f"Install it again there, with {context.pip}."
        )
    if module in _OWN_MODULES:
        return (
            f"The repository lacks its own module {raised.module}. Check it out again, and "
            "start the server with --repository followed by its folder."
        )
    return (
        f"The repository's Python has no module {module}. Install it there: "
        f"{context.pip} {module_package(module)}"
    )


def module_package(module: str) -> str:
    """Return the name of the package that brings a module."""
    return _PACKAGES.get(module, module.replace("_", "-"))
