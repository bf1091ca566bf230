"""What a model card says of a run, read from the run itself: numbers and names, no word of any report."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import RunConfig, StageSection
from engine.data.curriculum import NO_EHR, Sample, read_curriculum, without_ehr
from engine.download.model_download import read_download
from engine.errors import UserError
from engine.files.json_file import read_json
from engine.metrics.scores import scores_of
from engine.runs.checkpoints import CheckpointMeta, read_meta
from engine.runs.layout import RunPaths
from engine.runs.store.opening import RunReader, open_reader
from engine.runs.store.rows import GeneratedSample
from engine.stages import STAGE_NAMES, STAGES

#: A split's scores: by condition ("this model" or a baseline's name), then by stage, in the form of `evaluate --json`.
Scores = dict[str, dict[str, dict[str, Any]]]

THIS_MODEL = "this model"


@dataclass(frozen=True)
class Counts:
    """Samples of one stage, and the patients and films they are of."""

    samples: int
    patients: int
    films: int


@dataclass(frozen=True)
class Facts:
    """repo, commit: of the base where it was fetched from a hub, else "". counts: by (stage, split); empty where the
    curriculum is not at hand. questions: those that it asks in this project's words, by stage, `{ehr}` where the record
    stands; others may hold what is known of a patient. losses: the last validation loss of each stage. scores: by
    split."""

    run: str
    checkpoint: str
    meta: CheckpointMeta
    base: str
    repo: str
    commit: str
    bundled: bool
    phantoms: bool
    config: RunConfig
    counts: Mapping[tuple[str, str], Counts]
    questions: Mapping[str, str]
    losses: Mapping[str, float]
    scores: Mapping[str, Scores]

    def stage(self, name: str) -> StageSection:
        return self.config.stage(name)


def read_facts(paths: RunPaths, config: RunConfig, checkpoint: Path) -> Facts:
    """Raises `UserError` where the checkpoint does not say where it stands."""
    reached = read_meta(checkpoint)
    if reached is None:
        raise UserError(f"{checkpoint}: does not say where in the run it stands")
    with open_reader(paths) as reader:
        losses = _losses(reader, reached)
        scores = _scores(reader, checkpoint.name)
    fetched = read_download(config.base_directory)
    samples = _samples(config.data.curriculum)
    return Facts(
        run=paths.name,
        checkpoint=checkpoint.name,
        meta=reached,
        base=config.base_directory.name,
        repo=fetched.repo if fetched else "",
        commit=fetched.commit if fetched else "",
        bundled=config.model.base == "bundled",
        phantoms=config.data.phantom is not None or _built_from_phantoms(config.data.curriculum),
        config=config,
        counts={key: _count(own) for key, own in sorted(samples.items())},
        questions=_questions(samples),
        losses=losses,
        scores=scores,
    )


def _losses(reader: RunReader, reached: CheckpointMeta) -> dict[str, float]:
    """The last loss of every stage, none from beyond the checkpoint."""
    found: dict[str, float] = {}
    for row in reader.scalars(["val/loss"]):
        before = (
            STAGE_NAMES.index(row.stage) < STAGE_NAMES.index(reached.stage)
            if row.stage in STAGE_NAMES
            else False
        )
        if before or (row.stage == reached.stage and row.step <= reached.step):
            found[row.stage] = row.value
    return found


def _scores(reader: RunReader, checkpoint: str) -> dict[str, Scores]:
    """Scores of the samples that were generated with this very checkpoint, those generated last for each case."""
    kept: dict[tuple[str, str, str], dict[str, GeneratedSample]] = defaultdict(dict)
    for row in reader.samples():
        condition = _condition(row.purpose)
        if condition and row.checkpoint == checkpoint:
            kept[row.split or "", condition, row.stage][row.case] = row
    scores: dict[str, Scores] = {}
    for (split, condition, stage), rows in kept.items():
        scores.setdefault(split, {}).setdefault(condition, {})[stage] = scores_of(list(rows.values()), None)
    return scores


def _condition(purpose: str) -> str:
    return (
        THIS_MODEL if purpose == "evaluation" else purpose.removeprefix("baseline:") if ":" in purpose else ""
    )


def _samples(curriculum: Path) -> dict[tuple[str, str], list[Sample]]:
    """By stage and split."""
    try:
        samples = read_curriculum(curriculum)
    except UserError:
        return {}  # the card says so
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.stage, sample.split].append(sample)
    return groups


def _questions(samples: Mapping[tuple[str, str], list[Sample]]) -> dict[str, str]:
    found = {}
    for stage in STAGES:
        asked = {without_ehr(one).prompt for one in samples.get((stage.name, "train"), ())}
        if asked == {stage.prompt.format(ehr=NO_EHR)}:
            found[stage.name] = stage.prompt
    return found


def _count(samples: Iterable[Sample]) -> Counts:
    own = list(samples)
    return Counts(len(own), len({one.subject_id for one in own}), len({one.image for one in own}))


def _built_from_phantoms(curriculum: Path) -> bool:
    """Whether the tree around the curriculum says that its patients were drawn."""
    try:
        read_json(curriculum.parent.parent / "phantom.json")
    except (OSError, ValueError):
        return False
    return True
