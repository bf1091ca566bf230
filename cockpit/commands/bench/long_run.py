"""Long runs for a bench, recorded as an engine would have left them, but in one go."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from engine.runs.layout import RunPaths, checkpoint_name, create_run
from engine.runs.lock import EngineLock
from engine.runs.store import series
from engine.runs.store.opening import RunWriter, open_writer
from engine.runs.store.rows import GeneratedSample

STAGE = "stage_b"
TAGS = (
    "train/loss",
    "train/lr",
    "train/grad_norm",
    "train/samples_per_second",
    "train/supervised_tokens",
    "train/padding",
    "memory/process",
    "memory/system_used",
    "memory/system_total",
    "gpu/utilization",
)
GIB = 1024**3

_FILL = """
WITH RECURSIVE steps(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < :steps)
INSERT INTO scalar (stage, tag, step, attempt, wall_time, value)
SELECT :stage, :tag, step, 1, :began + step,
       :low + :fall / (1 + step * 20.0 / :steps) + :noise * (step * 7919 % 1000) / 1000.0
FROM steps"""


def record_long_run(directory: Path, name: str, steps: int, samples: int = 0) -> RunPaths:
    """A run whose second stage is `steps` steps on its way and has `steps` before it, with ten scalars a step.

    `samples` generated texts of its validation are in it, too.
    """
    paths = create_run(directory, name)
    with EngineLock.take(paths), open_writer(paths) as writer:
        writer.open_attempt()
        writer.plan(
            [
                {"stage": "stage_a", "steps": 1000, "epochs": 1, "bar": 2.0, "title": "impression + labels"},
                {"stage": STAGE, "steps": 2 * steps, "epochs": 3, "bar": 1.5, "title": "reasoning + ICD"},
            ]
        )
        writer.begin_attempt(STAGE, 0, {})
        writer.state("training")
        writer.checkpoint(checkpoint_name(STAGE, steps), STAGE, steps, 12_000_000, True)
        add_step(writer, 0, steps)
    with closing(sqlite3.connect(paths.db)) as connection:
        _fill(connection, steps)
    with EngineLock.take(paths), open_writer(paths) as writer:
        add_step(writer, steps + 1, steps)
        for number in range(samples):
            writer.sample(_sample(number, steps))
    return paths


def add_step(writer: RunWriter, step: int, steps: int) -> None:
    """What an engine writes at one step."""
    writer.scalars(STAGE, step, _values(step))
    writer.progress(
        STAGE, step, 2 * steps, 1.5 * step / steps, 0.9, 12.0 + step % 7 / 10, 2.0 * steps - step, 60.0, GIB
    )


def _values(step: int) -> Mapping[str, float]:
    swing = step * 7919 % 1000 / 1000
    values = (0.9 + 0.3 * swing, 1e-4, 0.8 + swing, 12.0 + swing, 900.0, 0.04, GIB * (1 + swing / 50))
    return dict(zip(TAGS, (*values, 3.4 * GIB, 7.8 * GIB, 0.9), strict=True))


def _fill(connection: sqlite3.Connection, steps: int) -> None:
    """All steps of all tags in one statement each: a million transactions would take minutes."""
    known = {name: key for key, name in connection.execute("SELECT id, name FROM tag").fetchall()}
    stage = connection.execute("SELECT id FROM stage WHERE name = ?", (STAGE,)).fetchone()[0]
    with connection:
        for tag in TAGS:
            value = _values(1)[tag]
            key = {"stage": stage, "tag": known[tag], "steps": steps, "began": time.time() - steps}
            connection.execute(_FILL, key | {"low": value, "fall": 3 * value, "noise": value / 5})
            series.rebuild(connection, stage, known[tag], 0, steps)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _sample(number: int, step: int) -> GeneratedSample:
    words: Sequence[str] = ("moderate", "right", "pleural", "effusion", "with", "adjacent", "atelectasis")
    report = " ".join(words[(number + place) % len(words)] for place in range(40))
    return GeneratedSample(
        stage=STAGE,
        step=step,
        checkpoint=checkpoint_name(STAGE, step),
        split="val",
        purpose="evaluation",
        case=f"s{50_000_000 + number}",
        image=f"files/s{number}.jpg",
        prompt=f"Record: {report} {report}",
        reference=f"{report}.\nICD: I50.9 Heart failure, unspecified",
        generated=f"{report[:-11]}.\nICD: I50.9 Heart failure, unspecified; J90 Pleural effusion",
        labels=None,
        labels_reference=None,
        icd=["10:I509", "10:J90"],
        icd_reference=["10:I509"],
        scores={"icd_f1": number % 100 / 100, "rouge_l": number % 37 / 37},
    )
