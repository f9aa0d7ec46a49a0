"""PyTorch's attention in place of the fork's, on arrays that have the names of torch's tensors."""

import math
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sdrest.engine.runner.attention import Attention
from sdrest.engine.runner.import_hooks import ImportHooks

RANDOM = np.random.default_rng(1)


class Tensor:
    """A NumPy array with as much of torch's interface as attention uses."""

    def __init__(self, array: Any, device: str = "cpu") -> None:
        self.array = np.asarray(array)
        self.device = SimpleNamespace(type=device)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def __add__(self, other: "Tensor") -> "Tensor":
        return Tensor(self.array + other.array)

    def contiguous(self) -> "Tensor":
        return Tensor(np.ascontiguousarray(self.array))

    def transpose(self, first: int, second: int) -> "Tensor":
        return Tensor(self.array.swapaxes(first, second))

    def reshape(self, shape: tuple[int, ...]) -> "Tensor":
        return Tensor(self.array.reshape(shape))

    def unflatten(self, axis: int, sizes: tuple[int, ...]) -> "Tensor":
        axis %= self.array.ndim
        shape = (*self.shape[:axis], *sizes, *self.shape[axis + 1 :])
        return Tensor(self.array.reshape(shape))

    def flatten(self, start: int, end: int = -1) -> "Tensor":
        end %= self.array.ndim
        return Tensor(self.array.reshape((*self.shape[:start], -1, *self.shape[end + 1 :])))

    def unsqueeze(self, axis: int) -> "Tensor":
        return Tensor(np.expand_dims(self.array, axis))

    def squeeze(self, axis: int) -> "Tensor":
        return Tensor(self.array.squeeze(axis))

    def unbind(self, axis: int) -> "list[Tensor]":
        return [Tensor(part) for part in np.moveaxis(self.array, axis, 0)]


def softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def attend(query: Any, key: Any, value: Any) -> Any:
    return softmax(query @ key.swapaxes(-2, -1) / math.sqrt(query.shape[-1])) @ value


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    for tensor in (query, key, value):
        assert tensor.array.ndim == 4
        assert tensor.array.strides[-1] == tensor.array.itemsize  # else torch makes the matrix
    return Tensor(attend(query.array, key.array, value.array))


class CrossAttention:
    """As the fork has it, loops in place of einops."""

    def __init__(self) -> None:
        self.heads = 2
        self.weights = [RANDOM.normal(size=size) for size in ((6, 8), (5, 8), (5, 8), (8, 6))]
        self.to_q, self.to_k, self.to_v, self.to_out = map(self.linear, self.weights)

    @staticmethod
    def linear(weight: Any) -> Any:
        return lambda x: Tensor(x.array @ weight, x.device.type)

    def forward(self, x: Tensor, context: Any = None, mask: Any = None) -> Any:
        context = x if context is None else context
        query, key, value = self.to_q(x), self.to_k(context), self.to_v(context)
        width = query.shape[-1] // self.heads
        heads = []
        for number in range(self.heads):
            part = slice(number * width, (number + 1) * width)
            heads.append(
                attend(query.array[..., part], key.array[..., part], value.array[..., part])
            )
        result = self.to_out(Tensor(np.concatenate(heads, axis=-1)))
        return ("exact" if mask is None else f"exact with {mask}"), result


class AttnBlock:
    """As the fork has it, without convolutions."""

    norm = staticmethod(lambda x: Tensor(x.array / 2))
    q = staticmethod(lambda x: Tensor(x.array * 3))
    k = staticmethod(lambda x: Tensor(x.array + 1))
    v = staticmethod(lambda x: Tensor(x.array[:, ::-1]))
    proj_out = staticmethod(lambda x: Tensor(x.array * 5))

    def forward(self, x: Tensor) -> Any:
        normal = self.norm(x)
        query, key, value = (
            part(normal).array.reshape(*x.shape[:2], -1) for part in (self.q, self.k, self.v)
        )
        weights = softmax(query.swapaxes(1, 2) @ key / math.sqrt(x.shape[1]))
        result = (value @ weights.swapaxes(1, 2)).reshape(x.shape)
        return "exact", x + self.proj_out(Tensor(result))


class QKVAttentionLegacy:
    """As the fork has it: all heads one after the other, each with its q, k and v."""

    n_heads = 3

    def forward(self, qkv: Tensor) -> Any:
        heads = []
        for head in np.split(qkv.array, self.n_heads, axis=1):
            query, key, value = (part.swapaxes(1, 2) for part in np.split(head, 3, axis=1))
            heads.append(attend(query, key, value).swapaxes(1, 2))
        return "exact", Tensor(np.concatenate(heads, axis=1))


