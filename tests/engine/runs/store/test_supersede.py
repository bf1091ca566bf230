"""What a later attempt goes over again no longer counts."""

import math

from engine.runs.store.opening import RunReader, RunWriter
from engine.runs.store.rows import GeneratedSample

ROUTE = [{"stage": "stage_a", "steps": 20}, {"stage": "stage_b", "steps": 20}]


def train(writer: RunWriter, stage: str, first: int, last: int, value: float) -> None:
    for step in range(first, last + 1):
        writer.scalars(stage, step, {"loss": value})


def counted(reader: RunReader) -> list[tuple[str, int, float, int]]:
    return [(row.stage, row.step, row.value, row.attempt) for row in reader.scalars(["loss"])]


def test_steps_beyond_the_start_belong_to_the_later_attempt(writer: RunWriter, reader: RunReader) -> None:
    assert writer.begin_attempt("stage_a", 0, {}) == 1
    writer.plan(ROUTE)
    train(writer, "stage_a", 1, 8, 1.0)
    assert writer.begin_attempt("stage_a", 5, {}) == 2
    assert counted(reader) == [("stage_a", step, 1.0, 1) for step in range(1, 6)]
    train(writer, "stage_a", 6, 7, 2.0)
    assert counted(reader)[5:] == [("stage_a", 6, 2.0, 2), ("stage_a", 7, 2.0, 2)]
    every = [(row.step, row.attempt) for row in reader.scalars(all_attempts=True)]
    assert every[4:] == [(5, 1), (6, 1), (6, 2), (7, 1), (7, 2), (8, 1)]


def test_later_stages_are_beyond_and_earlier_ones_are_not(writer: RunWriter, reader: RunReader) -> None:
    writer.plan(ROUTE)
    writer.begin_attempt("stage_a", 0, {})
    train(writer, "stage_a", 1, 10, 1.0)
    train(writer, "stage_b", 1, 5, 1.0)
    writer.begin_attempt("stage_b", 2, {})
    assert [row[:2] for row in counted(reader)][9:] == [("stage_a", 10), ("stage_b", 1), ("stage_b", 2)]
    writer.begin_attempt("stage_a", 9, {})
    assert [row[:2] for row in counted(reader)] == [("stage_a", step) for step in range(1, 10)]
    assert reader.extents("loss") == [("stage_a", 1, 9)]


def test_same_step_told_by_two_attempts_counts_once(writer: RunWriter, reader: RunReader) -> None:
    writer.begin_attempt("stage_a", 0, {})
    writer.scalars("stage_a", 5, {"loss": 1.0})
    writer.begin_attempt("stage_a", 5, {})
    writer.scalars("stage_a", 5, {"loss": math.nan})
    writer.scalars("stage_a", 5, {"loss": 3.0})
    assert counted(reader) == [("stage_a", 5, 3.0, 2)]
    assert [(row.value, row.attempt) for row in reader.scalars(all_attempts=True)] == [(1.0, 1), (3.0, 2)]
    (bucket,) = reader.series("loss", "stage_a", columns=1)
    assert (bucket.low, bucket.high) == (3.0, 3.0)


def test_attempt_of_an_attempt(writer: RunWriter, reader: RunReader) -> None:
    for attempt, (start, end) in enumerate([(0, 9), (4, 12), (6, 7), (3, 5)], 1):
        writer.begin_attempt("stage_a", start, {})
        train(writer, "stage_a", start + 1, end, float(attempt))
    assert [row[3] for row in counted(reader)] == [1, 1, 1, 4, 4]


def sample(
    step: int, checkpoint: str | None, stage: str = "stage_a", purpose: str = "case"
) -> GeneratedSample:
    texts = dict.fromkeys(("image", "prompt", "reference", "generated"), "-")
    nothing = dict.fromkeys(("labels", "labels_reference", "icd", "icd_reference", "scores"))
    return GeneratedSample(
        stage=stage,
        step=step,
        checkpoint=checkpoint,
        split="val",
        purpose=purpose,
        case="s",
        **texts,
        **nothing,
    )


def test_samples_follow_the_weights_that_wrote_them(writer: RunWriter, reader: RunReader) -> None:
    writer.plan(ROUTE)
    writer.begin_attempt("stage_a", 0, {})
    writer.sample(sample(5, None))
    writer.sample(sample(10, None))
    writer.sample(sample(3, None, stage="stage_b"))
    # stage A's samples, scored with stage B's last weights
    writer.sample(sample(3, "stage_b-000003", purpose="evaluation"))
    writer.sample(sample(0, None, purpose="baseline:constant"))
    writer.begin_attempt("stage_a", 5, {})
    left = [(row.stage, row.step, row.purpose) for row in reader.samples()]
    assert left == [("stage_a", 0, "baseline:constant"), ("stage_a", 5, "case")]


def test_checkpoints_beyond_are_no_longer_the_newest(writer: RunWriter, reader: RunReader) -> None:
    writer.begin_attempt("stage_a", 0, {})
    writer.state("training")
    for step in (5, 10):
        writer.checkpoint(f"stage_a-{step:06d}", "stage_a", step, 1, kept=False)
    assert reader.status().checkpoint == "stage_a-000010"
    writer.begin_attempt("stage_a", 5, {})
    assert reader.status().checkpoint == "stage_a-000005"


def test_progress_begins_where_the_attempt_begins(writer: RunWriter, reader: RunReader) -> None:
    writer.plan(ROUTE)
    writer.begin_attempt("stage_a", 0, {})
    writer.state("training")
    writer.progress("stage_a", 9, 20, loss=1.0)
    writer.begin_attempt("stage_a", 5, {})
    status = reader.status()
    assert (status.stage, status.step, status.steps, status.loss) == ("stage_a", 5, 20, None)
