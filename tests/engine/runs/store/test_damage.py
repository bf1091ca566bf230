"""A damaged run.db: kept aside, what can be read recovered, and the run goes on."""

import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.runs.layout import RunPaths, create_run
from engine.runs.lock import EngineLock
from engine.runs.process import launch
from engine.runs.store import database
from engine.runs.store.opening import open_reader, open_writer, status_of

PAGE = 4096
STEPS = 1500
TAGS = ("train/loss", "train/lr", "memory/process")


def fill(paths: RunPaths) -> None:
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_a", 0, {"device": "cpu"})
        writer.plan([{"stage": "stage_a", "steps": STEPS}])
        writer._database.connection.execute("PRAGMA synchronous = OFF")
        writer._database.connection.execute("PRAGMA wal_autocheckpoint = 100000")
        for step in range(1, STEPS + 1):
            writer.scalars("stage_a", step, {tag: float(step) for tag in TAGS})
            if step % 10 == 0:
                writer.event("note", f"at {step}", stage="stage_a", step=step)
        writer.state("parked")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    paths = create_run(tmp_path_factory.mktemp("whole"), "night")
    fill(paths)
    return paths.db.read_bytes()


def harm(content: bytes, pages: range) -> bytes:
    """Noise in the place of some pages, the first being page 0."""
    changed = bytearray(content)
    for page in pages:
        changed[page * PAGE : (page + 1) * PAGE] = random.Random(page).randbytes(PAGE)
    return bytes(changed[: len(content)])


def check_it_goes_on(paths: RunPaths, damaged: bytes) -> int:
    """A writer opens it, the damaged file lies beside it unchanged; returns how many steps' loss is still there."""
    with open_writer(paths, thorough=True) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_a", STEPS, {})
        writer.state("training")
        writer.scalars("stage_a", STEPS + 1, {"train/loss": 0.5})
    aside = paths.root / "run.db.damaged-1"
    assert aside.read_bytes() == damaged
    assert aside.stat().st_mode & 0o077 == 0 and paths.db.stat().st_mode & 0o077 == 0
    assert not list(paths.root.glob("*.recovering*"))
    with open_reader(paths) as reader:
        assert reader._all("PRAGMA integrity_check")[0][0] == "ok"
        (alert,) = reader.events(kinds=["alert"])
        assert "run.db.damaged-1" in alert.message and "\n" not in alert.message
        rows = [(row.step, row.value) for row in reader.scalars(["train/loss"])]
        assert rows[-1] == (STEPS + 1, 0.5)
        assert all(value == step for step, value in rows[:-1])
        buckets = reader.series("train/loss", "stage_a", columns=50)
        assert buckets[-1].step_hi == STEPS + 1
        assert max(bucket.high for bucket in buckets) == max(value for _, value in rows)
    return len(rows) - 1


def test_a_broken_page_costs_its_rows_and_no_more(paths: RunPaths, filled: bytes) -> None:
    pages = len(filled) // PAGE
    lost = []
    for page in range(pages // 2, pages // 2 + 6):
        run = create_run(paths.root.parent, f"page-{page}")
        damaged = harm(filled, range(page, page + 1))
        run.db.write_bytes(damaged)
        lost.append(STEPS - check_it_goes_on(run, damaged))
    assert any(lost) and max(lost) < STEPS / 4, lost


@pytest.mark.parametrize("harmed", ["header", "half", "empty pages", "no database"])
def test_whatever_is_left_the_run_goes_on(paths: RunPaths, filled: bytes, harmed: str) -> None:
    pages = len(filled) // PAGE
    damaged = {
        "header": harm(filled, range(1)),
        "half": filled[: pages // 2 * PAGE],
        "empty pages": filled[: 12 * PAGE] + bytes(len(filled) - 12 * PAGE),
        "no database": b"this is no database" * 300,
    }[harmed]
    paths.db.write_bytes(damaged)
    check_it_goes_on(paths, damaged)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=st.floats(0, 1), bits=st.binary(min_size=1, max_size=40))
@example(place=0.015625, bits=b"\x80")  # in the schema: SQLite's own words are no text then
@example(place=0.0625, bits=b"\x80")  # in a text: no UTF-8 any more
@example(place=0.0625, bits=b"\x00")  # in a JSON value
@example(place=0.00024009025704688835, bits=b"\x05")  # in the header: a format that there is none of
@example(place=0.8209514977168915, bits=b"\x00\x00\x81")  # in the list of tables: an id that is no number
@example(place=0.02006225780670579, bits=b"A")  # in a column's name
@example(place=0.96875, bits=b"\x00")  # in a key: what is there twice then cannot be found
def test_whatever_is_overwritten_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, filled: bytes, place: float, bits: bytes
) -> None:
    paths = create_run(tmp_path_factory.mktemp("harmed"), "night")
    begin = int(place * (len(filled) - len(bits)))
    paths.db.write_bytes(filled[:begin] + bits + filled[begin + len(bits) :])
    try:
        with open_writer(paths, thorough=True) as writer:
            writer.open_attempt()
            writer.begin_attempt("stage_a", STEPS, {})
            writer.scalars("stage_a", STEPS + 1, {"train/loss": 0.5})
        assert status_of(paths).attempt is not None
    except UserError as error:
        assert "newer" in str(error)  # its version number was what was overwritten


