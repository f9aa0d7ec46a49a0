"""Load Dask so that it neither reads the user's settings of it nor writes to the terminal."""

import logging
import warnings
from types import ModuleType
from typing import Any

from sdrest.errors import UsageError

_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
}
"""Both serve plain HTTP on a port of its own, without asking who calls: it has no routes."""

HTTP_ADDRESS = "127.0.0.1:0"
"""Where that port is: it is reached from this machine alone."""

_LOGGERS = ("distributed", "distributed.client", "bokeh", "tornado", "tornado.application")
"""Loggers to which Dask gives handlers of its own."""


def load() -> ModuleType:
    """Return the module `distributed`, which takes half a second at first.

    Raises `UsageError` where the user's settings of Dask, which it reads in any case, are damaged.
    """
    logging.disable()  # those settings may let it log on stderr
    try:
        import dask.config  # noqa: PLC0415 (a server without a cluster does not need it)
        import distributed  # noqa: PLC0415

        dask.config.refresh(paths=[], env={})  # they are for the user's other programs
    except ValueError as error:
        raise UsageError(f"Dask cannot be loaded. {str(error).splitlines()[0]}") from error
    finally:
        logging.disable(logging.NOTSET)
    dask.config.set(_SETTINGS)
    warnings.filterwarnings("ignore", category=FutureWarning, module="distributed")  # its own use
    _fold_logging()
    return distributed


def _fold_logging() -> None:
    """Let Dask log through our handlers: at `debug` what it does, otherwise only its errors.

    What matters of its warnings, a worker that is gone, sdrest says itself.
    """
    debug = logging.getLogger("sdrest").isEnabledFor(logging.DEBUG)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.INFO if debug else logging.CRITICAL)
