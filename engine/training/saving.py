"""A stage's checkpoints: written, rotated, and tried again where the disk took none, while the stage goes on."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import PeftModel

from engine.config import CheckpointSection
from engine.runs.checkpoints import CheckpointMeta, verifies
from engine.runs.layout import checkpoint_name
from engine.runs.store.opening import RunWriter
from engine.training import checkpoint as checkpoints
from engine.training.audit import check_finite
from engine.training.checkpoint import Checkpoint, NotWritten

#: Steps after which a failed checkpoint is tried again, doubled at each failure up to this.
LONGEST_WAIT = 32


@dataclass(kw_only=True)
class Saver:
    """Writes checkpoints of one stage."""

    model: PeftModel
    optimizer: torch.optim.Optimizer
    section: CheckpointSection
    writer: RunWriter
    _failures: int = field(default=0, init=False)
    _retry_step: int = field(default=0, init=False)

    def retry_due(self, step: int) -> bool:
        """Whether a checkpoint that failed should be tried again after `step`."""
        return self._failures > 0 and step >= self._retry_step

    def write(self, meta: CheckpointMeta) -> Checkpoint:
        """The checkpoint that says this of itself, written unless it is there, older ones rotated afterwards.

        Raises `NotWritten`, with those before untouched, and `AuditFailure` where the weights are not finite.
        """
        directory = self.writer.paths.checkpoints
        name = checkpoint_name(meta.stage, meta.step)
        existing = directory / name
        if existing.is_dir() and verifies(existing):
            there = checkpoints.read_checkpoint(existing)
            if there.meta == meta:
                self._rotate(directory)  # whoever wrote it may have died before
                return there
        check_finite(self.model)
        written = checkpoints.write_checkpoint(directory, name, self.model, self.optimizer, meta)
        size = checkpoints.size_of(written.path)
        self.writer.checkpoint(name, meta.stage, meta.step, size, bool(meta.ended))
        self._rotate(directory)
        if self._failures:
            self._failures = 0
            self._tell("checkpoints are written again", "info", meta)
        return written

    def attempt(self, meta: CheckpointMeta) -> Checkpoint | None:
        """`write`, but a failure is an alert, and `retry_due` later. None if it failed."""
        try:
            return self.write(meta)
        except NotWritten as error:
            wait = min(2**self._failures, LONGEST_WAIT)
            self._retry_step = meta.step + wait
            if not self._failures:
                self._tell(f"{error}; {self.safe()}; it is tried again", "warn", meta)
            self._failures += 1
            return None

    def _rotate(self, directory: Path) -> None:
        checkpoints.rotate(directory, self.section.keep, self.section.best is not None)

    def safe(self) -> str:
        """What a death would now leave, in words."""
        newest, _ = checkpoints.newest_valid(self.writer.paths.checkpoints)
        return f"{newest.name} is whole" if newest else "there is no checkpoint yet"

    def _tell(self, message: str, level: str, meta: CheckpointMeta) -> None:
        self.writer.event("alert", message, level=level, stage=meta.stage, step=meta.step)
