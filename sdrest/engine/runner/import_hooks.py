"""Watches what a script imports.

Remembers what imports set in the environment, since later jobs do not import the modules again;
calls back when a module is imported; and records a failed import, which may leave half a module.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any


class ImportHooks:
    """A finder that delegates to the others and wraps their loaders.

    `environment` holds the variables that imports set, `executing` counts the modules in execution,
    `failure` is the exception of the last outermost import that failed.
    """

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.executing = 0
        self.failure: BaseException | None = None
        self._searching: set[str] = set()
        self._callbacks: dict[str, list[Callable[[ModuleType], None]]] = {}

    def install(self) -> None:
        """Start to watch."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Stop watching."""
        sys.meta_path.remove(self)

    def when_imported(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        """Call `callback` with the module `name` when it is imported; now if it already is."""
        if name in sys.modules:
            callback(sys.modules[name])
        else:
            self._callbacks.setdefault(name, []).append(callback)

    def cancel(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        """Remove a callback of `when_imported`."""
        callbacks = self._callbacks.get(name, [])
        if callback in callbacks:
            callbacks.remove(callback)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec that the other finders return, with its loader wrapped."""
        if name in self._searching:  # called by a finder that delegates, as this one does
            return None
        self._searching.add(name)
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find and finder is not self else None
                if spec is not None:
                    self._watch(spec.loader, name)
                    return spec
        finally:
            self._searching.discard(name)
        return None

    def _watch(self, loader: Any, name: str) -> None:
        execute = getattr(loader, "exec_module", None)
        if execute is None or isinstance(loader, type):  # built into the interpreter
            return
        try:
            loader.exec_module = functools.partial(self._execute, loader, execute, name)
        except AttributeError:  # a loader that takes no attributes
            return

    def _execute(
        self, loader: Any, execute: Callable[[ModuleType], None], name: str, module: ModuleType
    ) -> None:
        vars(loader).pop("exec_module", None)
        if threading.current_thread() is not threading.main_thread():
            execute(module)
        else:
            self._execute_in_main(execute, module)
        for callback in self._callbacks.pop(name, ()):
            callback(module)

    def _execute_in_main(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        before = None if self.executing else dict(os.environ)
        self.executing += 1
        try:
            execute(module)
        except BaseException as error:
            if before is not None:
                self.failure = error
            raise
        finally:
            self.executing -= 1
            if before is not None:
                self.environment.update(
                    (key, value) for key, value in os.environ.items() if before.get(key) != value
                )
