"""The bundled base with an adapter, four samples and the steps that training takes: the same on every device."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.models.mistral.modeling_mistral import MistralRMSNorm

from engine.config import BUNDLED_BASE, LoraSection
from engine.data.curriculum import Sample
from engine.data.prompt import IGNORED_LABEL
from engine.files.temporary import holder
from engine.model.loading import Base, load_base
from engine.model.lora import add_adapter, trainable
from engine.seeds import seed_for
from engine.training.batches import Batch, Collator, encode_all
from engine.training.device.device import Device
from engine.training.sampling import generated_ids, loss_of

STEPS = 3
LENGTH_MULTIPLE = 64
NEW_TOKENS = 32
LEARNED = 2
"""Samples of the batch that is learned from; all are answered."""

_ADAPTER = LoraSection(rank=8, alpha=16, dropout=0.1, train_projector=True)
#: Adam divides by the gradient's size; with its usual 1e-8 it would blow the rounding of the smallest gradients up to
#: whole steps, and no two devices would agree.
_EPS = 1e-2
_SAID = (
    ("Describe the film.", "No acute cardiopulmonary process."),
    (
        "Clinical context: 71 F, cough for three days, sodium 129 (low). Say what the film shows.",
        "A small left pleural effusion lies at the base, and there is no pneumothorax at all.",
    ),
    ("List the labels.", "CheXpert: Cardiomegaly, Pleural Effusion"),
    ("Is the heart large? Answer in one sentence, and name the view.", "Yes, the heart is large; AP."),
)


@dataclass
class TrialModel:
    """An adapted base on a device, with a right-padded batch to learn from and a left-padded one to answer."""

    base: Base
    model: Any
    training: Batch
    prompts: Batch
    loss: Callable[[torch.nn.Module, Batch, int], torch.Tensor] = loss_of

    def start(self) -> dict[str, torch.Tensor]:
        """The trained tensors as they are now."""
        return {name: tensor.detach().clone() for name, tensor in trainable(self.model).items()}

    def go_back(self, start: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in trainable(self.model).items():
                tensor.copy_(start[name])


@dataclass(frozen=True)
class Steps:
    """Three optimizer steps: the losses, the first step's gradients before clipping in the order of the backward pass,
    the weights at the end, and how far they came."""

    losses: list[float]
    gradients: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]
    changes: dict[str, torch.Tensor]


def trial_model(precision: torch.dtype, place: torch.device) -> TrialModel:
    """Base weights in `precision`, the adapter in float32, both full of what the seed draws, on `place`."""
    base = load_base(BUNDLED_BASE, precision)
    base.model.requires_grad_(False)
    model = add_adapter(base.model, _ADAPTER, str(BUNDLED_BASE), seed_for("trial", "adapter") % 2**31)
    draw = torch.Generator().manual_seed(seed_for("trial", "B"))
    for name, tensor in trainable(model).items():
        if "lora_B" in name:  # zero at first: neither it nor A would show a wrong product
            tensor.data.normal_(0.0, 0.05, generator=draw)
    training, prompts = _batches(base)
    model.to(place)
    model.eval()
    return TrialModel(base, model, training.to(place), prompts.to(place))


def reference_model(precision: torch.dtype) -> TrialModel:
    """The same numbers in float64 on the CPU, the norms and the loss too, which the model itself takes in float32."""
    made = trial_model(precision, torch.device("cpu"))
    made.model.double()
    for module in made.model.modules():
        if isinstance(module, MistralRMSNorm):
            module.forward = partial(_norm, module)
    made.training = replace(made.training, pixels=made.training.pixels.double())
    made.prompts = replace(made.prompts, pixels=made.prompts.pixels.double())
    made.loss = _reference_loss
    return made


def _norm(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    scale = torch.rsqrt(hidden.square().mean(-1, keepdim=True) + norm.variance_epsilon)
    wide: torch.Tensor = norm.weight * (hidden * scale)
    return wide


def _reference_loss(model: torch.nn.Module, batch: Batch, vocabulary: int) -> torch.Tensor:
    """What `loss_of` gives, from the definition of the cross-entropy."""
    logits = model(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        pixel_values=batch.pixels,
        logits_to_keep=batch.positions,
        use_cache=False,
    ).logits[..., :vocabulary]
    counts = batch.targets != IGNORED_LABEL
    chosen = logits[counts].gather(-1, batch.targets[counts][:, None])[:, 0]
    losses: torch.Tensor = torch.logsumexp(logits[counts], -1) - chosen
    return losses.sum()


def forward(trial: TrialModel) -> dict[str, torch.Tensor]:
    """What every module answers in one forward pass, in the order of computation, and the loss at the end."""
    answered: dict[str, torch.Tensor] = {}
    with _listening(trial.model, answered), torch.no_grad():
        loss = trial.loss(trial.model, trial.training, trial.base.vocabulary)
    return {**answered, "loss": loss}


def steps(trial: TrialModel, fused: bool, dropout: bool = False) -> Steps:
    """Three steps as training takes them, from where the weights are now; they are put back afterwards."""
    before = trial.start()
    trained = trainable(trial.model)
    optimizer = torch.optim.AdamW(
        trained.values(), lr=1e-3, eps=_EPS, weight_decay=0.01, fused=fused, foreach=False
    )
    losses: list[torch.Tensor] = []
    gradients: dict[str, torch.Tensor] = {}
    trial.model.train(dropout)
    for step in range(STEPS):
        torch.manual_seed(seed_for("trial", "step", step))
        loss = trial.loss(trial.model, trial.training, trial.base.vocabulary) / trial.training.supervised
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
        if step == 0:
            gradients = {
                _short(name): one.grad.clone()
                for name, one in reversed(trained.items())
                if one.grad is not None
            }
        torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    trial.model.eval()
    weights = {_short(name): one.detach().clone() for name, one in trained.items()}
    changes = {_short(name): one.detach() - before[name] for name, one in trained.items()}
    trial.go_back(before)
    return Steps([float(loss) for loss in losses], gradients, weights, changes)


def answers(trial: TrialModel, device: Device) -> torch.Tensor:
    """(samples, new tokens) int64 on the CPU: greedy answers to the prompts."""
    return generated_ids(trial.model, trial.base, trial.prompts, NEW_TOKENS, device).cpu()


def next_logits(trial: TrialModel, row: int, answered: torch.Tensor) -> torch.Tensor:
    """(vocabulary,) logits that follow the prompt of `row` and the tokens `answered`, for a batch on the CPU."""
    prompts = trial.prompts
    ids = torch.cat([prompts.ids[row], answered])[None]
    mask = torch.cat([prompts.mask[row], torch.ones_like(answered)])[None]
    with torch.inference_mode():
        logits: torch.Tensor = trial.model(
            input_ids=ids,
            attention_mask=mask,
            pixel_values=prompts.pixels[row : row + 1],
            logits_to_keep=1,
            use_cache=False,
        ).logits
    return logits[0, -1, : trial.base.vocabulary]


def _batches(base: Base) -> tuple[Batch, Batch]:
    with holder() as folder:
        samples = [_sample(folder.path, number) for number in range(len(_SAID))]
        collator = Collator(folder.path, base.image_processor, base.pad_id, LENGTH_MULTIPLE)
        encoded = encode_all(samples, base.encoder, 4096)
        return collator.training(encoded[:LEARNED]), collator.prompts(samples, base.encoder)


def _sample(folder: Path, number: int) -> Sample:
    """A sample with a film of soft noise, so that no two patches are alike."""
    noise = np.random.default_rng(number).integers(0, 256, (20, 17), dtype=np.uint8)
    Image.fromarray(noise).resize((170, 200), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    prompt, target = _SAID[number]
    return Sample(
        id=f"trial-{number}",
        subject_id=str(number),
        study_id=str(number),
        stage="stage_a",
        image=f"{number}.png",
        prompt=prompt,
        target=target,
        labels={},
        ehr=None,
        icd=(),
        split="train",
    )


def _short(name: str) -> str:
    return name.removeprefix("base_model.model.").removesuffix(".weight")


@contextmanager
def _listening(model: torch.nn.Module, answered: dict[str, torch.Tensor]) -> Iterator[None]:
    """Inside the `with`, `answered` receives the tensor that each module returns."""

    def listen(name: str) -> Any:
        def hook(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple) and output else output
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                answered[name] = tensor.detach().clone()

        return hook

    hooks = [
        module.register_forward_hook(listen(_short(name))) for name, module in model.named_modules() if name
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
