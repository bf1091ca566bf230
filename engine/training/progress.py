"""What the run directory says of a stage under way: where it is, how fast, and when it will be done."""

import math
import time
from dataclasses import dataclass, field

from engine.runs.store.opening import RunReader, RunWriter
from engine.training.device.samplers import Gauges
from engine.training.pace import DUTIES, Ahead, Pace, TimeLeft
from engine.training.position import read_or_mend
from engine.training.sampling import Done
from engine.training.schedule import StageSchedule
from engine.training.state import StageState, StepRecord
from engine.training.timetable import Timetable

#: What evaluations take while none was timed, of a training step's time a sample: a forward pass, a report written.
FORWARD, WRITTEN = 1 / 3, 10.0

#: Stretches of an earlier engine's steps that a pace begins with.
REMEMBERED = 16

#: Seconds between two notes of how far an evaluation is.
TELL_SECONDS = 0.5


@dataclass(kw_only=True)
class StageProgress:
    """Writes the one row that `status` shows. cases, validation: samples of one sampling and of one validation."""

    state: StageState
    schedule: StageSchedule
    timetable: Timetable
    cases: int
    validation: int
    gauges: Gauges
    writer: RunWriter
    pace: Pace = field(default_factory=Pace, init=False)
    _shown: StepRecord | None = field(default=None, init=False)

    def show(self, record: StepRecord | None) -> None:
        """Write where the stage is; `record` is of the step done last, None where this engine has done none."""
        self._shown = record
        self.note("")

    def note(self, words: str) -> None:
        """Write the same once more, with what is under way."""
        record, left = self._shown, self._time_left()
        self.writer.progress(
            self.state.stage,
            self.state.step,
            self.schedule.steps,
            self.schedule.epoch_of(self.state.step),
            loss=record.loss if record and not record.skip_reason else None,
            samples_per_second=record.samples / record.seconds if record else None,
            eta_seconds=left.seconds if left else None,
            eta_spread=(left.high - left.low) / 2 if left else None,
            memory_bytes=self.gauges.in_use(),
            note=words,
            eta_low=left.low if left else None,
            eta_high=left.high if left else None,
        )

    def counting(self, doing: str, total: int) -> Done:
        """What an evaluation calls as it goes: notes how far it is, `sampling 3 of 8`, at most every so often."""
        told = float("-inf")

        def done(number: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= TELL_SECONDS:
                told = now
                self.note(f"{doing} {number} of {total}")

        return done

    def remember(self, reader: RunReader) -> None:
        """Begin with the pace of the engine before, where this one goes on in the midst of the stage."""
        if not self.state.step:
            return
        stage = self.state.stage
        rates = read_or_mend(
            self.writer, lambda: reader.series("train/samples_per_second", stage, columns=REMEMBERED)
        )
        for bucket in rates:
            if math.isfinite(bucket.mean) and bucket.mean > 0:
                self.pace.step(self.schedule.section.samples_per_step / bucket.mean)
        evaluations = read_or_mend(
            self.writer, lambda: reader.last_events(2 * DUTIES, ("validation", "sample"))
        )
        for event in evaluations:
            seconds = event.data.get("seconds")
            if event.stage == stage and isinstance(seconds, int | float):
                self.pace.duty(event.kind, seconds)

    def _time_left(self) -> TimeLeft | None:
        """To the stage's end: its steps, what falls due among them, and the scores at last."""
        step, steps = self.state.step, self.schedule.steps - self.state.step
        training = self.pace.left(steps, {})
        if training is None:
            return None
        a_step, cases = self.schedule.section.samples_per_step, max(1, self.cases)

        def times(name: str) -> float:
            return self.timetable.times_ahead(name, step, steps, training.seconds) + 1

        return self.pace.left(
            steps,
            {
                "validation": Ahead(times("validation"), FORWARD * self.validation / a_step),
                "sample": Ahead(times("sample") + self.validation / cases, WRITTEN * cases / a_step),
                "checkpoint": Ahead(times("checkpoint"), 1.0),
            },
        )
