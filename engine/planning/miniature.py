"""The model cut down to two layers and to three: together they tell what one of any depth takes.

Every layer of the language model but the first does the same, and so does every layer of the tower: what one more of
them adds, in memory at the fullest moment as well as in operators, is what each of the rest adds. It is exact, and a
7-billion-parameter model costs no more to plan than a small one.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from peft import PeftModel

from engine.config import LoraSection
from engine.model.lora import checkpoint_activations, trainable
from engine.planning.skeleton import Shapes, skeleton
from engine.planning.step import Shape, Traced, trace_answer, trace_micro_batch, trace_validation

#: Layers of language model and tower in the smallest. The tower's features are those before its last layer.
FEWEST = 2


@dataclass(frozen=True)
class Resident:
    """Bytes that stay through a run. largest: elements of the largest frozen tensor."""

    weights: int
    adapter: int
    largest: int


@dataclass(frozen=True)
class Miniatures:
    """One recipe on one device.

    models: the adapted model at its smallest, with one layer more, with one layer more of the tower.
    """

    shapes: Shapes
    device: str
    models: tuple[PeftModel, PeftModel, PeftModel]

    def step(self, shape: Shape, gradients_there: bool) -> Traced:
        """As `trace_micro_batch`."""
        return self._stretched(
            trace_micro_batch(model, self.shapes, shape, self.device, gradients_there=gradients_there)
            for model in self.models
        )

    def validation(self, shape: Shape) -> Traced:
        """As `trace_validation`."""
        return self._stretched(
            trace_validation(model, self.shapes, shape, self.device) for model in self.models
        )

    def answer(self, shape: Shape) -> tuple[Traced, Traced]:
        """As `trace_answer`."""
        reading, writing = zip(
            *(trace_answer(model, self.shapes, shape, self.device) for model in self.models), strict=True
        )
        return self._stretched(reading), self._stretched(writing)

    def resident(self) -> Resident:
        weights, adapters = [], []
        for model in self.models:
            adapters.append(sum(one.nbytes for one in trainable(model).values()))
            weights.append(sum(one.nbytes for one in _frozen(model)))
        largest = max(one.numel() for one in _frozen(self.models[0]))
        return Resident(self._sum(weights), self._sum(adapters), largest)

    def _stretched(self, traces: Iterable[Traced]) -> Traced:
        found = list(traces)
        parts = {part for one in found for part in one.parts}
        operators = {operator for one in found for operator in one.operators}
        return Traced(
            {part: self._sum([one.parts.get(part, 0) for one in found]) for part in parts},
            Counter(
                {operator: self._sum([one.operators[operator] for one in found]) for operator in operators}
            ),
        )

    def _sum(self, values: Sequence[int]) -> int:
        """A figure of the whole model from those of the three."""
        small, deeper, taller = values
        layers, tower = self.shapes.layers - FEWEST, self.shapes.tower_layers - FEWEST
        return small + layers * (deeper - small) + tower * (taller - small)


def miniatures(
    shapes: Shapes,
    directory: Path,
    lora: LoraSection,
    precision: torch.dtype,
    device: str,
    *,
    checkpointed: bool,
) -> Miniatures:
    """The recipe's model. checkpointed: with activation checkpointing."""

    def model_of(layers: int, tower_layers: int) -> PeftModel:
        model = skeleton(with_layers(shapes, layers, tower_layers), directory, lora, precision)
        if checkpointed:
            checkpoint_activations(model)
        return model

    more = FEWEST + 1
    models = model_of(FEWEST, FEWEST), model_of(more, FEWEST), model_of(FEWEST, more)
    return Miniatures(shapes, device, models)


def with_layers(shapes: Shapes, layers: int, tower_layers: int) -> Shapes:
    """The same model with other numbers of layers."""
    llava = copy.deepcopy(shapes.llava)
    llava.text_config.num_hidden_layers, llava.vision_config.num_hidden_layers = layers, tower_layers
    llava.vision_feature_layer = -FEWEST  # any other costs the same: the whole tower runs
    return replace(shapes, llava=llava)


def _frozen(model: PeftModel) -> list[torch.nn.Parameter]:
    return [one for one in model.parameters() if not one.requires_grad]