MODULES = {
    "ldm.modules.attention": CrossAttention,
    "ldm.modules.diffusionmodules.model": AttnBlock,
    "ldm.modules.diffusionmodules.openaimodel": QKVAttentionLegacy,
}


class Jobs:
    """Jobs in one process, which has a torch and the fork's modules."""

    def __init__(self) -> None:
        self.functional = SimpleNamespace(scaled_dot_product_attention=scaled_dot_product_attention)
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.attention = Attention()

    def watch(self) -> None:
        self.attention.watch(ImportHooks())

    def begin(self, wanted: str) -> None:
        self.reports.clear()
        self.attention.begin(wanted, lambda name, content: self.reports.append((name, content)))

    @property
    def reported(self) -> list[str]:
        assert all(name == "attention" for name, _ in self.reports)
        return [content["attention"] for _, content in self.reports]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs()
    torch = SimpleNamespace(nn=SimpleNamespace(functional=jobs.functional))
    monkeypatch.setitem(sys.modules, "torch", torch)
    for name, owner in MODULES.items():
        module = ModuleType(name)
        # A class of its own for each test, since its `forward` is replaced.
        setattr(module, owner.__name__, type(owner.__name__, (owner,), dict(vars(owner))))
        monkeypatch.setitem(sys.modules, name, module)
    return jobs


def made(name: str) -> Any:
    module = next(module for module, owner in MODULES.items() if owner.__name__ == name)
    return getattr(sys.modules[module], name)()


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("CrossAttention", [(2, 7, 6), (2, 4, 5)]),
        ("AttnBlock", [(2, 8, 3, 5)]),
        ("QKVAttentionLegacy", [(2, 36, 10)]),
    ],
)
def test_both_compute_the_same(jobs: Jobs, name: str, shapes: list[tuple[int, ...]]) -> None:
    jobs.watch()
    block = made(name)
    inputs = [Tensor(RANDOM.normal(size=shape)) for shape in shapes]
    jobs.begin("exact")
    kind, exact = block.forward(*inputs)
    assert (kind, jobs.reported) == ("exact", ["exact"])
    for _ in range(2):  # as a warm process does, one after the other
        jobs.begin("fast")
        fast = block.forward(*inputs)
        assert jobs.reported == ["fast"]
        np.testing.assert_allclose(fast.array, exact.array, rtol=1e-9)
        jobs.begin("exact")
        again = block.forward(*inputs)[1]
        assert np.array_equal(again.array, exact.array)


@pytest.mark.parametrize(
    ("wanted", "device", "reported"),
    [
        ("auto", "cpu", "fast"),
        ("auto", "cuda", "fast"),
        ("auto", "mps", "exact"),
        ("fast", "mps", "fast"),
        ("exact", "cuda", "exact"),
    ],
)
def test_auto_follows_the_device(jobs: Jobs, wanted: str, device: str, reported: str) -> None:
    jobs.watch()
    jobs.begin(wanted)
    made("AttnBlock").forward(Tensor(np.ones((1, 4, 2, 2)), device))
    made("AttnBlock").forward(Tensor(np.ones((1, 4, 2, 2)), device))
    assert jobs.reported == [reported]


def test_a_mask_is_left_to_the_fork(jobs: Jobs) -> None:
    jobs.watch()
    jobs.begin("fast")
    x, context = Tensor(np.ones((1, 3, 6))), Tensor(np.ones((1, 2, 5)))
    assert made("CrossAttention").forward(x, context=context, mask="m")[0] == "exact with m"


def test_an_old_torch_has_no_fast_one(jobs: Jobs) -> None:
    del jobs.functional.scaled_dot_product_attention
    jobs.watch()
    jobs.begin("fast")
    assert made("AttnBlock").forward(Tensor(np.ones((1, 4, 2, 2))))[0] == "exact"
    assert jobs.reported == ["exact"]


def test_a_class_that_takes_something_else_stays(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = type(made("AttnBlock"))
    monkeypatch.setattr(owner, "forward", lambda self, x, scale: (self, x, scale))
    before = owner.forward
    jobs.watch()
    assert owner.forward is before


def test_nothing_is_reported_without_attention(jobs: Jobs) -> None:
    jobs.watch()
    jobs.begin("fast")
    assert jobs.reported == []
