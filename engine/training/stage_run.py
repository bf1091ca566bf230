"""One stage from its first step to its end: what is recorded after a step, and what falls due."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.cadence import Cadence
from engine.config import RunConfig
from engine.data.curriculum import Sample
from engine.runs.checkpoints import Standing, verifies
from engine.runs.layout import checkpoint_name
from engine.runs.store import RunReader, RunWriter
from engine.training import checkpoint as checkpoints
from engine.training.checkpoint import Checkpoint
from engine.training.control import Control, Interrupt
from engine.training.device import device_of
from engine.training.device_samplers import Gauges
from engine.training.evaluation import Evaluator, Row, score
from engine.training.loop import StageTrainer, StepRecord
from engine.training.randomness import seed_for

#: Steps whose wall time the time left is reckoned from.
RECENT_STEPS = 50


@dataclass
class StageRun:
    """A stage under way. `validation` are the samples its loss and scores are taken from."""

    name: str
    config: RunConfig
    trainer: StageTrainer
    evaluator: Evaluator
    validation: list[Sample]
    control: Control
    writer: RunWriter
    reader: RunReader
    gauges: Gauges
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS), init=False)
    _last: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.cases = sorted(self.validation, key=lambda one: seed_for(self.config.seed, "cases", one.id))
        self.cases = sorted(self.cases[: self.config.evaluation.cases], key=lambda one: one.id)
        cadence = self.config.cadence
        now = time.monotonic()
        self._duties: list[tuple[str, Cadence, Callable[[], object]]] = [
            ("validation", Cadence.parse(cadence.validation), self.validate),
            ("sample", Cadence.parse(cadence.sample), self.sample_cases),
            ("checkpoint", Cadence.parse(cadence.checkpoint), self.save),
        ]
        self._last = dict.fromkeys(("validation", "sample", "checkpoint"), now)
        self.control.actions = {
            "save": lambda command: f"checkpoint {self.save().name}",
            "sample": lambda command: f"{self.sample_cases()} cases sampled at step {self.step}",
        }

    @property
    def step(self) -> int:
        return self.trainer.step

    def run(self) -> None:
        """Train to the stage's end. Raises `Interrupt` for park and stop, with nothing half done."""
        steps = self.trainer.schedule.steps
        self.control.enter("training")
        self._show(None)
        self._after(self.step)  # a step that a parked attempt left with something due
        looked = time.monotonic()
        for record in self.trainer.steps():
            self._record_step(record)
            self._show(record)
            asked = time.monotonic()
            self.control.poll()
            looked += time.monotonic() - asked  # a hold is not the time of a step
            self._after(record.step)
            now = time.monotonic()
            self._seconds.append(now - looked)
            looked = now
        self._score()
        self._write(Standing(self.name, steps, steps, ended="finished"))

    def interrupt(self, interrupt: Interrupt) -> Checkpoint | None:
        """Make the step done last safe, as park and stop do. None where no step was done and none was loaded."""
        ended: Literal["", "stopped"] = "stopped" if interrupt.verb == "stop" else ""
        if not self.step and not ended:
            return None
        return self._write(Standing(self.name, self.step, self.trainer.schedule.steps, ended))

    def save(self) -> Checkpoint:
        return self._write(Standing(self.name, self.step, self.trainer.schedule.steps))

    def validate(self) -> None:
        """Loss on the validation samples, once a step."""
        if any(row.step == self.step for row in self.reader.scalars(["val/loss"], self.name)):
            return
        with self._evaluating():
            loss = self.evaluator.loss(self.validation)
            self.writer.scalars(self.name, self.step, {"val/loss": loss})
            self.writer.event(
                "validation", f"validation loss {loss:.3f}", stage=self.name, step=self.step, loss=loss
            )

    def sample_cases(self) -> int:
        """Reports for the fixed cases, once a step. Returns how many there are."""
        if self._stored("case") >= len(self.cases):
            return len(self.cases)
        with self._evaluating():
            rows = self.evaluator.rows(self.cases, "case", checkpoint_name(self.name, self.step), self.step)
            self._store(rows)
            self.writer.event("sample", f"sampled {len(rows)} cases", stage=self.name, step=self.step)
        return len(rows)

    def _score(self) -> None:
        """The scores at the stage's end, from every validation sample."""
        self.validate()
        self.sample_cases()
        if self._stored("evaluation") >= len(self.validation):
            return
        with self._evaluating():
            rows = self.evaluator.rows(
                self.validation, "evaluation", checkpoint_name(self.name, self.step), self.step
            )
            scores = score(rows, {})[self.name]
            self._store(rows)
            self.writer.scalars(self.name, self.step, _score_scalars(scores))
            told = ", ".join(
                f"{tag.removeprefix('val/')} {value:.3f}" for tag, value in _score_scalars(scores).items()
            )
            self.writer.event(
                "validation", f"{told} on {len(rows)} samples", stage=self.name, step=self.step, scores=scores
            )

    def _after(self, step: int) -> None:
        """What the cadences say is due after `step`; duties that were done already do nothing."""
        if not step:
            return
        for name, cadence, duty in self._duties:
            now = time.monotonic()
            if cadence.due(step, now - self._last[name]):
                duty()
                self._last[name] = time.monotonic()

    def _record_step(self, record: StepRecord) -> None:
        values = record.scalars() | self.gauges.read()
        self.writer.scalars(self.name, record.step, values)
        device_of(self.trainer.accelerator.device).after_step(record.step)
        if self.trainer.audited:
            self.writer.event("note", self.trainer.audited, stage=self.name, step=record.step)
            self.trainer.audited = None

    def _show(self, record: StepRecord | None) -> None:
        left, spread = self._time_left()
        self.writer.progress(
            self.name,
            self.step,
            self.trainer.schedule.steps,
            self.trainer.schedule.epoch_of(self.step),
            record.loss if record else None,
            record.samples / record.seconds if record else None,
            left,
            spread,
            self.gauges.in_use(),
        )

    def _time_left(self) -> tuple[float | None, float | None]:
        """Seconds to the stage's last step and their spread, from the recent steps with all that fell due in them."""
        if len(self._seconds) < 3:
            return None, None
        remaining = self.trainer.schedule.steps - self.step
        deviation = statistics.stdev(self._seconds) / len(self._seconds) ** 0.5
        return statistics.fmean(self._seconds) * remaining, deviation * remaining

    def _write(self, standing: Standing) -> Checkpoint:
        name = checkpoint_name(standing.stage, standing.step)
        directory = self.writer.paths.checkpoints
        existing = directory / name
        if existing.is_dir() and verifies(existing):
            there = checkpoints.read_checkpoint(existing)
            if there.standing == standing:
                return there
        written = checkpoints.write_checkpoint(
            directory, name, self.trainer.model, self.trainer.optimizer, standing
        )
        self.writer.checkpoint(
            name, standing.stage, standing.step, checkpoints.size_of(written.path), bool(standing.ended)
        )
        checkpoints.rotate(directory, self.config.checkpoints.keep)
        return written

    def _stored(self, purpose: str) -> int:
        return sum(1 for _ in self.reader.samples(self.name, self.step, purpose))

    def _store(self, rows: list[Row]) -> None:
        for row in rows:
            self.writer.sample(row)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """State `evaluating` inside the `with`; an interrupt in it leaves the state to whoever handles that."""
        before = self.control.enter("evaluating")
        yield
        self.control.enter(before)


def _score_scalars(scores: dict[str, Any]) -> dict[str, float]:
    values = {"val/bleu4": scores["bleu4"], "val/rouge_l": scores["rouge_l"]}
    if "chexpert" in scores:
        return values | {"val/chexpert_micro_f1": scores["chexpert"]["micro_f1_14"]}
    return values | {"val/icd_micro_f1": scores["icd"]["micro_f1"]}
