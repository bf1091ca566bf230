"""One stage from its first step to its end: what is recorded after a step, and what falls due."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from engine.cadence import Cadence
from engine.config import RunConfig
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.metrics.scores import scalars_of
from engine.runs.checkpoints import Ended, Standing
from engine.runs.layout import checkpoint_name
from engine.runs.store.opening import RunReader, RunWriter
from engine.runs.store.rows import GeneratedSample
from engine.training import checkpoint as checkpoints
from engine.training.checkpoint import Checkpoint
from engine.training.control import Control, Interrupt
from engine.training.device.device import device_of
from engine.training.device.samplers import Gauges
from engine.training.evaluation import Evaluator, score
from engine.training.loop import NonFinite, StageTrainer, StepRecord
from engine.training.pace import DUTIES, Ahead, Pace, TimeLeft
from engine.training.quarantine import FilmsFail, LostFilm
from engine.training.randomness import seed_for
from engine.training.sampling import Done
from engine.training.saving import Saver

Result = TypeVar("Result")

#: What duties take while none was timed, of a training step's time a sample: a forward pass, a report written.
FORWARD, WRITTEN = 1 / 3, 10.0

#: Stretches of an earlier engine's steps that a pace begins with.
REMEMBERED = 16

#: Seconds between two notes of how far an evaluation is.
TELL_SECONDS = 0.5

#: Seconds between two attempts to write the checkpoint that ends a stage.
RETRY_SECONDS = 30.0


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
    saver: Saver
    _measured: dict[int, float] = field(default_factory=dict, init=False)
    _pace: Pace = field(default_factory=Pace, init=False)
    _last: dict[str, float] = field(default_factory=dict, init=False)
    _shown: StepRecord | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.cases = sorted(self.validation, key=lambda one: seed_for(self.config.seed, "cases", one.id))
        self.cases = sorted(self.cases[: self.config.evaluation.cases], key=lambda one: one.id)
        cadence = self.config.cadence
        now = time.monotonic()
        self._duties: list[tuple[str, Cadence, Callable[[], object]]] = [
            ("validation", Cadence.parse(cadence.validation), self.validate),
            ("sample", Cadence.parse(cadence.sample), self.sample_cases),
            ("checkpoint", Cadence.parse(cadence.checkpoint), self._save_or_owe),
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
        """Train to the stage's end. Raises `Interrupt` for park and stop, with nothing half done; call it to go on.

        What the configuration does not let it bear makes it hold: it goes on when somebody continues.
        """
        self._remember()
        while True:
            self.control.enter("training")
            self._show(None)
            try:
                self._after(self.step)  # a step that a parked or held attempt left with something due
                self._train()
                self._score()
                break
            except NonFinite as odd:
                self._hold(str(odd))
                self.trainer.excused, self.trainer.skipped = odd.step, 0
            except FilmsFail as failing:
                self._hold(str(failing))
        while not self.saver.attempt(self._standing("finished")):
            # the stage's end has to be on disk before the next one begins
            self.control.hold(
                f"{self.name} is done, its checkpoint is not: the disk takes none", RETRY_SECONDS
            )

    def interrupt(self, interrupt: Interrupt) -> Checkpoint | None:
        """Make the step done last safe, as park and stop do. None where no step was done and none was loaded.

        Raises `NotWritten`.
        """
        ended: Ended = "stopped" if interrupt.verb == "stop" else ""
        if not self.step and not ended:
            return None
        return self.saver.write(self._standing(ended))

    def release(self) -> None:
        """After memory ran out: let go of gradients and caches, and make the step done last safe if it can be."""
        self.trainer.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        device_of(self.trainer.accelerator.device).empty_cache()
        if self.step:
            self._save_or_owe()

    def save(self) -> Checkpoint:
        """Raises `NotWritten`."""
        return self.saver.write(self._standing())

    def validate(self) -> None:
        """Loss on the validation samples, once a step; a checkpoint of the weights that are the best so far."""
        before = checkpoints.best_loss(self.writer.paths.checkpoints, self.name)
        scalars = self._read(lambda: list(self.reader.scalars(["val/loss"], self.name)))
        stored = [row.value for row in scalars if row.step == self.step]
        loss = stored[0] if stored else self._validation_loss(before)
        self._measured = {self.step: loss}
        # also for a stored one: the attempt that stored it may have died before its checkpoint
        best = self.step > 0 and math.isfinite(loss) and (before is None or loss < before)
        if best and self.config.checkpoints.best == "val/loss":
            self._save_or_owe()

    def _validation_loss(self, lowest: float | None) -> float:
        """Take the loss, store it and tell it; `lowest` is the best of the checkpoints so far."""
        began = self.control.working()
        with self._evaluating():
            work = partial(self._loss, "validating")
            loss, samples = self._on_readable(self.validation, work)
        took = self.control.working() - began
        self._pace.duty("validation", took)
        self.writer.scalars(self.name, self.step, {"val/loss": loss})
        told = f"validation loss {loss:.3f}"
        if self.step > 0 and lowest is not None and loss < lowest:
            told += ", the lowest so far"
        if len(samples) < len(self.validation):
            told += f", on {len(samples)} of {len(self.validation)} samples"
        self.writer.event("validation", told, stage=self.name, step=self.step, loss=loss, seconds=took)
        return loss

    def sample_cases(self) -> int:
        """Reports for the fixed cases, once a step. Returns how many there are."""
        stored = self._stored("case")
        if stored >= len(self._readable(self.cases)):
            return stored
        began = self.control.working()
        with self._evaluating():
            rows, _ = self._on_readable(self.cases, partial(self._rows, "case", "sampling"))
            self._store(rows)
            took = self.control.working() - began
            self._pace.duty("sample", took)
            told = f"sampled {len(rows)} cases"
            self.writer.event("sample", told, stage=self.name, step=self.step, seconds=took)
        return len(rows)

    def _score(self) -> None:
        """The scores at the stage's end, from every validation sample."""
        self.validate()
        self.sample_cases()
        if self._stored("evaluation") >= len(self._readable(self.validation)):
            return
        with self._evaluating():
            rows, _ = self._on_readable(self.validation, partial(self._rows, "evaluation", "scoring"))
            scores = score(rows, {})[self.name]
            scalars = scalars_of(scores)
            # before the samples: where they are all there, it is taken that this has been done
            self.writer.scalars(self.name, self.step, scalars)
            self._store(rows)
            told = ", ".join(f"{tag.removeprefix('val/')} {value:.3f}" for tag, value in scalars.items())
            self.writer.event(
                "validation", f"{told} on {len(rows)} samples", stage=self.name, step=self.step, scores=scores
            )

    def _train(self) -> None:
        for record in self.trainer.steps():
            self._pace.step(record.seconds)
            self._record_step(record)
            self._show(record)
            self.control.poll()
            self._after(record.step)

    def _hold(self, reason: str) -> None:
        self.writer.event("alert", reason, level="error", stage=self.name, step=self.step)
        self.control.hold(reason)

    def _after(self, step: int) -> None:
        """What the cadences say is due after `step`; duties that were done already do nothing."""
        if not step:
            return
        for name, cadence, duty in self._duties:
            now = time.monotonic()
            if cadence.due(step, now - self._last[name]):
                duty()
                self._last[name] = time.monotonic()
        if self.saver.owes(step):
            self._save_or_owe()

    def _save_or_owe(self) -> None:
        began = self.control.working()
        self.saver.attempt(self._standing())
        self._pace.duty("checkpoint", self.control.working() - began)

    def _standing(self, ended: Ended = "") -> Standing:
        loss = self._measured.get(self.step)
        known = None if loss is None or not math.isfinite(loss) else loss
        steps, skipped = self.trainer.schedule.steps, self.trainer.skipped
        return Standing(self.name, self.step, steps, ended, known, skipped)

    def _rows(self, purpose: str, doing: str, samples: Sequence[Sample]) -> list[GeneratedSample]:
        name = checkpoint_name(self.name, self.step)
        return self.evaluator.rows(samples, purpose, name, self.step, done=self._tell(doing, samples))

    def _loss(self, doing: str, samples: Sequence[Sample]) -> float:
        return self.evaluator.loss(samples, done=self._tell(doing, samples))

    def _tell(self, doing: str, samples: Sequence[Sample]) -> Done:
        """Says how far it is, `sampling 3 of 8`, at most every so often."""
        told = float("-inf")

        def done(number: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= TELL_SECONDS:
                told = now
                self._show(self._shown, f"{doing} {number} of {len(samples)}")

        return done

    def _readable(self, samples: Sequence[Sample]) -> list[Sample]:
        """Those whose film has not been lost."""
        lost = self.trainer.quarantine
        return [sample for sample in samples if not lost.holds(sample, self.name, self.step)]

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
                self.trainer.quarantine.add(lost, self.name, self.step, self.validation)

    def _record_step(self, record: StepRecord) -> None:
        values = record.scalars() | self.gauges.read()
        self.writer.scalars(self.name, record.step, values)
        device_of(self.trainer.accelerator.device).after_step(record.step)
        if record.skipped:
            self.writer.event("alert", record.skipped, level="warn", stage=self.name, step=record.step)
        if self.trainer.audited:
            self.writer.event("note", self.trainer.audited, stage=self.name, step=record.step)
            self.trainer.audited = None

    def _show(self, record: StepRecord | None, note: str = "") -> None:
        self._shown = record
        left = self._time_left()
        self.writer.progress(
            self.name,
            self.step,
            self.trainer.schedule.steps,
            self.trainer.schedule.epoch_of(self.step),
            record.loss if record and not record.skipped else None,
            record.samples / record.seconds if record else None,
            left.seconds if left else None,
            (left.high - left.low) / 2 if left else None,
            self.gauges.in_use(),
            note,
            eta_low=left.low if left else None,
            eta_high=left.high if left else None,
        )

    def _time_left(self) -> TimeLeft | None:
        """To the stage's end: its steps, what falls due among them, and the scores at last."""
        steps = self.trainer.schedule.steps - self.step
        training = self._pace.left(steps, {})
        if training is None:
            return None
        a_step = self._samples_a_step()
        cases, everyone = max(1, len(self.cases)), len(self.validation)
        ahead = {
            name: _times_ahead(cadence, self.step, steps, training.seconds)
            for name, cadence, _ in self._duties
        }
        return self._pace.left(
            steps,
            {
                "validation": Ahead(ahead["validation"] + 1, FORWARD * everyone / a_step),
                "sample": Ahead(ahead["sample"] + 1 + everyone / cases, WRITTEN * cases / a_step),
                "checkpoint": Ahead(ahead["checkpoint"] + 1, 1.0),
            },
        )

    def _samples_a_step(self) -> int:
        section = self.trainer.schedule.section
        return section.batch_size * section.accumulation

    def _remember(self) -> None:
        """Begin with the pace of the engine before, where this one goes on in the midst of the stage."""
        if not self.step:
            return
        rates = self._read(
            lambda: self.reader.series("train/samples_per_second", self.name, columns=REMEMBERED)
        )
        for bucket in rates:
            if math.isfinite(bucket.mean) and bucket.mean > 0:
                self._pace.step(self._samples_a_step() / bucket.mean)
        for event in self._read(lambda: self.reader.last_events(2 * DUTIES, ("validation", "sample"))):
            seconds = event.data.get("seconds")
            if event.stage == self.name and isinstance(seconds, int | float):
                self._pace.duty(event.kind, seconds)

    def _stored(self, purpose: str) -> int:
        return self._read(lambda: sum(1 for _ in self.reader.samples(self.name, self.step, purpose)))

    def _read(self, query: Callable[[], Result]) -> Result:
        """What the run's database says; where it cannot be read, what it says once its writer has looked after it."""
        try:
            return query()
        except UserError as error:
            self.writer.mend(error)
            return query()

    def _store(self, rows: list[GeneratedSample]) -> None:
        for row in rows:
            self.writer.sample(row)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """State `evaluating` inside the `with`; an interrupt in it leaves the state to whoever handles that."""
        before = self.control.enter("evaluating")
        yield
        self._show(self._shown)
        self.control.enter(before)


def _times_ahead(cadence: Cadence, step: int, steps: int, seconds: float) -> float:
    """How often something is due in the `steps` after `step`, which take so many seconds."""
    if cadence.steps is not None:
        return (step + steps - 1) // cadence.steps - max(0, step - 1) // cadence.steps
    return seconds / cadence.seconds if cadence.seconds else 0.0
