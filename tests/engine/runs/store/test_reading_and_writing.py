"""What is written is what is read."""

import json
import math
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.store.opening import RunReader, RunWriter, open_reader, open_writer
from engine.runs.store.rows import GeneratedSample, text_from_db, text_to_db


def sample(**changes: Any) -> GeneratedSample:
    labels = {"Edema": 1, "Fracture": None}
    row: dict[str, Any] = {
        "stage": "stage_a", "step": 10, "checkpoint": None, "split": "val", "purpose": "case", "case": "s1",
        "image": "a.jpg", "prompt": "Describe.", "reference": "Clear.", "generated": "Edema.",
        "labels": labels, "labels_reference": labels, "icd": None, "icd_reference": ["10:I509"],
        "scores": {"bleu4": 0.5},
    }  # fmt: skip
    return GeneratedSample(**row | changes)


def test_files_are_private(paths: RunPaths, writer: RunWriter, reader: RunReader) -> None:
    writer.state("loading")
    for name in ("run.db", "run.db-wal", "run.db-shm"):
        assert stat.S_IMODE((paths.root / name).stat().st_mode) == 0o600


def test_pragmas(paths: RunPaths, writer: RunWriter) -> None:
    with sqlite3.connect(paths.db) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer._database.connection.execute("PRAGMA synchronous").fetchone()[0] == 1


def test_nan_is_null_and_infinity_itself(paths: RunPaths, writer: RunWriter, reader: RunReader) -> None:
    writer.scalars("stage_a", 1, {"a": math.nan, "b": math.inf, "c": 0.1})
    with sqlite3.connect(paths.db) as connection:
        stored = [row[0] for row in connection.execute("SELECT value FROM scalar ORDER BY tag")]
    assert stored == [None, math.inf, 0.1]
    values = {row.tag: row.value for row in reader.scalars()}
    assert math.isnan(values["a"]) and values["b"] == math.inf and values["c"] == 0.1


def test_scalars_are_ordered_by_route_step_and_tag(writer: RunWriter, reader: RunReader) -> None:
    writer.plan([{"stage": "warm"}, {"stage": "stage_a"}])
    for stage, step in [("stage_a", 2), ("stage_a", 10), ("warm", 5), ("stage_a", 1)]:
        writer.scalars(stage, step, {"z": 1.0, "a": 2.0})
    order = [(row.stage, row.step, row.tag) for row in reader.scalars()]
    assert order == [
        (stage, step, tag)
        for stage, step in [("warm", 5), ("stage_a", 1), ("stage_a", 2), ("stage_a", 10)]
        for tag in ("a", "z")
    ]
    assert [row.step for row in reader.scalars(tags=["z"], stage="stage_a")] == [1, 2, 10]
    assert list(reader.scalars(tags=["unknown"])) == []


def test_plan_may_come_late_and_change(writer: RunWriter, reader: RunReader) -> None:
    assert reader.stages_plan() == []
    writer.scalars("stage_b", 1, {"a": 1.0})
    writer.plan([{"stage": "stage_a", "steps": 5}, {"stage": "stage_b", "steps": 9}])
    writer.scalars("stage_a", 1, {"a": 1.0})
    assert [row.stage for row in reader.scalars()] == ["stage_a", "stage_b"]
    writer.plan([{"stage": "stage_b", "steps": 12}])
    assert reader.stages_plan() == [{"stage": "stage_b", "steps": 12}]
    assert [row.stage for row in reader.scalars()] == ["stage_a", "stage_b"]


def test_series_helpers_on_what_is_not_there(writer: RunWriter, reader: RunReader) -> None:
    assert reader.series("a", "stage_a") == []
    assert reader.recent("a", "stage_a") == []
    assert reader.extents("a") == []
    assert reader.latest(["a"]) == {}
    assert reader.last_samples() == []


def test_extents_recent_latest_and_tags(writer: RunWriter, reader: RunReader) -> None:
    for stage, steps in (("stage_a", range(1, 8)), ("stage_b", range(1, 4))):
        for step in steps:
            writer.scalars(stage, step, {"loss": float(step)})
    writer.scalars("stage_a", 7, {"val": 0.5})
    assert reader.extents("loss") == [("stage_a", 1, 7), ("stage_b", 1, 3)]
    assert reader.recent("loss", "stage_a", after_step=3, limit=2) == [(6, 6.0), (7, 7.0)]
    latest = reader.latest(["loss", "val", "none"])
    assert {tag: (row.stage, row.step) for tag, row in latest.items()} == {
        "loss": ("stage_b", 3),
        "val": ("stage_a", 7),
    }
    assert reader.tags() == ["loss", "val"]


def test_events(writer: RunWriter, reader: RunReader) -> None:
    writer.state("loading")
    writer.event("alert", "hot", level="warn", stage="stage_a", step=3, celsius=90, bad=math.nan)
    writer.checkpoint("stage_a-000003", "stage_a", 3, 1234, kept=True)
    first, alert, checkpoint = reader.events()
    assert (first.kind, first.name, first.stage) == ("state", "loading", None)
    assert (alert.level, alert.stage, alert.step) == ("warn", "stage_a", 3)
    assert alert.data == {"celsius": 90, "bad": None}
    assert (checkpoint.name, checkpoint.data) == ("stage_a-000003", {"bytes": 1234, "kept": True})
    assert reader.events(after_id=first.id, limit=1) == [alert]
    assert reader.events(kinds=["state", "checkpoint"]) == [first, checkpoint]
    assert reader.last_events(2) == [alert, checkpoint]


