"""Replaces the fork's attention by PyTorch's own, where the job asks for it.

The fork's classes compute the whole matrix of weights, which grows with the fourth power of a
picture's edge: in Stable Diffusion 1 it has 17 GB at 1024x1024 pixels. PyTorch 2.0 and later have
`scaled_dot_product_attention`, which computes the same sum in blocks: faster, without the matrix,
and rounded in another order.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

EXACT, FAST = "exact", "fast"
_AUTOMATICALLY_FAST = {"cpu", "cuda"}
"""Devices on which `auto` is fast; MPS has not been measured."""


def chosen(wanted: str, device: str) -> str:
    """Return `exact` or `fast` for what was asked for; `auto` follows the type of the device."""
    is_fast = wanted == FAST or (wanted != EXACT and device in _AUTOMATICALLY_FAST)
    return FAST if is_fast else EXACT


class Attention:
    """The attention of the running job.

    A job asks for `exact` (the fork's own, bit for bit), `fast`, or `auto`, which follows the
    device of the tensors. What it gets is reported when the script first computes attention.
    """

    def __init__(self) -> None:
        self._wanted = EXACT
        self._is_fast: bool | None = None
        self._report: Callable[[str, dict[str, Any]], None] = _nothing

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the fork's classes when their modules are imported."""
        for module, name, replacement in _REPLACEMENTS:
            imports.when_imported(module, functools.partial(self._wrap, name, replacement))

    def begin(self, wanted: str, report: Callable[[str, dict[str, Any]], None]) -> None:
        """Start a job; `report` gets the event `attention` at most once."""
        self._wanted, self._is_fast, self._report = wanted, None, report

    def _wrap(self, name: str, replacement: Callable[..., Any], module: Any) -> None:
        owner = getattr(module, name, None)
        original = getattr(owner, "forward", None)
        if original is None or _parameters(original) != _parameters(replacement):
            return  # another fork's class, which may compute something else

        @functools.wraps(original)
        def forward(block: Any, *inputs: Any, **named: Any) -> Any:
            if self._choose(inputs[0].device.type):
                result = replacement(block, *inputs, **named)
                if result is not None:
                    return result
            return original(block, *inputs, **named)

        owner.forward = forward  # type: ignore[union-attr]  # it is not None here

    def _choose(self, device: str) -> bool:
        """Return whether the job's attention is the fast one."""
        if self._is_fast is None:
            asked = chosen(self._wanted, device) == FAST
            self._is_fast = asked and hasattr(_functional(), "scaled_dot_product_attention")
            used = FAST if self._is_fast else EXACT
            self._report("attention", {"attention": used, "device": device})
        return self._is_fast


def _cross_attention(self: Any, x: Any, context: Any = None, mask: Any = None) -> Any:
    """Do what `CrossAttention` does, for `x` and `context` of the shape (batch, length, channels).

    Return None where there is a mask: the fork gives a row that is masked as a whole the mean of
    all values, PyTorch gives it NaN or 0.
    """
    if mask is not None:
        return None
    context = x if context is None else context

    def heads(tensor: Any) -> Any:
        return tensor.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    result = _attend(heads(self.to_q(x)), heads(self.to_k(context)), heads(self.to_v(context)))
    return self.to_out(result.transpose(1, 2).flatten(2))


def _autoencoder_attention(self: Any, x: Any) -> Any:
    """Do what `AttnBlock` does, for `x` of the shape (batch, channels, height, width)."""
    normal = self.norm(x)
    result = _attend(
        *(_rows(part(normal).flatten(2).unsqueeze(1)) for part in (self.q, self.k, self.v))
    )
    return x + self.proj_out(result.squeeze(1).transpose(1, 2).reshape(x.shape))


def _qkv_attention(self: Any, qkv: Any) -> Any:
    """Do what `QKVAttentionLegacy` does, for (batch, heads * 3 * channels, length)."""
    parts = qkv.unflatten(1, (self.n_heads, 3, -1)).unbind(2)
    return _attend(*map(_rows, parts)).transpose(2, 3).flatten(1, 2)


def _rows(tensor: Any) -> Any:
    """Turn (…, channels, length) into (…, length, channels), in the order that PyTorch wants.

    For tensors whose last dimension is not contiguous it computes the whole matrix.
    """
    return tensor.transpose(-2, -1).contiguous()


def _attend(query: Any, key: Any, value: Any) -> Any:
    return _functional().scaled_dot_product_attention(query, key, value)


_REPLACEMENTS = (
    ("ldm.modules.attention", "CrossAttention", _cross_attention),
    ("ldm.modules.diffusionmodules.model", "AttnBlock", _autoencoder_attention),
    ("ldm.modules.diffusionmodules.openaimodel", "QKVAttentionLegacy", _qkv_attention),
)
"""The fork's modules, their classes, and what to compute in place of their `forward`.

They are those of the text-to-image network, of its autoencoder, and of the inpainting network.
"""


def _functional() -> Any:
    return sys.modules["torch"].nn.functional


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _nothing(*_: object) -> None:
    pass
