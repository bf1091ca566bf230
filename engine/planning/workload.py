"""What a run will be asked to do: the shapes of its micro-batches and how often each occurs, from the real lengths."""

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from engine.cadence import Cadence
from engine.config import BUNDLED_BASE, RunConfig
from engine.data.curriculum import Sample, read_curriculum
from engine.data.prompt import PromptEncoder
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.model.tokenizer import load_tokenizer
from engine.planning.skeleton import Shapes
from engine.planning.step import Shape
from engine.stages import STAGE_NAMES, STAGES
from engine.training.batches import Encoded
from engine.training.schedule import StageSchedule

#: Lengths by (stage, split).
Lengths = dict[tuple[str, str], list["Length"]]

#: Width and height of MIMIC's films in pixels, and how many of one's own are looked at.
FILM, FILMS_LOOKED_AT = (2544, 3056), 16
#: Samples that the curriculum of one phantom patient has, in train and in val.
PER_PHANTOM = {"train": 1.5, "val": 0.23}


@dataclass(frozen=True)
class Length:
    """Tokens of one sample: all of them, image included, and those supervised."""

    tokens: int
    answer: int


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """One stage. micro_batches: how often each padded shape occurs in all epochs; most: how many a step has at most.

    validation: batches of one pass.

    prompts: batches of prompts that the stage's end generates answers to; cases: those of one sampling."""

    name: str
    steps: int
    samples: int
    tokens: int
    micro_batches: Counter[Shape]
    most: int
    validation: Counter[Shape]
    prompts: Counter[Shape]
    cases: Counter[Shape]
    validations: Cadence
    samplings: Cadence

    @property
    def longest(self) -> Shape:
        """The micro-batch that takes most memory."""
        return max(self.micro_batches, key=lambda one: (one.samples * one.length, one.samples * one.answer))


@dataclass(frozen=True)
class Workload:
    """note: what was assumed where the lengths are not a curriculum's own.

    held_bytes: the samples as tokens. film_bytes: one film decoded, while it is made square.
    """

    stages: tuple[StageWork, ...]
    note: str
    held_bytes: int
    film_bytes: int

    @property
    def longest(self) -> Shape:
        return max(
            (stage.longest for stage in self.stages), key=lambda one: (one.samples * one.length, one.answer)
        )

    @property
    def accumulates(self) -> bool:
        """Whether a micro-batch finds gradients of the one before it."""
        return any(stage.most > 1 for stage in self.stages)

    @property
    def longest_answered(self) -> Shape:
        prompts = [shape for stage in self.stages for shape in stage.prompts]
        return max(prompts, key=lambda one: one.samples * (one.length + one.answer))

    @property
    def longest_validated(self) -> Shape:
        return max(
            (one for stage in self.stages for one in stage.validation),
            key=lambda one: one.samples * one.length,
        )


def read_workload(config: RunConfig, shapes: Shapes, stages: Sequence[str] = STAGE_NAMES) -> Workload:
    """The run's micro-batches, by its own schedule. Raises `UserError` on samples that would be refused."""
    if config.data.curriculum.is_file():
        lengths, note = _measured(config, shapes, read_curriculum(config.data.curriculum))
    else:
        lengths, note = (
            _assumed(config, shapes),
            f"no curriculum at {config.data.curriculum} yet: lengths assumed",
        )
    longest = max(one.tokens for own in lengths.values() for one in own)
    if longest > config.data.max_length:
        raise UserError(
            f"{config.data.curriculum}: a sample has {longest} tokens, data.max_length is {config.data.max_length}; "
            "raise it or shorten the sample"
        )
    return workload_of(config, lengths, stages, note)


def workload_of(config: RunConfig, lengths: Lengths, stages: Sequence[str], note: str = "") -> Workload:
    """The same from lengths that are known already."""
    # every token of every sample is held twice, as id and as label; an id above 256 is an object of its own
    held = sum(16 * one.tokens + 28 * 2 * one.answer for own in lengths.values() for one in own)
    return Workload(tuple(_stage(config, name, lengths) for name in stages), note, held, _film_bytes(config))


def lengths_of(encoded: dict[str, list[Encoded]]) -> Lengths:
    """Encoded samples by split, as a plan wants them."""
    lengths: Lengths = {}
    for split, own in encoded.items():
        for one in own:
            lengths.setdefault((one.sample.stage, split), []).append(Length(len(one.ids), one.supervised))
    return lengths


def _measured(config: RunConfig, shapes: Shapes, samples: Sequence[Sample]) -> tuple[Lengths, str]:
    directory, note = config.base_directory, ""
    if not shapes.fetched:
        directory, note = (
            BUNDLED_BASE,
            "the model is not there: lengths are the bundled tokenizer's, which are longer",
        )
    encoder = _encoder(directory, shapes)
    lengths: Lengths = {}
    for sample in samples:
        ids, labels = encoder.training(sample.prompt, sample.target)
        answer = len(labels) - labels.count(-100)
        lengths.setdefault((sample.stage, sample.split), []).append(Length(len(ids), answer))
    return lengths, note