def test_checkpoint_event_is_committed_in_full(writer: RunWriter) -> None:
    statements: list[str] = []
    writer._database.connection.set_trace_callback(statements.append)
    writer.checkpoint("stage_a-000003", "stage_a", 3, 1, kept=False)
    writer.event("note", "x")
    told = [words.split(" ", 3)[:4] for words in statements]
    orders = [" ".join(words) for words in told if words[0] in ("PRAGMA", "BEGIN", "COMMIT")]
    assert orders == [
        "PRAGMA synchronous = FULL", "BEGIN IMMEDIATE", "COMMIT", "PRAGMA synchronous = NORMAL",
        "BEGIN IMMEDIATE", "COMMIT",
    ]  # fmt: skip


def test_sample_has_the_documented_keys_in_order(writer: RunWriter, reader: RunReader) -> None:
    writer.sample(sample())
    (row,) = reader.samples()
    assert row == replace(sample(), attempt=0)
    assert list(row.to_json()) == [
        "stage", "step", "checkpoint", "split", "purpose", "case", "image", "prompt", "reference", "generated",
        "labels", "labels_reference", "icd", "icd_reference", "scores", "attempt",
    ]  # fmt: skip
    assert json.loads(json.dumps(row.to_json())) == row.to_json()


def test_texts_that_are_lost_are_empty(paths: RunPaths, writer: RunWriter, reader: RunReader) -> None:
    writer.sample(sample())
    with closing(sqlite3.connect(paths.db)) as connection, connection:
        connection.execute("UPDATE sample SET generated = NULL, scores = 'torn'")
    (row,) = reader.samples()
    assert (row.generated, row.reference, row.scores) == ("", "Clear.", None)


def test_samples_are_filtered_and_the_newest_are_found(writer: RunWriter, reader: RunReader) -> None:
    for stage, step, purpose in [
        ("stage_a", 10, "case"), ("stage_a", 20, "case"),
        ("stage_b", 5, "case"), ("stage_b", 9, "evaluation"),
    ]:  # fmt: skip
        for case in ("s2", "s1"):
            writer.sample(sample(stage=stage, step=step, purpose=purpose, case=case))
    assert [(row.step, row.case) for row in reader.samples(stage="stage_a")] == [
        (10, "s1"), (10, "s2"), (20, "s1"), (20, "s2"),
    ]  # fmt: skip
    assert [row.case for row in reader.samples(purpose="evaluation")] == ["s1", "s2"]
    assert {row.stage for row in reader.samples(step=5)} == {"stage_b"}
    assert {(row.stage, row.step) for row in reader.last_samples()} == {("stage_b", 5)}
    assert {(row.stage, row.step) for row in reader.last_samples(stage="stage_a")} == {("stage_a", 20)}


def test_sampling_a_case_again_replaces_it(writer: RunWriter, reader: RunReader) -> None:
    writer.sample(sample(generated="old"))
    writer.sample(sample(generated="new"))
    writer.sample(sample(generated="other", purpose="baseline:constant"))
    assert [row.generated for row in reader.samples(purpose="case")] == ["new"]


ANYTHING = st.text(st.characters(exclude_categories=())) | st.sampled_from(["a\0b", "\ud800", "\x1b[31m", ""])


@given(ANYTHING)
def test_any_text_comes_back(text: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        stored = connection.execute("SELECT ?", (text_to_db(text),)).fetchone()[0]
    assert text_from_db(stored) == text


def test_any_text_comes_back_from_the_store(writer: RunWriter, reader: RunReader) -> None:
    text = "NUL \0, half a pair \ud83d, escape \x1b[2J, markup [red]x[/], 日本"
    writer.sample(sample(generated=text, case=text, image=text, scores={text: [text]}))
    writer.event("note", text, detail=text)
    (row,) = reader.samples()
    assert row.generated == row.case == row.image == text
    assert row.scores == {text: [text]}
    (event,) = reader.events()
    assert event.message == event.data["detail"] == text


def test_writer_refuses_what_makes_no_sense(writer: RunWriter) -> None:
    with pytest.raises(ValueError, match="negative"):
        writer.scalars("stage_a", -1, {"a": 1.0})
    with pytest.raises(ValueError, match="no state"):
        writer.state("crashed")


def test_failed_transaction_leaves_nothing(writer: RunWriter, reader: RunReader) -> None:
    with pytest.raises(TypeError):
        writer.scalars("new_stage", 1, {"good": 1.0, "bad": "text"})  # type: ignore[dict-item]
    assert list(reader.scalars()) == [] and reader.tags() == []
    writer.scalars("new_stage", 1, {"good": 1.0})
    assert [row.stage for row in reader.scalars()] == ["new_stage"]


def test_change_token(writer: RunWriter, reader: RunReader) -> None:
    before = reader.change_token()
    assert reader.change_token() == before
    writer.scalars("stage_a", 1, {"a": 1.0})
    assert reader.change_token() != before


def test_reading_costs_little(writer: RunWriter, reader: RunReader) -> None:
    writer.state("training")
    writer.progress("stage_a", 1, 10)

    def reading() -> int:
        spent: list[int] = []
        reader._connection.set_progress_handler(lambda: spent.append(1), 1)
        reader.status()
        reader._connection.set_progress_handler(None, 1)
        return len(spent)

    few = reading()
    for step in range(2000):
        writer.scalars("stage_a", step, {"a": 1.0})
    assert 0 < reading() < 2 * few


def test_reader_cannot_write(reader: RunReader) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("INSERT INTO tag (name) VALUES ('x')")


def test_unwritable_place_is_one_clear_line(paths: RunPaths) -> None:
    paths.db.mkdir()
    with pytest.raises(UserError, match=r"run\.db"):
        open_writer(paths)
    with pytest.raises(UserError, match=r"run\.db"):
        open_reader(paths)
