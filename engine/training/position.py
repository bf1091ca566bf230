"""Where an engine goes on: what the run directory says of the weights, and of the films that were lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.runs.checkpoints import flaw, named_checkpoint
from engine.runs.layout import RunPaths, command_line, next_free_name
from engine.runs.store.opening import RunReader, RunWriter
from engine.stages import STAGE_NAMES
from engine.training import checkpoint as checkpoints
from engine.training.checkpoint import Checkpoint
from engine.training.quarantine import Loss

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Position:
    """Where an engine goes on: the stage, and the checkpoint its weights come from (None: the fresh adapter)."""

    stage: str
    step: int
    checkpoint: Checkpoint | None


def where_to_go_on(
    directory: Path, stages: Sequence[str], same_stage: bool
) -> tuple[Position, dict[str, str]]:
    """The position after the newest checkpoint that verifies; of newer ones that do not, the name and what is wrong.

    Raises `UserError` where nothing is left to do, or where the asked stage follows one that is not done.
    """
    newest, left = checkpoints.newest_valid(directory)
    if newest is None:
        return Position(stages[0], 0, None), left
    meta = newest.meta
    if not meta.ended or (meta.ended == "stopped" and same_stage):
        if meta.stage not in stages:
            raise UserError(
                f"{meta.stage} stands at step {meta.step} of {meta.steps}: `resume` it first, or stop it"
            )
        return Position(meta.stage, meta.step, newest), left
    following = [stage for stage in stages if STAGE_NAMES.index(stage) > STAGE_NAMES.index(meta.stage)]
    if following:
        return Position(following[0], 0, newest), left
    if meta.ended == "finished":
        return Position(meta.stage, meta.steps, newest), left
    raise UserError(
        f"{meta.stage}, the last stage asked for, was stopped: `resume --same-stage` goes on with it"
    )


def refuse_if_there_were_some(paths: RunPaths, told: str | None) -> None:
    """Raises `UserError` where the database tells of a checkpoint and the directory, which is empty, does not."""
    if told:
        runs = paths.root.parent
        name = next_free_name(runs, paths.name)
        anew = command_line("train", str(paths.config), "--run", name, runs=runs)
        raise UserError(
            f"{paths.checkpoints}: holds no checkpoint, but the run had written {told}: bring them back (is a disk "
            f"not mounted?), or begin anew under another name: `{anew}`"
        )


def store_loss(writer: RunWriter, loss: Loss, sample: Sample, line: str) -> None:
    """Tell of a film that was lost, for `stored_losses` to read in a later attempt."""
    about = {"lost_film": loss.film, "sample": sample.id}
    writer.event("alert", line, level="warn", stage=loss.stage, step=loss.step, **about)


def stored_losses(reader: RunReader) -> list[Loss]:
    """The films that this run has lost so far, as earlier attempts told."""
    losses: list[Loss] = []
    seen = 0
    while events := reader.events(seen, kinds=("alert",)):
        seen = events[-1].id
        losses += [
            Loss(str(event.data["lost_film"]), event.stage, event.step)
            for event in events
            if "lost_film" in event.data and event.stage is not None and event.step is not None
        ]
    return losses


def read_or_mend(writer: RunWriter, query: Callable[[], Answer]) -> Answer:
    """What the run's database says; where it cannot be read, what it says once its writer has mended it."""
    try:
        return query()
    except UserError as error:
        writer.recover(error)
        return query()


def find_checkpoint(paths: RunPaths, name: str | None) -> Checkpoint:
    """The named checkpoint, or the newest that verifies. Raises `UserError` where there is none."""
    if name is None:
        newest, _ = checkpoints.newest_valid(paths.checkpoints)
        if newest is None:
            raise UserError(f"run {paths.name!r} has no checkpoint yet")
        return newest
    path = named_checkpoint(paths, name)
    if wrong := flaw(path):
        raise UserError(f"{path}: not a whole checkpoint ({wrong}); choose another")
    return checkpoints.read_checkpoint(path)
