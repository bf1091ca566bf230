"""The loop's arithmetic: windows, the head on labels only, and what stops it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.config import RunConfig, StageSection
from engine.data.curriculum import read_curriculum
from engine.errors import UserError
from engine.model.lora import adapter_state, save_adapter_config, trainable
from engine.training import train
from engine.training.audit import AuditFailure, MovementWatch
from engine.training.batches import Collator, Encoded, encode_all
from engine.training.loaded import Loaded, load
from engine.training.loader import StageLoader
from engine.training.quarantine import Quarantine
from engine.training.sampling import loss_of
from engine.training.schedule import StageSchedule
from engine.training.stage import make_optimizer
from engine.training.state import StageState
from engine.training.train import NonFinite, backward, train_steps


@pytest.fixture
def loaded(config: RunConfig) -> Loaded:
    without_dropout = config.lora.model_copy(update={"dropout": 0.0})
    return load(config.model_copy(update={"lora": without_dropout}), torch.device("cpu"), None)


@pytest.fixture
def encoded(config: RunConfig, loaded: Loaded) -> list[Encoded]:
    """Stage B and stage A mixed: answers of different lengths."""
    return encode_all(read_curriculum(config.data.curriculum)[:8], loaded.base.encoder, 512)


@pytest.fixture
def collator(config: RunConfig, loaded: Loaded) -> Collator:
    return Collator(
        config.data.image_root, loaded.base.image_processor, loaded.base.pad_id, length_multiple=32
    )


def gradients(
    loaded: Loaded, collator: Collator, micro_batches: list[list[Encoded]]
) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of a step, before clipping."""
    parameters = trainable(loaded.model)
    for parameter in parameters.values():
        parameter.grad = None
    dtype = next(iter(parameters.values())).dtype
    batches = [collator.training(samples) for samples in micro_batches]
    loss = backward(loaded, [replace(batch, pixels=batch.pixels.to(dtype)) for batch in batches])
    return loss.item(), {n: p.grad.clone() for n, p in parameters.items() if p.grad is not None}


def cut_by_tokens(encoded: list[Encoded], budget: int) -> list[list[Encoded]]:
    """The step of all samples as the schedule cuts it."""
    section = StageSection(
        epochs=1, learning_rate=1e-3, batch_size=len(encoded), tokens_per_micro_batch=budget
    )
    lengths = [len(one.ids) for one in encoded]
    schedule = StageSchedule(
        seed=0, stage="stage_a", section=section, lengths=lengths, own=len(encoded), length_multiple=32
    )
    return [[encoded[index] for index in micro] for micro in schedule.step(1)]


@pytest.fixture
def exact(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """In float64 throughout: the model's norms would go down to float32 for a moment."""

    def norm(layer: Any, states: torch.Tensor) -> torch.Tensor:
        mean = states.pow(2).mean(-1, keepdim=True)
        return layer.weight * states * torch.rsqrt(mean + layer.variance_epsilon)

    kinds = {
        type(one) for name, one in loaded.model.named_modules() if type(one).__name__.endswith("RMSNorm")
    }
    assert kinds
    for kind in kinds:
        monkeypatch.setattr(kind, "forward", norm)
    loaded.model.double()
    return loaded


@pytest.mark.parametrize("sizes", [[1, 7], [3, 5], [1] * 8, [2] * 4, "300 tokens", "700 tokens"], ids=str)
def test_the_gradient_is_the_same_whatever_the_cut(
    exact: Loaded, encoded: list[Encoded], collator: Collator, sizes: Any
) -> None:
    whole_loss, whole = gradients(exact, collator, [encoded])
    if isinstance(sizes, str):
        pieces = cut_by_tokens(encoded, int(sizes.split()[0]))
    else:
        starts = [sum(sizes[:at]) for at in range(len(sizes))]
        pieces = [encoded[at : at + size] for at, size in zip(starts, sizes, strict=True)]
    assert len(pieces) > 1 and sum(map(len, pieces)) == len(encoded)
    assert len({sum(one.supervised for one in piece) for piece in pieces}) > 1
    loss, cut = gradients(exact, collator, pieces)
    assert loss == pytest.approx(whole_loss, rel=1e-10)
    assert whole and set(whole) == set(cut)
    for name in whole:
        torch.testing.assert_close(cut[name], whole[name], rtol=1e-10, atol=1e-10)


def test_the_head_on_labels_only_gives_the_loss_of_all_logits(
    loaded: Loaded, encoded: list[Encoded], collator: Collator
) -> None:
    batch = collator.training(encoded)
    model = loaded.model.eval()
    with torch.no_grad():
        ours = loss_of(model, batch, loaded.base.vocabulary)
        logits = model(input_ids=batch.ids, attention_mask=batch.mask, pixel_values=batch.pixels).logits
    shifted = logits[:, :-1, : loaded.base.vocabulary].reshape(-1, loaded.base.vocabulary)
    labels = torch.full(batch.ids.shape, -100)
    for row, one in enumerate(encoded):
        labels[row, : len(one.labels)] = torch.tensor(one.labels)
    theirs = torch.nn.functional.cross_entropy(shifted, labels[:, 1:].reshape(-1), reduction="sum")
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


def test_a_loss_that_is_not_finite_ends_the_run_before_the_weights_follow(
    config: RunConfig,
    loaded: Loaded,
    encoded: list[Encoded],
    collator: Collator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = config.stages.stage_a.model_copy(update={"batch_size": 4, "epochs": 1, "warmup": 0.0})
    schedule = StageSchedule(
        seed=0, stage="stage_a", section=section, lengths=[len(one.ids) for one in encoded], own=len(encoded)
    )
    stage: Any = SimpleNamespace(
        name="stage_a",
        config=tolerating_nothing(config),
        state=StageState(stage="stage_a", steps=schedule.steps),
        schedule=schedule,
        loaded=loaded,
        optimizer=make_optimizer(loaded, schedule),
        loader=StageLoader(
            schedule=schedule, pool=encoded, collator=collator, quarantine=Quarantine(), workers=1
        ),
    )
    before = {name: tensor.detach().clone() for name, tensor in trainable(loaded.model).items()}
    monkeypatch.setattr(
        train, "loss_of", lambda model, batch, size: loss_of(model, batch, size) * float("nan")
    )
    with pytest.raises(NonFinite, match="step 1 of stage_a"):
        train_steps(stage)
    assert stage.state.step == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in trainable(loaded.model).items())


def tolerating_nothing(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"tolerance": config.tolerance.model_copy(update={"skipped_steps": 0})})


