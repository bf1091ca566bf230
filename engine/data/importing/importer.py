"""From processed files that people already have to curriculum lines. Whatever is left out or guessed is counted."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count
from pathlib import Path

from engine.data.curriculum import write_curriculum
from engine.data.importing.fields import read_mapping
from engine.data.importing.formats import read_records
from engine.data.importing.import_report import ImportReport
from engine.data.importing.overlap import content_hashes, identities, shared_identities
from engine.data.importing.sample import Importer
from engine.data.importing.splits import (
    Mode,
    OfficialSplit,
    Placed,
    by_patient,
    by_table,
    find_official_table,
    kept,
    read_official,
    split_in_name,
)
from engine.data.importing.unusable import Unusable
from engine.errors import UserError
from engine.files.temporary import sweep, write_private

_KINDS = {
    "patients": "patient",
    "studies": "study",
    "images": "image",
    "contents": "image of the same bytes",
}


def import_curriculum(
    files: Sequence[Path],
    out: Path,
    mapping: Path | None = None,
    image_root: Path | None = None,
    *,
    split: Mode = "keep",
    split_table: Path | None = None,
    hash_images: bool = False,
) -> ImportReport:
    """Writes `out/curriculum.jsonl` and `out/import.json` from JSON, tables as text, or Parquet.

    mapping: YAML with `fields:` (ours: theirs) and `constants:` (ours: value). image_root: where the images lie;
    with it every image is looked for, and absolute paths become relative to it. split: `keep` what records, their
    file's parts or its name say; `patient` draws all anew; `official` asks MIMIC's split table, which is
    split_table or lies in image_root. hash_images: compare images by their bytes, too. Raises UserError if a file,
    the mapping or the table cannot be read, or if no record becomes a sample.
    """
    sweep(out)
    if image_root is not None and not image_root.is_dir():
        raise UserError(f"{image_root}: no such image directory")
    if hash_images and image_root is None:
        raise UserError("--hash: say with --image-root where the images lie")
    field_map = read_mapping(mapping)
    official = _official(split, split_table or find_official_table(image_root))
    importer = Importer(field_map, image_root)
    report = ImportReport()
    names: set[str] = set()
    if image_root is None:
        report.note("no image root given: images were not looked for", "all files")
    found: list[Placed] = []
    for path in files:
        file_split = split_in_name(path)
        for record in read_records(path):
            report.read += 1
            note = partial(report.note, where=record.where)
            for remark in record.remarks:
                note(remark)
            try:
                if record.fields is None:
                    raise Unusable(record.problem)
                names.update(record.fields)
                sample = importer.sample(record.fields, note, report.unknown_fields.update, file_split)
                found.append((sample, record.where))
            except Unusable as reason:
                report.drop(str(reason), record.where)
            except RecursionError:
                report.drop("nested too deeply", record.where)
    for name in field_map.fields.keys() - names:
        report.note(f"no record has the field {name!r} of the mapping", str(mapping))
    placed = _unique(found, report)
    if split == "keep":
        placed = kept(placed, report.note)
        _compare(placed, official, report.note)
    elif split == "patient":
        placed = by_patient(placed, report.note)
    else:
        assert official is not None
        placed = by_table(placed, official, report.note, report.drop)
    if not placed:
        reasons = "; ".join(f"{number} x {reason}" for reason, number in report.dropped.most_common(3))
        raise UserError(f"{', '.join(map(str, files))}: no record became a sample: {reasons or 'none there'}")
    report.samples = [sample for sample, _ in placed]
    _tell_overlap(placed, image_root if hash_images else None, report)
    write_curriculum(out / "curriculum.jsonl", report.samples)
    write_private(out / "import.json", [json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"])
    return report


def _official(split: Mode, table: Path | None) -> OfficialSplit | None:
    if table is None and split == "official":
        raise UserError(
            "--split official: MIMIC's split table is not in the image root; name it with --split-table "
            "(mimic-cxr-2.0.0-split.csv.gz of MIMIC-CXR-JPG)"
        )
    return read_official(table) if table is not None else None


def _compare(
    placed: Iterable[Placed], official: OfficialSplit | None, note: Callable[[str, str], None]
) -> None:
    """Tell where the splits that are kept go against MIMIC's own, above all what it keeps for the test."""
    for sample, where in placed if official else ():
        theirs = official.of(sample) if official else None
        if theirs is not None and theirs != sample.split:
            note(f"split {sample.split}, but {theirs} in MIMIC's table", where)


def _tell_overlap(placed: Sequence[Placed], hashed_root: Path | None, report: ImportReport) -> None:
    """Count what is in more than one split, and where its samples stand."""
    contents = content_hashes(report.samples, hashed_root) if hashed_root is not None else None
    report.overlap = shared_identities(report.samples, contents)
    first: dict[tuple[str, str], str] = {}
    for sample, where in placed:
        for kind, key in identities(sample, contents).items():
            if key in report.overlap[kind] and first.setdefault((kind, key), sample.split) != sample.split:
                report.note(f"{_KINDS[kind]} is in another split too", where)


def _unique(found: Iterable[Placed], report: ImportReport) -> list[Placed]:
    """Samples that say the same are dropped but for the first; ids that different ones share are told apart."""
    unique: list[Placed] = []
    content: dict[tuple[str, str, str, str], str] = {}
    ids: set[str] = set()
    for sample, where in found:
        key = (sample.stage, sample.image, sample.prompt, sample.target)
        if key in content:
            other = f" of split {content[key]}" if sample.split not in ("", content[key]) else ""
            report.drop(f"duplicate: same stage, image, prompt and target as an earlier record{other}", where)
            continue
        content[key] = sample.split
        if sample.id in ids:
            report.note("id met again with another content: a suffix tells them apart", where)
            endings = chain(sample.stage[-1], count(2))
            sample = replace(sample, id=next(n for end in endings if (n := f"{sample.id}-{end}") not in ids))
        ids.add(sample.id)
        unique.append((sample, where))
    return unique
