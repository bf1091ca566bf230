"""One micro-batch through the skeleton: what a step, a validation batch or an answer allocates and computes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import PeftModel
from transformers import DynamicCache

from engine.model.lora import trainable
from engine.planning.kernels import kernels_of
from engine.planning.skeleton import Shapes
from engine.planning.trace import Operator, Trace
from engine.training.batches import Batch
from engine.training.sampling import loss_of


@dataclass(frozen=True)
class Shape:
    """A padded micro-batch. samples: rows. length: tokens a row. answer: most supervised tokens of a row."""

    samples: int
    length: int
    answer: int


@dataclass(frozen=True)
class Traced:
    """parts: live bytes by part at the peak, without what was there before. operators: how often each runs."""

    parts: dict[str, int]
    operators: Counter[Operator]

    @classmethod
    def of(cls, trace: Trace) -> "Traced":
        return cls(trace.at_peak, Counter(trace.operators))

    @property
    def peak(self) -> int:
        return sum(self.parts.values())


def trace_micro_batch(
    model: PeftModel, shapes: Shapes, shape: Shape, device: str, *, gradients_there: bool = False
) -> Traced:
    """Forward and backward of one micro-batch. gradients_there: an earlier micro-batch of the step has left its own."""
    parameters = trainable(model).values()
    model.train()
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter) if gradients_there else None
    with _tracing(model, shapes, device) as trace:
        hooks = [
            parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                lambda one: trace.rename(one.grad, "gradients")
            )
            for parameter in parameters
        ]
        for parameter in parameters:
            if parameter.grad is not None:
                trace.adopt(parameter.grad, "gradients")
        batch = meta_batch(shapes, shape)  # the loop holds it as well until the step is done
        loss = loss_of(model, batch, shapes.vocabulary) / shape.samples
        loss.backward()  # type: ignore[no-untyped-call]
        del loss, batch
        for parameter in parameters:
            parameter.grad = None
    for hook in hooks:
        hook.remove()
    return Traced.of(trace)


def trace_validation(model: PeftModel, shapes: Shapes, shape: Shape, device: str) -> Traced:
    """The loss of one validation batch, without gradients."""
    model.eval()
    with torch.no_grad(), _tracing(model, shapes, device) as trace:
        loss_of(model, meta_batch(shapes, shape), shapes.vocabulary)
    return Traced.of(trace)


def trace_answer(model: PeftModel, shapes: Shapes, shape: Shape, device: str) -> tuple[Traced, Traced]:
    """Reading the prompts of a batch, and writing the last token of its answers (`shape.answer` of them)."""
    model.eval()
    base = model.get_base_model()
    with torch.no_grad():
        cache = DynamicCache(config=base.config.text_config)
        batch = meta_batch(shapes, shape)
        with _tracing(model, shapes, device) as read:
            base(
                input_ids=batch.ids,
                attention_mask=batch.mask,
                pixel_values=batch.pixels,
                past_key_values=cache,
                logits_to_keep=1,
                use_cache=True,
            )
        with _tracing(model, shapes, device) as written:
            for layer in cache.layers:
                grown = (*layer.keys.shape[:2], shape.length + shape.answer, layer.keys.shape[3])
                layer.keys, layer.values = (
                    torch.empty(grown, dtype=layer.keys.dtype, device="meta") for _ in "kv"
                )
            total = shape.length + shape.answer + 1
            base(
                input_ids=batch.ids[:, :1],
                attention_mask=torch.ones(shape.samples, total, dtype=torch.int64, device="meta"),
                past_key_values=cache,
                logits_to_keep=1,
                use_cache=True,
            )
    return Traced.of(read), Traced.of(written)


def meta_batch(shapes: Shapes, shape: Shape) -> Batch:
    """A batch of that shape without contents."""

    def integers(columns: int) -> torch.Tensor:
        return torch.zeros(shape.samples, columns, dtype=torch.int64, device="meta")

    side = shapes.image_size
    return Batch(
        ids=integers(shape.length),
        mask=integers(shape.length),
        pixels=torch.zeros(shape.samples, 3, side, side, device="meta"),
        positions=integers(shape.answer),
        targets=integers(shape.answer),
        supervised=shape.samples * shape.answer,
        padding=0.0,
        samples=(),
    )


@contextmanager
def _tracing(model: PeftModel, shapes: Shapes, device: str) -> Iterator[Trace]:
    """A trace that knows the model's own storages, so that only what comes beside them counts."""
    vocabulary = (shapes.vocabulary, shapes.llava.text_config.vocab_size)

    def part_of(tensor: torch.Tensor) -> str:
        return "logits" if tensor.ndim and tensor.shape[-1] in vocabulary else "activations"

    trace = Trace(part_of)
    trace.ignore([*model.parameters(), *model.buffers()])
    with kernels_of(device), trace:
        yield trace
