"""The tables that come with the films: their paths, their columns, and how they are written.

Columns as of MIMIC-IV 3.1, MIMIC-IV-ED 2.2 and MIMIC-CXR-JPG 2.1.0.
"""

import csv
import gzip
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Rows = Mapping[str, Iterable[Sequence[object]]]

_JPG = "mimic-cxr-jpg/2.1.0"
_CXR = "mimic-cxr/2.1.0"
_HOSP = "mimiciv/3.1/hosp"
_ICU = "mimiciv/3.1/icu"
_ED = "mimic-iv-ed/2.2/ed"

_CHEXPERT = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
_VITALS = "temperature,heartrate,resprate,o2sat,sbp,dbp"

#: Path below the root, without ".csv.gz" → column names.
COLUMNS: dict[str, tuple[str, ...]] = {
    path: tuple(names.split(","))
    for path, names in {
        f"{_JPG}/mimic-cxr-2.0.0-metadata": (
            "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,"
            "StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
            "PatientOrientationCodeSequence_CodeMeaning"
        ),
        f"{_JPG}/mimic-cxr-2.0.0-split": "dicom_id,study_id,subject_id,split",
        f"{_JPG}/mimic-cxr-2.0.0-chexpert": f"subject_id,study_id,{_CHEXPERT}",
        f"{_JPG}/mimic-cxr-2.0.0-negbio": f"subject_id,study_id,{_CHEXPERT}",
        f"{_CXR}/cxr-record-list": "subject_id,study_id,dicom_id,path",
        f"{_CXR}/cxr-study-list": "subject_id,study_id,path",
        f"{_HOSP}/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
        f"{_HOSP}/admissions": (
            "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admit_provider_id,"
            "admission_location,discharge_location,insurance,language,marital_status,race,edregtime,edouttime,"
            "hospital_expire_flag"
        ),
        f"{_HOSP}/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
        f"{_HOSP}/d_icd_diagnoses": "icd_code,icd_version,long_title",
        f"{_HOSP}/labevents": (
            "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,"
            "valuenum,valueuom,ref_range_lower,ref_range_upper,flag,priority,comments"
        ),
        f"{_HOSP}/d_labitems": "itemid,label,fluid,category",
        f"{_HOSP}/omr": "subject_id,chartdate,seq_num,result_name,result_value",
        f"{_ICU}/icustays": "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los",
        f"{_ED}/edstays": (
            "subject_id,hadm_id,stay_id,intime,outtime,gender,race,arrival_transport,disposition"
        ),
        f"{_ED}/triage": f"subject_id,stay_id,{_VITALS},pain,acuity,chiefcomplaint",
        f"{_ED}/vitalsign": f"subject_id,stay_id,charttime,{_VITALS},rhythm,pain",
        f"{_ED}/diagnosis": "subject_id,stay_id,seq_num,icd_code,icd_version,icd_title",
    }.items()
}

#: Short name ("patients", "mimic-cxr-2.0.0-split") → path below the root, without ".csv.gz".
PATHS: dict[str, str] = {path.rsplit("/", 1)[1]: path for path in COLUMNS}


class TableWriter:
    """Writes rows to all tables at once; a context manager.

    The bytes depend on the rows alone: no time and no name stand in the gzip headers.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open = ExitStack()
        self._writers: dict[str, Any] = {}  # csv.writer has no public type

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for name, path in PATHS.items():
                target = self._root / f"{path}.csv.gz"
                make_directory(self._root, str(Path(path).parent))
                raw = opening.enter_context(open_private(target))
                packed = opening.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
                text = opening.enter_context(io.TextIOWrapper(packed, "utf-8", newline=""))
                self._writers[name] = csv.writer(text, lineterminator="\n")
                self._writers[name].writerow(COLUMNS[path])
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def write(self, rows: Rows) -> None:
        """Append rows to the tables named by their short names. Raises KeyError for an unknown table."""
        for name, lines in rows.items():
            self._writers[name].writerows(lines)


def open_private(path: Path) -> io.BufferedWriter:
    """A new file that nobody else may read, open for writing bytes."""
    return io.BufferedWriter(io.FileIO(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)))


def write_private(path: Path, data: bytes) -> None:
    with open_private(path) as file:
        file.write(data)


def make_directory(root: Path, below: str) -> Path:
    """`root/below`, every part of it made where missing and closed to others."""
    directory = root
    for part in Path(below).parts:
        directory = directory / part
        directory.mkdir(mode=0o700, exist_ok=True)
    return directory