def test_padding_goes_to_a_multiple_and_hides_nothing(encoded: list[Encoded], collator: Collator) -> None:
    batch = collator.training(encoded)
    assert batch.ids.shape[1] % 32 == 0
    assert batch.supervised == int(batch.targets.ne(-100).sum()) == sum(one.supervised for one in encoded)
    for row, one in enumerate(encoded):
        assert batch.ids[row, : len(one.ids)].tolist() == list(one.ids)
        assert int(batch.mask[row].sum()) == len(one.ids)
        at, wanted = batch.positions[row, : one.supervised], batch.targets[row, : one.supervised]
        assert batch.ids[row, at + 1].tolist() == wanted.tolist() == [i for i in one.labels if i != -100]


def test_prompts_for_generation_are_padded_on_the_left(
    config: RunConfig, loaded: Loaded, collator: Collator
) -> None:
    samples = read_curriculum(config.data.curriculum)[:4]
    batch = collator.prompts(samples, loaded.base.encoder)
    assert batch.mask[:, -1].all()
    assert batch.ids[:, -1].tolist() == [loaded.base.encoder.prompt(one.prompt)[-1] for one in samples]


def test_a_sample_that_is_too_long_is_refused_by_name(config: RunConfig, loaded: Loaded) -> None:
    samples = read_curriculum(config.data.curriculum)[:2]
    with pytest.raises(UserError, match=r"longer than data\.max_length 64; the longest is s0-[ab]"):
        encode_all(samples, loaded.base.encoder, 64)


def test_a_tensor_that_stands_still_is_named(loaded: Loaded) -> None:
    watch = MovementWatch(loaded.model)
    names = list(trainable(loaded.model))
    assert watch.after_step(loaded.model) is None
    assert watch.after_step(loaded.model) is None
    with torch.no_grad():
        for parameter in list(trainable(loaded.model).values())[1:]:
            parameter += 1
    with pytest.raises(AuditFailure, match="1 of") as caught:
        watch.after_step(loaded.model)
    assert names[0] in str(caught.value)


def test_targets_that_reach_the_vision_tower_are_refused(config: RunConfig) -> None:
    suffixes = config.lora.model_copy(update={"targets": r".*\.(q_proj|v_proj)"})
    with pytest.raises(UserError, match="vision_tower"):
        load(config.model_copy(update={"lora": suffixes}), torch.device("cpu"), None)


ENDLESS = r"(.|[a-z])*language_model(.|[a-z])*\d!"


def test_targets_that_go_back_and_forth_for_ever_are_refused(config: RunConfig) -> None:
    endless = config.lora.model_copy(update={"targets": ENDLESS})
    with pytest.raises(UserError, match="takes more than 2 s to match"):
        load(config.model_copy(update={"lora": endless}), torch.device("cpu"), None)


def test_peft_is_handed_names_and_keeps_the_words_of_the_configuration(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft.tuners import tuners_utils
    from peft.utils import save_and_load

    def never(*given: object) -> None:
        raise AssertionError("an expression was matched without a limit of time")

    for place in (tuners_utils, save_and_load):
        monkeypatch.setattr(place, "match_target_against_key", never)
    loaded = load(config, torch.device("cpu"), None)
    names = {name.split(".lora_")[0] for name in trainable(loaded.model) if ".lora_" in name}
    assert names and all(re.fullmatch(f"base_model.model.{config.lora.targets}", name) for name in names)
    save_adapter_config(loaded.model, tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"] == config.lora.targets
    adapter_state(loaded.model)
