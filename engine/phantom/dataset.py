"""A phantom data set on disk, in the layout of MIMIC-CXR-JPG, MIMIC-CXR, MIMIC-IV and MIMIC-IV-ED.

Same patients, seed, size and style: same bytes, whatever the number of workers. A directory beside the target
takes the files and gets the target's name only when all are there.
"""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from pathlib import Path

from engine.errors import UserError
from engine.files.temporary import holder
from engine.phantom.film.image import Style, jpeg, render
from engine.phantom.patient.sampling import sample_patients
from engine.phantom.patient.truth import PatientTruth
from engine.phantom.report.radiology_report import write_report
from engine.phantom.tables.columns import TableWriter, make_directory, open_private, write_private
from engine.phantom.tables.ehr import Numbers, dictionaries, patient_record
from engine.phantom.tables.film_tables import film_path, patient_rows, study_folder, test_set_table
from engine.programs import safe_python_children

Progress = Callable[[int, int], None]

#: Below the root of a data set.
IMAGES = "mimic-cxr-jpg/2.1.0"
REPORTS = "mimic-cxr/2.1.0"
EHR = "mimiciv/3.1"
ED = "mimic-iv-ed/2.2"

_README = (
    "Phantom data: nobody in it exists. Pictures, reports, labels and records are drawn by lot,\n"
    "in the layout of MIMIC-CXR-JPG, MIMIC-CXR, MIMIC-IV and MIMIC-IV-ED.\n"
    "patients {patients}, seed {seed}, size {size}\n"
)

_CHUNK = 4
_MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written. `studies` counts the films too: every study has one."""

    root: Path
    patients: int
    studies: int
    admissions: int


@dataclass(frozen=True, slots=True)
class _Film:
    """What the tables need to know of a written film; `digest` is its SHA-256 in hex."""

    shape: tuple[int, int]
    digest: str


def write_dataset(
    out: Path,
    patients: int,
    seed: int,
    size: int = 512,
    workers: int | None = None,
    style: Style | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write `patients` phantom patients below `out`; films have `size` pixels on the longer side.

    workers: processes that draw; None for one a core, eight at most; 1 draws in this process.
    progress: called with films done and films in all.
    Interrupted, it leaves nothing. Raises UserError where `out` is not empty or a number makes no sense.
    """
    _check(out, patients, size, workers)
    people = sorted(sample_patients(patients, seed), key=lambda patient: patient.subject_id)
    studies = sum(len(patient.studies) for patient in people)
    draw = partial(_draw_films, size=size, style=style or Style())
    with _put_in_place(out) as root, TableWriter(root) as tables:
        films: dict[str, _Film] = {}
        for done in _in_chunks(partial(draw, root), people, workers or _cores()):
            films |= done
            if progress is not None:
                progress(len(films), studies)
        numbers = Numbers()
        admissions = 0
        tables.write(dictionaries())
        shapes = {dicom_id: film.shape for dicom_id, film in films.items()}
        for patient in people:
            record = patient_record(patient, numbers)
            admissions += len(record.get("admissions", ()))
            tables.write(patient_rows(patient, shapes))
            tables.write(record)
        _write_listings(root, people, films)
        write_private(root / "README", _README.format(patients=patients, seed=seed, size=size).encode())
    return Summary(out, len(people), studies, admissions)


def _check(out: Path, patients: int, size: int, workers: int | None) -> None:
    if patients < 1:
        raise UserError(f"phantom data needs at least one patient, got {patients}")
    if size < 64:
        raise UserError(f"a phantom film needs at least 64 pixels, got {size}")
    if workers is not None and workers < 1:
        raise UserError(f"drawing needs at least one worker, got {workers}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty: choose another directory or remove it")


def _cores() -> int:
    return min(os.cpu_count() or 1, _MOST_WORKERS)


@contextmanager
def _put_in_place(out: Path) -> Iterator[Path]:
    """A fresh directory beside `out`, renamed to it on success and removed on any failure."""
    with holder(out.parent) as beside:
        unfinished = beside.path / "content"
        unfinished.mkdir(mode=0o700)
        yield unfinished
        try:
            unfinished.replace(out)  # an empty directory in its place gives way
        except OSError as error:
            raise UserError(f"{out} could not be put in place: {error.strerror}") from error


def _in_chunks(
    draw: Callable[[list[PatientTruth]], dict[str, _Film]], people: list[PatientTruth], workers: int
) -> Iterator[dict[str, _Film]]:
    """The films of all patients, a few patients at a time, in the order of `people`."""
    chunks = [people[start : start + _CHUNK] for start in range(0, len(people), _CHUNK)]
    if workers == 1 or len(chunks) == 1:
        yield from map(draw, chunks)
        return
    with safe_python_children():
        executor = ProcessPoolExecutor(
            min(workers, len(chunks)), multiprocessing.get_context("spawn"), initializer=_begin_worker
        )
        try:
            results = _submit(executor, draw, chunks)
            for result in results:
                yield result.result()
        except BrokenProcessPool:
            raise UserError(
                "a process that draws was killed; if memory ran out, draw with fewer of them (--workers 1)"
            ) from None
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _submit(
    executor: ProcessPoolExecutor,
    draw: Callable[[list[PatientTruth]], dict[str, _Film]],
    chunks: list[list[PatientTruth]],
) -> list[Future[dict[str, _Film]]]:
    """Hand out all chunks, with Ctrl-C blocked: a worker inherits that until it is ready to ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return [executor.submit(draw, chunk) for chunk in chunks]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, which ends its workers in order, and do not outlive it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _draw_films(root: Path, people: list[PatientTruth], *, size: int, style: Style) -> dict[str, _Film]:
    """Write films and reports of these patients; returns what was written by dicom_id."""
    films = {}
    for patient in people:
        for previous, study in zip((None, *patient.studies), patient.studies, strict=False):
            picture = render(study, patient, size, style)
            data = jpeg(picture)
            folder = study_folder(study)
            film = make_directory(root, f"{IMAGES}/{folder}") / f"{study.dicom_id}.jpg"
            write_private(film, data)
            films[study.dicom_id] = _Film(
                (picture.shape[0], picture.shape[1]), hashlib.sha256(data).hexdigest()
            )
            make_directory(root, str(Path(f"{REPORTS}/{folder}").parent))
            report = write_report(study, patient, previous)
            write_private(root / REPORTS / f"{folder}.txt", report.text.encode())
    return films


def _write_listings(root: Path, people: list[PatientTruth], films: dict[str, _Film]) -> None:
    """The plain files at the root of MIMIC-CXR-JPG."""
    base = root / IMAGES
    write_private(base / "mimic-cxr-2.1.0-test-set-labeled.csv", test_set_table(people))
    with open_private(base / "IMAGE_FILENAMES") as names, open_private(base / "SHA256SUMS.txt") as sums:
        for study in (study for patient in people for study in patient.studies):
            names.write(f"{film_path(study)}\n".encode())
            sums.write(f"{films[study.dicom_id].digest} {film_path(study)}\n".encode())
