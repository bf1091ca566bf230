"""A MIMIC-shaped tree of one patient and one film, any of whose tables can be given otherwise."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from engine.data.labels import LABELS
from engine.phantom.tables.columns import COLUMNS

SUBJECT, STUDY, HADM, STAY = 10000101, 50000001, 20000001, 30000001
FILM = "2150-01-05 10:00:00"

Rows = Sequence[Mapping[str, Any]]
SHORT = {path.rsplit("/", 1)[1].removeprefix("mimic-cxr-2.0.0-"): path for path in COLUMNS}


def admission(
    hadm: Any = HADM, begin: str = "2150-01-02 00:00:00", end: str = "2150-01-09 00:00:00", **more: Any
) -> Any:
    return {"subject_id": SUBJECT, "hadm_id": hadm, "admittime": begin, "dischtime": end, **more}


def coded(code: str, version: Any = 10, hadm: Any = HADM, seq: Any = 1) -> Any:
    return {"subject_id": SUBJECT, "hadm_id": hadm, "seq_num": seq, "icd_code": code, "icd_version": version}


def lab(item: int, value: Any, hour: str = "08:00:00", number: int = 1, **more: Any) -> Any:
    return {
        "labevent_id": number,
        "subject_id": SUBJECT,
        "itemid": item,
        "charttime": f"2150-01-05 {hour}",
        "storetime": f"2150-01-05 {hour}",
        "value": value,
        "valuenum": value,
        **more,
    }


TABLES: Mapping[str, Rows] = {
    "metadata": [
        {
            "dicom_id": "d1",
            "subject_id": SUBJECT,
            "study_id": STUDY,
            "ViewPosition": "AP",
            "StudyDate": "21500105",
            "StudyTime": "100000.0",
        }
    ],
    "split": [{"dicom_id": "d1", "study_id": STUDY, "subject_id": SUBJECT, "split": "train"}],
    "chexpert": [{"subject_id": SUBJECT, "study_id": STUDY, "Edema": "1.0"}],
    "patients": [{"subject_id": SUBJECT, "gender": "F", "anchor_age": 60, "anchor_year": 2150}],
    "admissions": [admission()],
    "diagnoses_icd": [coded("I509")],
    "d_icd_diagnoses": [{"icd_code": "I509", "icd_version": 10, "long_title": "Heart failure"}],
    "labevents": [],
    "edstays": [],
    "triage": [],
    "vitalsign": [],
    "diagnosis": [],
}


def write_tree(
    root: Path,
    report: str = " IMPRESSION:\n\n Mild edema.\n",
    packed: bool = True,
    columns: Mapping[str, Sequence[str]] | None = None,
    **tables: Rows | None,
) -> Path:
    """tables: rows by short name, None for no such file. columns: another header for a table."""
    for name, rows in {**TABLES, **tables}.items():
        if rows is None:
            continue
        header = (columns or {}).get(name, COLUMNS[SHORT[name]])
        path = root / f"{SHORT[name]}.csv{'.gz' if packed else ''}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with (gzip.open if packed else open)(path, "wt", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, header, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    folder = f"files/p10/p{SUBJECT}"
    film = root / f"mimic-cxr-jpg/2.1.0/{folder}/s{STUDY}/d1.jpg"
    film.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize((8, 8)).save(film)
    text = root / f"mimic-cxr/2.1.0/{folder}/s{STUDY}.txt"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text(report)
    assert set(LABELS) <= set(COLUMNS[SHORT["chexpert"]])
    return root
