"""From samples to tensors: encoded once, padded to few lengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from engine.data.curriculum import Sample
from engine.data.images import open_image
from engine.data.prompt import IGNORED_LABEL, PromptEncoder
from engine.errors import UserError
from engine.model.image_processor import ImageProcessor
from engine.training.quarantine import LostFilm


@dataclass(frozen=True)
class Encoded:
    """One sample as token ids and labels, image placeholders included."""

    sample: Sample
    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def supervised(self) -> int:
        return sum(label != IGNORED_LABEL for label in self.labels)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A micro-batch, right-padded.

    ids, mask: (samples, length) int64. pixels: (samples, 3, size, size) float32.
    positions, targets: (samples, longest answer) int64: where a supervised token is predicted, and which; rows with
    shorter answers repeat a position and have the target -100 there. They are found on the CPU: a boolean mask would
    make the device wait to learn how many there are.
    supervised: targets that count. padding: share of positions that hold nothing. samples: their ids.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    pixels: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    supervised: int
    padding: float
    samples: tuple[str, ...]

    def to(self, device: torch.device) -> "Batch":
        return replace(
            self,
            ids=self.ids.to(device, non_blocking=True),
            mask=self.mask.to(device, non_blocking=True),
            pixels=self.pixels.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
        )


def encode_all(samples: Sequence[Sample], encoder: PromptEncoder, max_length: int) -> list[Encoded]:
    """Encode samples; a target is never cut: what is too long is refused with its id."""
    encoded, too_long = [], []
    for sample in samples:
        ids, labels = encoder.training(sample.prompt, sample.target)
        if len(ids) > max_length:
            too_long.append((len(ids), sample.id))
        encoded.append(Encoded(sample, tuple(ids), tuple(labels)))
    if too_long:
        length, name = max(too_long)
        raise UserError(
            f"{len(too_long)} samples are longer than data.max_length {max_length}; "
            f"the longest is {name} with {length} tokens: set data.max_length={length} or shorten them"
        )
    silent = [one.sample.id for one in encoded if not one.supervised]
    if silent:
        raise UserError(
            f"{len(silent)} samples have no supervised token, e.g. {silent[0]}: their targets are empty"
        )
    return encoded


class Collator:
    """Makes padded batches of encoded samples.

    change_image: what is done to every film before it is processed, e.g. blanking it.
    """

    def __init__(
        self,
        image_root: Path,
        processor: ImageProcessor,
        pad_id: int,
        length_multiple: int = 1,
        change_image: Callable[[Image.Image], Image.Image] | None = None,
    ) -> None:
        self._root, self._processor, self._pad = image_root, processor, pad_id
        self._multiple, self._change = length_multiple, change_image

    def training(self, samples: Sequence[Encoded]) -> Batch:
        """Right-padded to a multiple of the configured length."""
        length = self._padded(max(len(one.ids) for one in samples))
        answer = max(one.supervised for one in samples)
        ids = np.full((len(samples), length), self._pad, np.int64)
        mask = np.zeros((len(samples), length), np.int64)
        positions = np.zeros((len(samples), answer), np.int64)
        targets = np.full((len(samples), answer), IGNORED_LABEL, np.int64)
        for row, one in enumerate(samples):
            supervised = [place for place, label in enumerate(one.labels) if label != IGNORED_LABEL]
            ids[row, : len(one.ids)], mask[row, : len(one.ids)] = one.ids, 1
            positions[row, : len(supervised)] = [
                place - 1 for place in supervised
            ]  # it predicts the token after it
            targets[row, : len(supervised)] = [one.labels[place] for place in supervised]
        return Batch(
            ids=torch.from_numpy(ids),
            mask=torch.from_numpy(mask),
            pixels=self.pixels([one.sample for one in samples]),
            positions=torch.from_numpy(positions),
            targets=torch.from_numpy(targets),
            supervised=sum(one.supervised for one in samples),
            padding=1 - mask.mean().item(),
            samples=tuple(one.sample.id for one in samples),
        )

    def prompts(self, samples: Sequence[Sample], encoder: PromptEncoder) -> Batch:
        """Left-padded prompts for generation, to a multiple of the configured length as well, without targets."""
        asked = [encoder.prompt(sample.prompt) for sample in samples]
        length = self._padded(max(map(len, asked)))
        ids = np.full((len(asked), length), self._pad, np.int64)
        mask = np.zeros((len(asked), length), np.int64)
        for row, one in enumerate(asked):
            ids[row, length - len(one) :], mask[row, length - len(one) :] = one, 1
        none = torch.zeros((len(asked), 0), dtype=torch.int64)
        return Batch(
            ids=torch.from_numpy(ids),
            mask=torch.from_numpy(mask),
            pixels=self.pixels(samples),
            positions=none,
            targets=none,
            supervised=0,
            padding=1 - mask.mean().item(),
            samples=tuple(sample.id for sample in samples),
        )

    def pixels(self, samples: Sequence[Sample]) -> torch.Tensor:
        """(samples, 3, size, size) float32. Raises `LostFilm` for the first film that cannot be read."""
        return torch.from_numpy(np.stack([self._pixels_of(sample) for sample in samples]))

    def _padded(self, longest: int) -> int:
        return -(-longest // self._multiple) * self._multiple

    def _pixels_of(self, sample: Sample) -> npt.NDArray[np.float32]:
        try:
            image = open_image(self._root, sample.image)
        except UserError as error:
            raise LostFilm(sample, str(error)) from error
        return self._processor(self._change(image) if self._change else image)
