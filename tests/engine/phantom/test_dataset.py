import csv
import gzip
import hashlib
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from engine.data.labels import LABELS
from engine.errors import UserError
from engine.phantom.dataset import ED, EHR, IMAGES, REPORTS, Summary, write_dataset
from engine.phantom.film.image import Style
from engine.phantom.patient.sampling import sample_patients
from engine.phantom.tables.columns import COLUMNS
from engine.phantom.tables.film_tables import study_time

_PATIENTS, _SEED, _SIZE = 12, 5, 64


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary, list[tuple[int, int]]]:
    out = tmp_path_factory.mktemp("phantom") / "data"
    ticks: list[tuple[int, int]] = []
    summary = write_dataset(
        out, _PATIENTS, _SEED, _SIZE, 1, progress=lambda done, total: ticks.append((done, total))
    )
    return out, summary, ticks


def table(root: Path, path: str) -> list[dict[str, str]]:
    with gzip.open(root / f"{path}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_films_and_reports_lie_where_mimic_has_them(
    made: tuple[Path, Summary, list[tuple[int, int]]],
) -> None:
    root, summary, _ = made
    metadata = table(root, f"{IMAGES}/mimic-cxr-2.0.0-metadata")
    assert len(metadata) == summary.studies
    for row in metadata:
        patient = f"p{row['subject_id']}"
        folder = f"files/{patient[:3]}/{patient}/s{row['study_id']}"
        assert re.fullmatch(r"1\d{7}", row["subject_id"]) and re.fullmatch(r"5\d{7}", row["study_id"])
        assert len(row["dicom_id"]) == 44
        with Image.open(root / IMAGES / folder / f"{row['dicom_id']}.jpg") as image:
            assert image.mode == "L" and image.format == "JPEG"
            assert image.size == (int(row["Columns"]), int(row["Rows"]))
        assert "FINAL REPORT" in (root / REPORTS / f"{folder}.txt").read_text()
    listed = (root / IMAGES / "IMAGE_FILENAMES").read_text().split()
    assert sorted(listed) == sorted(str(p.relative_to(root / IMAGES)) for p in (root / IMAGES).rglob("*.jpg"))


def test_checksums_verify(made: tuple[Path, Summary, list[tuple[int, int]]]) -> None:
    base = made[0] / IMAGES
    lines = (base / "SHA256SUMS.txt").read_text().splitlines()
    assert len(lines) == made[1].studies
    for line in lines:
        digest, path = line.split()
        assert hashlib.sha256((base / path).read_bytes()).hexdigest() == digest


def test_every_table_is_there_with_its_columns(made: tuple[Path, Summary, list[tuple[int, int]]]) -> None:
    root = made[0]
    for path, columns in COLUMNS.items():
        with gzip.open(root / f"{path}.csv.gz", "rt", newline="") as file:
            assert next(csv.reader(file)) == list(columns)
    assert (root / EHR / "hosp" / "admissions.csv.gz").exists()
    assert (root / ED / "ed" / "edstays.csv.gz").exists()


def test_labels_and_split_cover_all_studies(made: tuple[Path, Summary, list[tuple[int, int]]]) -> None:
    root, summary, _ = made
    split = {row["study_id"]: row["split"] for row in table(root, f"{IMAGES}/mimic-cxr-2.0.0-split")}
    chexpert = table(root, f"{IMAGES}/mimic-cxr-2.0.0-chexpert")
    assert len(chexpert) == len(split) == summary.studies
    assert set(split.values()) <= {"train", "validate", "test"}
    assert {row[name] for row in chexpert for name in LABELS} <= {"1.0", "0.0", "-1.0", ""}
    with open(root / IMAGES / "mimic-cxr-2.1.0-test-set-labeled.csv", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames is not None
        assert "Airspace Opacity" in reader.fieldnames and "Lung Opacity" not in reader.fieldnames
        assert {row["study_id"] for row in reader} == {
            study for study, part in split.items() if part == "test"
        }


def test_study_time_reads_back_although_its_zeros_are_lost() -> None:
    lost = 0
    for patient in sample_patients(60, seed=2):
        for study in patient.studies:
            text = study_time(study)
            assert f"{int(float(text)):06}" == f"{study.taken:%H%M%S}"
            lost += len(text.split(".")[0]) < 6
    assert lost > 5


def test_the_data_say_that_they_are_made_up(made: tuple[Path, Summary, list[tuple[int, int]]]) -> None:
    text = (made[0] / "README").read_text()
    assert "nobody in it exists" in text and f"seed {_SEED}" in text


def test_nobody_else_may_read(made: tuple[Path, Summary, list[tuple[int, int]]]) -> None:
    for path in (made[0], *made[0].rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_progress_counts_to_the_end(made: tuple[Path, Summary, list[tuple[int, int]]]) -> None:
    _, summary, ticks = made
    assert [total for _, total in ticks] == [summary.studies] * len(ticks)
    assert [done for done, _ in ticks] == sorted({done for done, _ in ticks})
    assert ticks[-1] == (summary.studies, summary.studies)


def test_two_workers_write_the_same_bytes(
    made: tuple[Path, Summary, list[tuple[int, int]]], tmp_path: Path
) -> None:
    write_dataset(tmp_path / "again", _PATIENTS, _SEED, _SIZE, 2)
    assert contents(tmp_path / "again") == contents(made[0])


def test_another_seed_is_another_world(
    made: tuple[Path, Summary, list[tuple[int, int]]], tmp_path: Path
) -> None:
    write_dataset(tmp_path / "other", 1, _SEED + 1, _SIZE, 1)
    subjects = {row["subject_id"] for row in table(tmp_path / "other", f"{EHR}/hosp/patients")}
    assert not subjects & {row["subject_id"] for row in table(made[0], f"{EHR}/hosp/patients")}


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        write_dataset(tmp_path, 1, 1, _SIZE, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_dataset(tmp_path / "out", 1, 1, _SIZE, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_killed_process_left_is_swept_up(
    killed: Callable[..., None], tmp_path: Path, workers: int
) -> None:
    script = (
        "from pathlib import Path; from engine.phantom.dataset import write_dataset\n"
        "write_dataset(Path(sys.argv[1]), 12, 5, 64, int(sys.argv[2]), progress=here)"
    )
    killed(script, tmp_path / "out", workers)
    assert list(tmp_path.rglob("*.jpg"))
    write_dataset(tmp_path / "other", 1, 1, _SIZE, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interruption_leaves_nothing(tmp_path: Path, workers: int) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "out", _PATIENTS, _SEED, _SIZE, workers, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


class _Kills(Style):
    """Kills the process that it arrives in."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return signal.raise_signal, (signal.SIGKILL,)


def test_a_worker_that_is_killed_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a process that draws was killed"):
        write_dataset(tmp_path / "out", _PATIENTS, _SEED, _SIZE, 2, _Kills())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("patients", "size", "workers"), [(0, 64, 1), (1, 8, 1), (1, 64, 0)])
def test_senseless_numbers_are_refused(tmp_path: Path, patients: int, size: int, workers: int) -> None:
    with pytest.raises(UserError):
        write_dataset(tmp_path / "out", patients, 1, size, workers)
    assert list(tmp_path.iterdir()) == []
