"""The tables that go with the films: MIMIC-CXR-JPG's metadata, split and labels, MIMIC-CXR's lists."""

import csv
import io
from collections.abc import Mapping, Sequence

from engine.data.labels import LABELS
from engine.phantom.draws import stream
from engine.phantom.patient.truth import PatientTruth, StudyTruth
from engine.phantom.tables.chexpert import chexpert_labels

Row = tuple[object, ...]


def study_folder(study: StudyTruth) -> str:
    """`files/p10/p10000032/s50414267`: where the study's films lie; its report adds `.txt`."""
    patient = f"p{study.subject_id}"
    return f"files/{patient[:3]}/{patient}/s{study.study_id}"


def film_path(study: StudyTruth) -> str:
    """Path of the film below the root of MIMIC-CXR-JPG."""
    return f"{study_folder(study)}/{study.dicom_id}.jpg"


def study_time(study: StudyTruth) -> str:
    """HHMMSS.fff as a number: without the zeros it began with."""
    thousandths = stream(study.seed, "thousandths").randint(0, 999)
    return repr(round(int(f"{study.taken:%H%M%S}") + thousandths / 1000, 3))


def patient_rows(patient: PatientTruth, shapes: Mapping[str, tuple[int, int]]) -> dict[str, list[Row]]:
    """Rows keyed by short table name; `shapes` gives height and width of each film by its dicom_id."""
    rows: dict[str, list[Row]] = {}
    for study in patient.studies:
        ids = (study.subject_id, study.study_id)
        folder = study_folder(study)
        labels = tuple(label_values(study))
        for table, row in (
            ("mimic-cxr-2.0.0-metadata", _metadata(study, shapes[study.dicom_id])),
            ("mimic-cxr-2.0.0-split", (study.dicom_id, study.study_id, study.subject_id, patient.split)),
            ("mimic-cxr-2.0.0-chexpert", (*ids, *labels)),
            ("mimic-cxr-2.0.0-negbio", (*ids, *labels)),
            ("cxr-record-list", (*ids, study.dicom_id, f"{folder}/{study.dicom_id}.dcm")),
            ("cxr-study-list", (*ids, f"{folder}.txt")),
        ):
            rows.setdefault(table, []).append(row)
    return rows


def label_values(study: StudyTruth) -> list[str]:
    """The study's labels as the label files write them, in the order of LABELS; "" for unmentioned."""
    values = chexpert_labels(study)
    return ["" if values[name] is None else f"{values[name]}.0" for name in LABELS]


def test_set_table(patients: Sequence[PatientTruth]) -> bytes:
    """mimic-cxr-2.1.0-test-set-labeled.csv, which alone calls Lung Opacity "Airspace Opacity"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["study_id", *(name.replace("Lung Opacity", "Airspace Opacity") for name in LABELS)])
    for patient in patients:
        if patient.split == "test":
            writer.writerows([study.study_id, *label_values(study)] for study in patient.studies)
    return text.getvalue().encode()


def _metadata(study: StudyTruth, shape: tuple[int, int]) -> Row:
    portable = study.view == "AP"
    procedure = "CHEST (PORTABLE AP)" if portable else "CHEST (PA)"
    return (
        study.dicom_id,
        study.subject_id,
        study.study_id,
        procedure,
        study.view,
        *shape,
        f"{study.taken:%Y%m%d}",
        study_time(study),
        procedure,
        "antero-posterior" if portable else "postero-anterior",
        "Recumbent" if portable else "Erect",
    )
