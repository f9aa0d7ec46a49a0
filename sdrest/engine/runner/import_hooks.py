"""Watching what a script imports.

What an import sets in the environment is remembered, since a later job will not import it again;
who waits for a module gets it as soon as it is there; an import that failed is noted, since the
process may hold half a module then.
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
    """A finder that asks the others, and stands in their way for a moment.

    `running` is how many modules are being executed, `failure` what the last of the outermost ones
    raised that did not come to its end.
    """

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.running = 0
        self.failure: BaseException | None = None
        self._sought: set[str] = set()
        self._waiting: dict[str, list[Callable[[ModuleType], None]]] = {}

    def install(self) -> None:
        """Watch from here on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Watch no more."""
        sys.meta_path.remove(self)

    def after(self, name: str, call: Callable[[ModuleType], None]) -> None:
        """Give the module `name` to `call` once it is imported; at once if it is already."""
        if name in sys.modules:
            call(sys.modules[name])
        else:
            self._waiting.setdefault(name, []).append(call)

    def forget(self, name: str, call: Callable[[ModuleType], None]) -> None:
        """Wait for a module no more."""
        waiting = self._waiting.get(name, [])
        if call in waiting:
            waiting.remove(call)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return what the other finders find, with a loader that is watched."""
        if name in self._sought:  # asked again by a finder that asks others, as this one does
            return None
        self._sought.add(name)
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find and finder is not self else None
                if spec is not None:
                    self._watch(spec.loader, name)
                    return spec
        finally:
            self._sought.discard(name)
        return None

    def _watch(self, loader: Any, name: str) -> None:
        execute = getattr(loader, "exec_module", None)
        if execute is None or isinstance(loader, type):  # built into the interpreter
            return
        try:
            loader.exec_module = functools.partial(self._execute, loader, execute, name)
        except AttributeError:  # a loader of somebody else's that takes no attributes
            return

    def _execute(
        self, loader: Any, execute: Callable[[ModuleType], None], name: str, module: ModuleType
    ) -> None:
        vars(loader).pop("exec_module", None)
        if threading.current_thread() is not threading.main_thread():
            execute(module)
        else:
            self._execute_in_main(execute, module)
        for call in self._waiting.pop(name, ()):
            call(module)

    def _execute_in_main(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        before = None if self.running else dict(os.environ)
        self.running += 1
        try:
            execute(module)
        except BaseException as error:
            if before is not None:
                self.failure = error
            raise
        finally:
            self.running -= 1
            if before is not None:
                self.environment.update(
                    (key, value) for key, value in os.environ.items() if before.get(key) != value
                )
