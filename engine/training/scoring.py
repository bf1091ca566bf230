"""`evaluate`: the scores of one checkpoint on both stages, beside its baselines."""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from engine.config import RunConfig
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.pinned_paths import PinnedPaths
from engine.runs.store.opening import RunWriter, open_writer
from engine.stages import STAGE_NAMES
from engine.training import checkpoint as checkpoints
from engine.training.checkpoint import Checkpoint
from engine.training.device import device
from engine.training.evaluation import Evaluator, evaluate, subset
from engine.training.loaded import Loaded, frozen_config, load
from engine.training.position import find_checkpoint
from engine.training.prepare import prepare_curriculum

log = logging.getLogger("engine")


def evaluate_run(paths: RunPaths, checkpoint: str | None, split: str, limit: int | None) -> dict[str, Any]:
    """`evaluate` without a living engine: takes the lock, scores, stores the samples, returns what to print."""
    with (
        closing(PinnedPaths(paths.root)) as paths,
        EngineLock.acquire(paths, purpose="evaluate"),
        open_writer(paths) as writer,
    ):
        config = frozen_config(paths)
        checkpoints.recover(paths.checkpoints)
        wanted = find_checkpoint(paths, checkpoint)
        samples = prepare_curriculum(config, lambda line: None, lambda: None)
        loaded = load(config, device.choose_device(config.model.device), wanted)
        return score_checkpoint(
            writer=writer,
            loaded=loaded,
            config=config,
            samples=samples,
            wanted=wanted,
            split=split,
            limit=limit,
            poll=lambda: None,
        )


def score_checkpoint(
    *,
    writer: RunWriter,
    loaded: Loaded,
    config: RunConfig,
    samples: Sequence[Sample],
    wanted: Checkpoint,
    split: str,
    limit: int | None,
    poll: Callable[[], None],
) -> dict[str, Any]:
    """Score the loaded weights on `limit` samples a stage of `split` and store every generated sample."""
    of_split = [sample for sample in samples if sample.split == split]
    if not of_split:
        raise UserError(f"--split {split}: the curriculum has no such samples")
    judged = [
        sample
        for stage in STAGE_NAMES
        for sample in subset([one for one in of_split if one.stage == stage], limit, config.seed)
    ]
    result, rows = evaluate(
        Evaluator(loaded.model, loaded.base, config, poll),
        judged,
        [sample for sample in samples if sample.split == "train"],
        wanted.name,
        wanted.meta.step,
        lambda condition, done, total: log.info(
            "evaluating %s: %s (%d of %d)", wanted.name, condition, done + 1, total
        ),
    )
    for row in rows:
        writer.sample(row)
    return {"run": writer.paths.name, "checkpoint": wanted.name, "split": split, **result}