def test_damage_found_while_training_is_mended_under_its_readers(paths: RunPaths, filled: bytes) -> None:
    paths.db.write_bytes(filled)
    with EngineLock.take(paths), open_writer(paths) as writer, open_reader(paths) as reader:
        attempt = writer.open_attempt()
        writer.begin_attempt("stage_a", STEPS, {})
        writer.state("training")
        writer._database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer._database.connection.execute("PRAGMA cache_size = 0")
        size = paths.db.stat().st_size
        with paths.db.open("r+b") as file:
            for page in range(4, size // PAGE, 2):
                file.seek(page * PAGE)
                file.write(b"\xff" * PAGE)
        for step in range(STEPS + 1, STEPS + 400):
            writer.scalars("stage_a", step, {tag: float(step) for tag in TAGS})
            writer.event("note", f"at {step}")
        writer._database.rows("SELECT sum(value), sum(attempt) FROM scalar")
        assert (paths.root / "run.db.damaged-1").exists()
        writer.scalars("stage_a", STEPS + 400, {"train/loss": 1.0})
        losses = [row.step for row in reader.scalars(["train/loss"])]
        assert losses[-400:] == list(range(STEPS + 1, STEPS + 401))
        assert any("damaged" in event.message for event in reader.events(kinds=["alert"]))
        command = reader.request("save")
        assert [asked.id for asked in writer.take_commands()] == [command]
        assert (reader.status().state, reader.status().attempt) == ("training", attempt)


def test_a_reader_of_the_old_file_leaves_the_new_one_s_log_alone(paths: RunPaths, filled: bytes) -> None:
    paths.db.write_bytes(filled)
    with open_reader(paths) as old:
        old.tags()
        paths.db.write_bytes(harm(filled, range(10, 30)))
        with open_writer(paths, thorough=True) as writer:
            writer.event("note", "in the log")
            old._connection.close()
            writer.event("note", "after")
            with open_reader(paths) as reader:
                assert [event.message for event in reader.events(kinds=["note"])][-2:] == [
                    "in the log",
                    "after",
                ]


def test_a_disk_that_damages_again_and_again_is_not_filled_with_copies(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_writer(paths) as writer:

        def broken(*_: object, **__: object) -> None:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

        monkeypatch.setattr("engine.runs.store.writer.put_scalars", broken)
        for step in range(10):
            writer.scalars("stage_a", step, {"a": 1.0})
        assert writer.waiting == 10
    assert len(list(paths.root.glob("run.db.damaged-?"))) == database.MOST_RECOVERIES


def test_a_recovery_cut_off_between_its_renames_is_finished(paths: RunPaths, filled: bytes) -> None:
    paths.db.with_name("run.db.damaged-1").write_bytes(b"x")
    paths.db.with_name("run.db.recovering").write_bytes(filled)
    open_writer(paths).close()
    with open_reader(paths) as reader:
        assert len(list(reader.scalars(["train/loss"]))) == STEPS


def test_launching_looks_through_the_whole_file(paths: RunPaths, filled: bytes, tmp_path: Path) -> None:
    pages = len(filled) // PAGE
    paths.db.write_bytes(harm(filled, range(pages // 2, pages // 2 + 1)))
    launch(paths, ["true"])
    assert (paths.root / "run.db.damaged-1").exists()
    assert status_of(paths).attempt == 2
