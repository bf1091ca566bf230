"""When a stage's checkpoints are written, and what becomes of one that could not be: the stage goes on and owes it."""

from dataclasses import dataclass, field
from pathlib import Path

from engine.config import CheckpointSection
from engine.runs.checkpoints import Standing, verifies
from engine.runs.layout import checkpoint_name
from engine.runs.store.opening import RunWriter
from engine.training import checkpoint as checkpoints
from engine.training.audit import check_finite
from engine.training.checkpoint import Checkpoint, NotWritten
from engine.training.loop import StageTrainer

#: Steps after which a failed checkpoint is tried again, doubled at each failure up to this.
LONGEST_WAIT = 32


@dataclass
class Saver:
    """Writes checkpoints of one stage."""

    trainer: StageTrainer
    section: CheckpointSection
    writer: RunWriter
    _failures: int = field(default=0, init=False)
    _due_again: int = field(default=0, init=False)

    def owes(self, step: int) -> bool:
        """Whether a checkpoint that failed should be tried again after `step`."""
        return self._failures > 0 and step >= self._due_again

    def write(self, standing: Standing) -> Checkpoint:
        """The checkpoint of this standing, written unless it is there, older ones rotated afterwards.

        Raises `NotWritten`, with those before untouched, and `AuditFailure` where the weights are not finite.
        """
        directory = self.writer.paths.checkpoints
        name = checkpoint_name(standing.stage, standing.step)
        existing = directory / name
        if existing.is_dir() and verifies(existing):
            there = checkpoints.read_checkpoint(existing)
            if there.standing == standing:
                self._rotate(directory)  # whoever wrote it may have died before
                return there
        check_finite(self.trainer.model)
        written = checkpoints.write_checkpoint(
            directory, name, self.trainer.model, self.trainer.optimizer, standing
        )
        size = checkpoints.size_of(written.path)
        self.writer.checkpoint(name, standing.stage, standing.step, size, bool(standing.ended))
        self._rotate(directory)
        if self._failures:
            self._failures = 0
            self._tell("checkpoints are written again", "info", standing)
        return written

    def attempt(self, standing: Standing) -> Checkpoint | None:
        """`write`, but a failure is an alert, and owed. None if it failed."""
        try:
            return self.write(standing)
        except NotWritten as error:
            wait = min(2**self._failures, LONGEST_WAIT)
            self._due_again = standing.step + wait
            if not self._failures:
                self._tell(f"{error}; {self.safe()}; it is tried again", "warn", standing)
            self._failures += 1
            return None

    def _rotate(self, directory: Path) -> None:
        checkpoints.rotate(directory, self.section.keep, self.section.best is not None)

    def safe(self) -> str:
        """What a death would now leave, in words."""
        newest, _ = checkpoints.newest_valid(self.writer.paths.checkpoints)
        return f"{newest.name} is whole" if newest else "there is no checkpoint yet"

    def _tell(self, message: str, level: str, standing: Standing) -> None:
        self.writer.event("alert", message, level=level, stage=standing.stage, step=standing.step)
