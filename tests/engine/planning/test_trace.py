"""A trace counts what is there and no more, and the meta device tells what a real one would."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from engine.config import BUNDLED_BASE, LoraSection, demo_config_path, load_config
from engine.model.loading import load_base
from engine.model.lora import add_adapter, checkpoint_activations
from engine.planning.kernels import kernels_of
from engine.planning.miniature import miniatures, with_layers
from engine.planning.plan import flops_of
from engine.planning.skeleton import read_shapes, skeleton
from engine.planning.step import Shape, trace_answer, trace_micro_batch, trace_validation
from engine.planning.trace import Trace
from engine.training.batches import Batch
from engine.training.sampling import loss_of

LORA = LoraSection(rank=4, dropout=0.1)
SHAPE = Shape(samples=2, length=160, answer=24)


def one_part(tensor: torch.Tensor) -> str:
    return "tensors"


def test_a_product_is_counted_with_its_operations_and_bytes() -> None:
    left, right = torch.empty(8, 16, device="meta"), torch.empty(16, 4, device="meta")
    with Trace(one_part) as trace:
        product = left @ right
    assert trace.peak == product.nbytes == 8 * 4 * 4
    assert sum(one.flops for one in trace.operators) == 2 * 8 * 16 * 4
    assert trace.operators[0].moved == left.nbytes + right.nbytes + product.nbytes


def test_attention_on_a_cpu_has_the_operations_that_torch_counts_on_cuda() -> None:
    """torch's table lacks the CPU's operators: a torch that knows them, or renames them, shows here."""
    shapes = read_shapes(BUNDLED_BASE)
    model = skeleton(shapes, BUNDLED_BASE, LORA, torch.float32)
    cpu, cuda = (trace_micro_batch(model, shapes, SHAPE, name) for name in ("cpu", "cuda"))
    assert flops_of(cpu.operators) == flops_of(cuda.operators) > 0


def test_a_view_takes_nothing_and_what_is_dropped_is_gone() -> None:
    source = torch.empty(10, 10, device="meta")
    with Trace(one_part) as trace:
        first = source + 1
        seen = first.t().reshape(100)[:5]
        assert trace.live == {"tensors": 2 * 400}  # flattening a transposed one copies, slicing does not
        del first, seen
        assert trace.live == {"tensors": 0}
    assert trace.peak == 800


def test_an_expanded_tensor_is_read_once() -> None:
    row = torch.empty(1, 100, device="meta")
    with Trace(one_part) as trace:
        row.expand(50, 100).sum()
    assert trace.operators[-1].moved == row.nbytes + 4


def real_batch(image_id: int, tokens: int, side: int) -> Batch:
    """A padded batch with an image in every row."""
    ids = torch.full((SHAPE.samples, SHAPE.length), 7)
    ids[:, 1 : 1 + tokens] = image_id
    mask = torch.ones_like(ids)
    mask[0, -3:] = 0
    positions = torch.arange(SHAPE.length - SHAPE.answer - 4, SHAPE.length - 4).expand(SHAPE.samples, -1)
    return Batch(
        ids=ids,
        mask=mask,
        pixels=torch.zeros(SHAPE.samples, 3, side, side),
        positions=positions.contiguous(),
        targets=torch.full((SHAPE.samples, SHAPE.answer), 9),
        supervised=SHAPE.samples * SHAPE.answer,
        padding=0.0,
        samples=(),
    )


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("projector", [False, True])
def test_the_meta_device_tells_what_the_cpu_really_allocates(
    checkpointed: bool, precision: torch.dtype, projector: bool
) -> None:
    """The bundled base, once with weights and once without: the same peak, the same operations."""
    lora = LORA.model_copy(update={"train_projector": projector})
    shapes = read_shapes(BUNDLED_BASE)
    hollow = skeleton(shapes, BUNDLED_BASE, lora, precision)
    base = load_base(BUNDLED_BASE, precision)
    base.model.requires_grad_(False)
    real = add_adapter(base.model, lora, str(BUNDLED_BASE), seed=1)
    if checkpointed:
        checkpoint_activations(hollow)
        checkpoint_activations(real)
    planned = trace_micro_batch(hollow, shapes, SHAPE, "cpu")

    real.train()
    measured = Trace(one_part)
    measured.ignore([*real.parameters(), *real.buffers()])
    # made within, as the skeleton's is; its data are read, so the trace must not answer for them
    batch = real_batch(base.encoder.image_id, base.encoder.image_tokens, base.image_processor.size)
    with measured:
        for tensor in (batch.ids, batch.mask, batch.pixels, batch.positions, batch.targets):
            measured.adopt(tensor, "batch")
        loss = loss_of(real, batch, base.vocabulary) / batch.supervised
        loss.backward()  # type: ignore[no-untyped-call]

    assert planned.peak == pytest.approx(measured.peak, rel=0.01)
    assert flops_of(planned.operators) == pytest.approx(flops_of(Counter(measured.operators)), rel=0.01)


def test_checkpointing_trades_memory_for_arithmetic() -> None:
    shapes = read_shapes(BUNDLED_BASE)
    kept, dropped = (skeleton(shapes, BUNDLED_BASE, LORA, torch.float32) for _ in range(2))
    checkpoint_activations(dropped)
    all_kept, some = (trace_micro_batch(one, shapes, SHAPE, "cpu") for one in (kept, dropped))
    assert some.peak < 0.6 * all_kept.peak
    assert flops_of(some.operators) > 1.2 * flops_of(all_kept.operators)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("projector", [False, True])
def test_two_layers_and_three_tell_exactly_what_many_take(checkpointed: bool, projector: bool) -> None:
    shapes = with_layers(read_shapes(BUNDLED_BASE), 7, 5)
    lora = LORA.model_copy(update={"train_projector": projector})
    small = miniatures(shapes, BUNDLED_BASE, lora, torch.float32, "cpu", checkpointed=checkpointed)
    full = skeleton(shapes, BUNDLED_BASE, lora, torch.float32)
    if checkpointed:
        checkpoint_activations(full)
    for again in (False, True):
        assert small.step(SHAPE, again) == trace_micro_batch(
            full, shapes, SHAPE, "cpu", gradients_there=again
        )
    assert small.validation(SHAPE) == trace_validation(full, shapes, SHAPE, "cpu")
    assert small.answer(SHAPE) == trace_answer(full, shapes, SHAPE, "cpu")
    held = small.resident()
    assert held.weights + held.adapter == sum(one.nbytes for one in full.parameters())


def test_parts_sum_to_the_peak_and_gradients_are_named() -> None:
    shapes = read_shapes(BUNDLED_BASE)
    model = skeleton(shapes, BUNDLED_BASE, LORA, torch.float32)
    later = trace_micro_batch(model, shapes, SHAPE, "cpu", gradients_there=True)
    assert sum(later.parts.values()) == later.peak
    assert later.parts["gradients"] == sum(one.nbytes for one in model.parameters() if one.requires_grad)
    small = trace_micro_batch(model, shapes, Shape(samples=1, length=128, answer=100), "cpu")
    assert small.parts["logits"] > 100 * shapes.vocabulary * 4  # where the answer is most of the sequence


def test_a_device_without_a_fused_kernel_keeps_the_scores() -> None:
    shapes = read_shapes(BUNDLED_BASE)
    model = skeleton(shapes, BUNDLED_BASE, LORA, torch.float32)
    peaks = {name: trace_micro_batch(model, shapes, SHAPE, name).peak for name in ("cpu", "mps", "cuda")}
    assert peaks["mps"] > peaks["cpu"] > peaks["cuda"]  # CUDA's dropout keeps bytes, not floats


def test_validation_and_answers_take_less_than_a_step() -> None:
    shapes = read_shapes(BUNDLED_BASE)
    model = skeleton(shapes, BUNDLED_BASE, LORA, torch.float32)
    step = trace_micro_batch(model, shapes, SHAPE, "cpu")
    reading, writing = trace_answer(model, shapes, SHAPE, "cpu")
    assert trace_validation(model, shapes, SHAPE, "cpu").peak < step.peak
    assert reading.peak < step.peak
    assert flops_of(writing.operators) < 0.2 * flops_of(reading.operators)


def test_kernels_are_exchanged_for_hollow_tensors_only_and_put_back() -> None:
    attention, dropout = torch.nn.functional.scaled_dot_product_attention, torch.nn.functional.dropout
    query = torch.randn(1, 1, 4, 8)
    plain = attention(query, query, query)
    with kernels_of("cuda"):
        torch.testing.assert_close(
            torch.nn.functional.scaled_dot_product_attention(query, query, query), plain
        )
        assert torch.nn.functional.dropout is not dropout
    assert torch.nn.functional.scaled_dot_product_attention is attention
    assert torch.nn.functional.dropout is dropout


def test_the_real_models_size_is_known_before_it_is_fetched(tmp_path: Path) -> None:
    """15,132,438,528 bytes of bfloat16 on the hub, and 64 rows each for <image>, <pad> and fill."""
    directory = tmp_path / "llava-med-v1.5-mistral-7b"
    shapes = read_shapes(directory)
    model = skeleton(shapes, directory, LoraSection(rank=16), torch.bfloat16)
    frozen = sum(one.numel() for one in model.parameters() if not one.requires_grad)
    assert frozen == 15_132_438_528 // 2 + 2 * 64 * 4096
    assert sum(one.numel() for one in model.parameters() if one.requires_grad) == 41_943_040
    assert shapes.image_tokens == 576 and not shapes.fetched


def test_the_demo_can_be_planned_on_any_device() -> None:
    assert load_config(demo_config_path()).model.activation_checkpointing is False
