"""Where the MIMIC tables, reports and films lie below a directory, however they got there."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.errors import UserError

_MAX_DEPTH = 8  # physionet.org/files/mimic-iv-ed/2.2/ed, below a directory or two of one's own
# Folders that hold one entry a patient: nothing is to be found there, and looking takes hours on a full copy.
_PATIENT_FOLDER = re.compile(r"p1\d|p1\d{7}|s5\d{7}")
_FILES = "files"


@dataclass(frozen=True, slots=True)
class MimicRoots:
    """jpg: MIMIC-CXR-JPG with its label files. reports: where the reports begin. hosp: MIMIC-IV's hospital
    tables. ed: MIMIC-IV-ED's tables; None if there are none.

    films_below, reports_below: what stands between the root and p10/p10000032: "files", or "" in some copies.
    """

    jpg: Path
    reports: Path
    hosp: Path
    ed: Path | None
    films_below: str = _FILES
    reports_below: str = _FILES


def find_roots(
    source: Path,
    *,
    jpg: Path | None = None,
    reports: Path | None = None,
    hosp: Path | None = None,
    ed: Path | None = None,
) -> MimicRoots:
    """The four trees below `source`, however nested; a tree given by name is not looked for.

    Raises UserError if one is missing (but for `ed`) or there twice.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such directory")
    folders = list(_folders(source))
    jpg = jpg or _only("MIMIC-CXR-JPG (*-metadata.csv.gz)", "jpg", source, filter(_has_metadata, folders))
    reports = reports or _only(
        "reports (files/p10/…/s….txt)", "reports", source, filter(_has_reports, folders)
    )
    hosp = hosp or _only(
        "MIMIC-IV hosp (admissions.csv.gz)", "hosp", source, filter(_has_admissions, folders)
    )
    if ed is None and (found := [*filter(_has_edstays, folders)]):
        ed = _only("MIMIC-IV-ED", "ed", source, found)
    return MimicRoots(jpg, reports, hosp, ed, _below(jpg), _below(reports))


def table(folder: Path, name: str) -> Path:
    """The table's file, `name.csv.gz` or `name.csv`. Raises UserError if neither is there."""
    found = find_table(folder, name)
    if found is None:
        raise UserError(f"{folder}: has neither {name}.csv.gz nor {name}.csv")
    return found


def find_table(folder: Path, name: str) -> Path | None:
    """The table's file, `name.csv.gz` or `name.csv`; None if neither is there."""
    return next((path for end in (".csv.gz", ".csv") if (path := folder / f"{name}{end}").is_file()), None)


def _below(root: Path) -> str:
    return "" if not (root / _FILES).is_dir() and next(root.glob("p1?"), None) else _FILES


def _folders(source: Path) -> Iterator[Path]:
    for folder, names, _ in os.walk(source, followlinks=True):
        path = Path(folder)
        deep = len(path.relative_to(source).parts) >= _MAX_DEPTH
        names[:] = (
            [] if deep else sorted(n for n in names if not _PATIENT_FOLDER.fullmatch(n) and n[0] != ".")
        )
        yield path


def _only(what: str, option: str, source: Path, folders: Iterable[Path]) -> Path:
    found = list(folders)
    if not found:
        raise UserError(f"{source}: holds no {what}; say where it is with --{option}-root")
    if len(found) > 1:
        places = ", ".join(map(str, found))
        raise UserError(f"{source}: holds {what} more than once ({places}); choose with --{option}-root")
    return found[0]


def _has_metadata(folder: Path) -> bool:
    return find_table(folder, "mimic-cxr-2.0.0-metadata") is not None


def _has_admissions(folder: Path) -> bool:
    return find_table(folder, "admissions") is not None


def _has_edstays(folder: Path) -> bool:
    return find_table(folder, "edstays") is not None


def _has_reports(folder: Path) -> bool:
    """Whether one of the first patients' folders holds a report; a tree of films has 65,000 without."""
    if folder.name == _FILES:  # its parent is the root
        return False
    patients = islice((folder / _below(folder)).glob("p1?/p1*"), 50)
    return any(next(patient.glob("s*.txt"), None) is not None for patient in patients)
