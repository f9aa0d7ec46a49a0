"""Builds models and other objects, and knows the random numbers that it consumed.

If an earlier process has found out how many numbers a model consumes, and that its checkpoint
replaces all of them, the model is built without them and the generator is advanced instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any

from . import consumed, rng
from .initialization import Initialization, is_supported


class Built:
    """A built object, and the random numbers that building it consumes.

    `model` is a text that names the object, its configuration and the versions that build it.
    Call `complete` before the object is used.
    """

    def __init__(self, construct: Callable[[], Any], model: str) -> None:
        self._construct = construct
        self._model = model
        self._init: Any = None  # an `Initialization` until the object is complete
        self._draws = 0
        self._before = rng.RandomStates()
        self._after: rng.RandomStates | None = None  # until the numbers between are counted
        self.value = self._build()

    def complete(self, given: Collection[str] = ()) -> bool:
        """Make sure that no value is missing; return whether another seed gives the same values.

        A checkpoint has replaced the values of the names `given`.
        """
        init, self._init = self._init, None
        if init is None or not hasattr(self.value, "state_dict"):
            return True
        lacking = init.lacking(self.value, given)
        if init.skipped and lacking:
            self._fill(lacking)
        elif not (init.skipped or lacking):
            with contextlib.suppress(rng.UnknownStateError):
                self._count(init.numbers_guess)
                consumed.write(self._model, consumed.Consumed(init.calls, self._draws))
        return not lacking

    def advance_rng(self, *, accelerated: bool) -> bool:
        """Advance the RNG as building does; return whether the script may continue with it.

        If scripts compute elsewhere (`accelerated`), their noise is not from this RNG.
        """
        if accelerated:
            return True
        try:
            self._count()
        except rng.UnknownStateError:
            return False
        rng.set_torch_state(rng.advance(rng.RandomStates().torch, self._draws))
        return True

    def _build(self) -> Any:
        if not is_supported():
            value = self._construct()
            self._after = rng.RandomStates()
            return value
        known = consumed.read(self._model)
        if known:
            with contextlib.suppress(Exception):  # an ordinary build raises it again, if it is real
                value = self._watched_build(Initialization(skipped=True))
                if self._init.calls == known.calls and rng.RandomStates() == self._before:
                    self._draws = known.numbers
                    rng.set_torch_state(rng.advance(self._before.torch, known.numbers))
                    return value
                del value  # the repository was edited: other numbers than those known are drawn
            self._before.restore()
        value = self._watched_build(Initialization(skipped=False))
        self._after = rng.RandomStates()
        return value

    def _watched_build(self, init: Initialization) -> Any:
        self._init = init
        try:
            with init.watch():
                return self._construct()
        finally:
            init.stop()

    def _fill(self, names: Collection[str]) -> None:
        """Give some weights the values that building with random numbers gives them."""
        now = rng.RandomStates()
        self._before.restore()
        weights = self._construct().state_dict()
        now.restore()
        own = type(self.value).load_state_dict
        own(self.value, {name: weights[name] for name in names}, strict=False)

    def _count(self, guess: int = 0) -> None:
        if self._after is None:
            return
        if self._before.others != self._after.others:
            raise rng.UnknownStateError("Another generator was used.")
        self._draws = rng.count_draws(self._before.torch, self._after.torch, guess=guess)
        self._after = None
