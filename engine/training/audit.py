"""What must hold before the first step and after the first few, checked while it costs seconds and not a night.

Each of these has trained "successfully" for somebody: labels masked to the last token, images that never entered the
sequence, weights an optimizer silently never touched.
"""

from collections.abc import Sequence
from typing import Any

import torch

from engine.errors import UserError
from engine.model.loading import Base
from engine.model.lora import trainable
from engine.training.batches import Batch, Encoded
from engine.words.plural import counted

#: LoRA's A has no gradient while B is still zero, so it moves one step later than B.
STEPS_UNTIL_ALL_MOVE = 3


class AuditFailure(Exception):
    """The training would not do what it says."""


def before_first_step(model: Any, base: Base, encoded: Sequence[Encoded], batch: Batch) -> str:
    """Hold image placeholders against image features, in ids and in the model. Returns a line for the log."""
    wanted = base.encoder.image_tokens
    for one in encoded:
        if one.ids.count(base.encoder.image_id) != wanted:
            raise UserError(
                f"sample {one.sample.id}: its text holds the image token itself; remove <image> from the prompt"
            )
    device = next(model.parameters()).device
    with torch.no_grad():
        features = base.model.get_image_features(pixel_values=batch.pixels[:1].to(device)).pooler_output
    found = sum(part.reshape(-1, part.shape[-1]).shape[0] for part in features)
    if found != wanted:
        raise AuditFailure(
            f"the vision tower yields {found} features for an image, the prompt has {wanted} places"
        )
    supervised = sorted(one.supervised for one in encoded)
    count = sum(parameter.numel() for parameter in trainable(model).values())
    return (
        f"audit: {len(encoded)} samples, {wanted} image tokens each, no target cut, supervised tokens "
        f"{supervised[0]} to {supervised[-1]} (median {supervised[len(supervised) // 2]}), "
        f"{count:,} trainable parameters"
    )


class MovementWatch:
    """Remembers every trainable tensor and says after a few steps whether each has moved and is finite."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._before = {name: parameter.detach().clone() for name, parameter in trainable(model).items()}
        self._steps = 0

    def after_step(self, model: torch.nn.Module) -> str | None:
        """None while it is too early, then one line. Raises `AuditFailure` naming what stood still."""
        self._steps += 1
        if self._steps < STEPS_UNTIL_ALL_MOVE:
            return None
        now = trainable(model)
        still = [name for name, before in self._before.items() if torch.equal(before, now[name].detach())]
        broken = [name for name in self._before if not bool(torch.isfinite(now[name]).all())]
        if still or broken:
            listed = ", ".join((still or broken)[:3])
            word = "has not moved" if still else "is not finite"
            raise AuditFailure(
                f"after {counted(self._steps, 'step')} {len(still or broken)} of {len(now)} tensors: {listed} {word}"
            )
        return f"audit: all {len(now)} trainable tensors have moved and are finite"


def check_finite(model: torch.nn.Module) -> None:
    """Raises `AuditFailure` naming a trainable tensor that is not finite: it must not become a checkpoint."""
    broken = [name for name, tensor in trainable(model).items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise AuditFailure(
            f"{len(broken)} trainable tensors are not finite, e.g. {broken[0]}: no checkpoint is made of them; "
            "resume goes on from the newest one"
        )
