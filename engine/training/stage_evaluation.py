"""What a stage is judged by on its way: the validation loss, the reports of the fixed cases, the scores at its end."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from engine.data.curriculum import Sample
from engine.metrics.scores import scalars_of
from engine.runs.layout import checkpoint_name
from engine.runs.store.opening import RunReader, RunWriter
from engine.runs.store.rows import GeneratedSample
from engine.training import checkpoint as checkpoints
from engine.training.control import Control
from engine.training.evaluation import Evaluator, score
from engine.training.position import read_or_mend
from engine.training.progress import StageProgress
from engine.training.quarantine import FilmsFail, LostFilm, Quarantine
from engine.training.state import StageState

Result = TypeVar("Result")


@dataclass(kw_only=True)
class StageEvaluation:
    """Judges the weights of the step done last, each way once a step, and stores what it finds.

    validation: the samples that loss and scores are taken from. cases: those among them that are followed.
    """

    state: StageState
    evaluator: Evaluator
    validation: Sequence[Sample]
    cases: Sequence[Sample]
    quarantine: Quarantine
    control: Control
    writer: RunWriter
    reader: RunReader
    progress: StageProgress

    def validate(self) -> bool:
        """Take the loss on the validation samples. Returns whether no checkpoint of the stage has as low a one."""
        stage, step = self.state.stage, self.state.step
        lowest = checkpoints.best_loss(self.writer.paths.checkpoints, stage)
        scalars = read_or_mend(self.writer, lambda: list(self.reader.scalars(["val/loss"], stage)))
        stored = [row.value for row in scalars if row.step == step]
        loss = stored[0] if stored else self._take_loss(lowest)
        self.state.validated(loss)
        # also for a stored one: the attempt that stored it may have died before its checkpoint
        return step > 0 and math.isfinite(loss) and (lowest is None or loss < lowest)

    def _take_loss(self, lowest: float | None) -> float:
        """Take the loss, store it and tell it; `lowest` is the best of the checkpoints so far."""
        stage, step = self.state.stage, self.state.step
        began = self.control.working()
        with self._evaluating():
            loss, samples = self._on_readable(self.validation, self._loss)
        took = self.control.working() - began
        self.progress.pace.duty("validation", took)
        self.writer.scalars(stage, step, {"val/loss": loss})
        told = f"validation loss {loss:.3f}"
        if step > 0 and lowest is not None and loss < lowest:
            told += ", the lowest so far"
        if len(samples) < len(self.validation):
            told += f", on {len(samples)} of {len(self.validation)} samples"
        self.writer.event("validation", told, stage=stage, step=step, loss=loss, seconds=took)
        return loss

    def sample_cases(self) -> int:
        """Reports for the fixed cases. Returns how many there are."""
        stored = self._stored("case")
        if stored >= len(self._readable(self.cases)):
            return stored
        began = self.control.working()
        with self._evaluating():
            rows, _ = self._on_readable(self.cases, lambda cases: self._rows("case", "sampling", cases))
            self._store(rows)
            took = self.control.working() - began
            self.progress.pace.duty("sample", took)
            told = f"sampled {len(rows)} cases"
            self.writer.event("sample", told, stage=self.state.stage, step=self.state.step, seconds=took)
        return len(rows)

    def score(self) -> None:
        """Reports for every validation sample, and their scores."""
        if self._stored("evaluation") >= len(self._readable(self.validation)):
            return
        stage, step = self.state.stage, self.state.step
        with self._evaluating():
            rows, _ = self._on_readable(
                self.validation, lambda samples: self._rows("evaluation", "scoring", samples)
            )
            scores = score(rows, {})[stage]
            scalars = scalars_of(scores)
            # before the samples: where they are all there, it is taken that this has been done
            self.writer.scalars(stage, step, scalars)
            self._store(rows)
            told = ", ".join(f"{tag.removeprefix('val/')} {value:.3f}" for tag, value in scalars.items())
            self.writer.event(
                "validation", f"{told} on {len(rows)} samples", stage=stage, step=step, scores=scores
            )

    def _rows(self, purpose: str, doing: str, samples: Sequence[Sample]) -> list[GeneratedSample]:
        name = checkpoint_name(self.state.stage, self.state.step)
        done = self.progress.counting(doing, len(samples))
        return self.evaluator.rows(samples, purpose, name, self.state.step, done=done)

    def _loss(self, samples: Sequence[Sample]) -> float:
        return self.evaluator.loss(samples, done=self.progress.counting("validating", len(samples)))

    def _readable(self, samples: Sequence[Sample]) -> list[Sample]:
        """Those whose film has not been lost."""
        stage, step = self.state.stage, self.state.step
        return [sample for sample in samples if not self.quarantine.holds(sample, stage, step)]

    def _on_readable(
        self, samples: Sequence[Sample], work: Callable[[Sequence[Sample]], Result]
    ) -> tuple[Result, list[Sample]]:
        """`work` done on the samples whose films can be read, and these: one that fails is set aside and left out."""
        while True:
            usable = self._readable(samples)
            if not usable:
                raise FilmsFail(f"the films of all {len(samples)} validation samples have failed")
            try:
                return work(usable), usable
            except LostFilm as lost:
                self.quarantine.add(lost, self.state.stage, self.state.step, self.validation)

    def _stored(self, purpose: str) -> int:
        stage, step = self.state.stage, self.state.step
        return read_or_mend(self.writer, lambda: sum(1 for _ in self.reader.samples(stage, step, purpose)))

    def _store(self, rows: list[GeneratedSample]) -> None:
        for row in rows:
            self.writer.sample(row)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """State `evaluating` inside the `with`; an interrupt in it leaves the state to whoever handles that."""
        before = self.control.enter("evaluating")
        yield
        self.progress.note("")
        self.control.enter(before)