def _film_bytes(config: RunConfig) -> int:
    """The largest of the first few films, in its mode, in RGB and on its square; MIMIC's size where none is there."""
    sides = [FILM]
    if config.data.phantom:
        sides = [(config.data.phantom.size, config.data.phantom.size)]
    elif config.data.curriculum.is_file():
        with open_plain(config.data.curriculum) as lines:
            images = [json.loads(line)["image"] for line in itertools.islice(lines, FILMS_LOOKED_AT)]
        there = [path for image in images if (path := config.data.image_root / image).is_file()]
        sides = [_size_of(path) for path in there] or sides
    return max(4 * width * height + 3 * max(width, height) ** 2 for width, height in sides)


def _size_of(path: Path) -> tuple[int, int]:
    """From the header alone; a film that cannot be read is for the run to refuse."""
    try:
        with open_plain(path, "rb") as file, Image.open(file) as film:
            return film.size
    except (OSError, UnidentifiedImageError):
        return FILM


def _encoder(directory: Path, shapes: Shapes) -> PromptEncoder:
    return PromptEncoder(load_tokenizer(directory), shapes.image_tokens, -1, 1, 2)


def _assumed(config: RunConfig, shapes: Shapes) -> Lengths:
    data = config.data
    if data.phantom:
        counts = {split: round(share * data.phantom.patients) for split, share in PER_PHANTOM.items()}
    else:
        counts = {"train": data.expected.train or 10_000, "val": data.expected.validation or 1_000}
    lengths: Lengths = {}
    for split, count in counts.items():
        share, given = 0.0, 0
        for stage in STAGES:
            share += stage.share
            number = max(1, round(count * share) - given)
            given += number
            prompt, answer = stage.lengths
            tokens = min(data.max_length, shapes.image_tokens + prompt + answer)
            lengths[stage.name, split] = [Length(tokens, answer)] * number
    return lengths


def _stage(config: RunConfig, name: str, lengths: Lengths) -> StageWork:
    own = lengths.get((name, "train"), [])
    earlier = [
        one for stage in STAGE_NAMES[: STAGE_NAMES.index(name)] for one in lengths.get((stage, "train"), [])
    ]
    section, pool, multiple = config.stage(name), own + earlier, config.data.length_multiple
    if not own:
        raise UserError(f"{config.data.curriculum}: no train sample of {name}")
    schedule = StageSchedule.of(config, name, lengths=[one.tokens for one in pool], own=len(own))
    micro_batches: Counter[Shape] = Counter()
    tokens = most = 0
    for step in (step for epoch in range(section.epochs) for step in schedule.epoch(epoch)):
        most = max(most, len(step))
        for micro in step:
            micro_batches[_padded([pool[index] for index in micro], multiple)] += 1
            tokens += sum(pool[index].tokens for index in micro)
    settings = config.evaluation
    judged = sorted(lengths.get((name, "val"), own[:1]), key=lambda one: one.tokens)
    if settings.validation_limit:
        judged = judged[:: max(1, len(judged) // settings.validation_limit)][: settings.validation_limit]
    cases = judged[:: max(1, len(judged) // settings.cases)][: settings.cases]
    return StageWork(
        name=name,
        steps=schedule.steps,
        samples=schedule.samples_per_epoch * section.epochs,
        tokens=tokens,
        micro_batches=micro_batches,
        most=most,
        validation=Counter(_padded(group, multiple) for group in _groups(judged, settings.batch_size)),
        prompts=Counter(
            _asked(group, multiple, settings.max_new_tokens) for group in _groups(judged, settings.batch_size)
        ),
        cases=Counter(
            _asked(group, multiple, settings.max_new_tokens) for group in _groups(cases, settings.batch_size)
        ),
        validations=Cadence.parse(config.cadence.validation),
        samplings=Cadence.parse(config.cadence.sample),
    )


def _padded(rows: Sequence[Length], multiple: int) -> Shape:
    longest = max(one.tokens for one in rows)
    return Shape(len(rows), _up_to(longest, multiple), max(one.answer for one in rows))


def _asked(rows: Sequence[Length], multiple: int, most: int) -> Shape:
    """Prompts padded on the left, and as many new tokens as the longest reference has."""
    prompt = max(one.tokens - one.answer for one in rows)
    return Shape(len(rows), _up_to(prompt, multiple), min(most, max(one.answer for one in rows)))


def _up_to(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _groups(items: Sequence[Length], size: int) -> list[Sequence[Length]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
