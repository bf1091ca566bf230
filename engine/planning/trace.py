"""What a computation would allocate and compute, found by running it on the meta device.

Nothing is guessed about what autograd keeps: the real model, adapter and loss run on tensors that have shapes and no
data, and every storage that PyTorch makes or drops is written down, with the arithmetic and the traffic of every
operator. What an operator uses inside itself is not seen.
"""

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten


class Event(NamedTuple):
    """A storage is made, or dropped where `size` is -1. storage: its number within the trace. size: bytes."""

    storage: int
    size: int


class Operator(NamedTuple):
    """One operator. flops: floating-point operations of its products, 0 for others. moved: bytes read and written."""

    dtype: torch.dtype
    flops: float
    moved: int


@dataclass
class _Storage:
    part: str
    size: int
    alive: weakref.ref[torch.UntypedStorage]


@dataclass(eq=False)
class Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Storages and operators of everything that runs inside the `with`.

    part_of: names the part of memory that a new tensor belongs to. live, at_peak: bytes by part, now and when most
    were live at once.
    """

    part_of: Callable[[torch.Tensor], str]
    events: list[Event] = field(default_factory=list, init=False)
    operators: list[Operator] = field(default_factory=list, init=False)
    live: dict[str, int] = field(default_factory=dict, init=False)
    at_peak: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[int, _Storage] = {}
        self._ignored: set[int] = set()
        self._count = self._bytes = self._peak = 0

    @property
    def peak(self) -> int:
        """Most bytes that were live at once."""
        return self._peak

    def ignore(self, tensors: Iterable[torch.Tensor]) -> None:
        """Do not count these; they must live as long as the trace."""
        self._ignored |= {id(tensor.untyped_storage()) for tensor in tensors}

    def adopt(self, tensor: torch.Tensor, part: str) -> None:
        """Count a tensor's storage from now until it is dropped, once, whatever views of it there are."""
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known or key in self._ignored:
            return
        self._count += 1
        number, size = self._count, storage.nbytes()

        def dropped(_: object) -> None:
            known = self._known.pop(key)
            self.events.append(Event(number, -1))
            self._change(known.part, -size)

        self._known[key] = _Storage(part, size, weakref.ref(storage, dropped))
        self.events.append(Event(number, size))
        self._change(part, size)

    def rename(self, tensor: torch.Tensor, part: str) -> None:
        """The tensor's storage belongs to another part than it seemed when it was made."""
        known = self._known[id(tensor.untyped_storage())]
        self.live[known.part] -= known.size
        self.live[part] = self.live.get(part, 0) + known.size
        known.part = part

    def _change(self, part: str, size: int) -> None:
        self.live[part] = self.live.get(part, 0) + size
        self._bytes += size
        if self._bytes > self._peak:
            self._peak, self.at_peak = self._bytes, dict(self.live)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # transformers asks whether nothing is padded: the longest batches nearly always are
        if func in _READS_DATA and args[0].is_meta:
            return False
        out = func(*args, **(kwargs or {}))
        if func.is_view or func is aten._unsafe_view.default:
            return out
        made = list(_tensors((out,)))
        for tensor in made:
            self.adopt(tensor, self.part_of(tensor))
        if made:
            moved = sum(map(_extent, made)) + sum(map(_extent, _tensors(args)))
            flops = _flops(func, args, kwargs or {}, out)
            self.operators.append(Operator(made[0].dtype, flops, moved))
        return out


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Those among `values` and in the lists among them."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _extent(tensor: torch.Tensor) -> int:
    """Bytes of `tensor` that lie in memory: an expanded one has fewer than it seems."""
    if 0 not in tensor.stride():
        return tensor.nbytes
    sizes = (size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
    return math.prod(sizes) * tensor.element_size()


def _flops(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], out: Any) -> float:
    """Floating-point operations as torch counts them; those of attention on a CPU, which it does not know, as ours."""
    if func in _CPU_ATTENTION:
        return _CPU_ATTENTION[func](args)
    count = flop_registry.get(func._overloadpacket)
    return float(count(*args, **kwargs, out_val=out)) if count else 0.0


def _attention(args: Sequence[Any]) -> float:
    """Scores and their product with the values; query and key are (samples, heads, length, width)."""
    query, key = args[0], args[1]
    return 4.0 * int(query.numel()) * int(key.shape[-2])


def _attention_backward(args: Sequence[Any]) -> float:
    """The scores once more, and four products of their size."""
    return 2.5 * _attention(args[1:])


_READS_DATA = {aten._local_scalar_dense.default, aten.is_nonzero.default, aten.equal.default}

_CPU_ATTENTION: dict[Any, Callable[[Sequence[Any]], float]] = {
    aten._scaled_dot_product_flash_attention_for_cpu.default: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward.default: _attention_backward,
}
