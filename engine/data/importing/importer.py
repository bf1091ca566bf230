"""From processed files that people already have to curriculum lines. Whatever is left out or guessed is counted."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count
from pathlib import Path

from engine.data.curriculum import Sample, write_curriculum
from engine.data.importing.fields import read_mapping
from engine.data.importing.formats import read_records
from engine.data.importing.import_report import ImportReport
from engine.data.importing.sample import Importer, Unusable
from engine.errors import UserError
from engine.files.temporary import sweep, write_private

_VAL_SHARE = 0.1

Placed = tuple[Sample, str]  # a sample and where it was read


def import_curriculum(
    files: Sequence[Path], out: Path, mapping: Path | None = None, image_root: Path | None = None
) -> ImportReport:
    """Writes `out/curriculum.jsonl` and `out/import.json` from JSON, JSON lines or CSV files.

    mapping: YAML with `fields:` (ours: theirs) and `constants:` (ours: value). image_root: where the images lie;
    with it every image is looked for, and absolute paths become relative to it. Raises UserError if a file or the
    mapping cannot be read, or if no record becomes a sample.
    """
    sweep(out)
    if image_root is not None and not image_root.is_dir():
        raise UserError(f"{image_root}: no such image directory")
    field_map = read_mapping(mapping)
    importer = Importer(field_map, image_root)
    report = ImportReport()
    names: set[str] = set()
    if image_root is None:
        report.note("no image root given: images were not looked for", "all files")
    found: list[Placed] = []
    for path in files:
        for record in read_records(path):
            report.read += 1
            try:
                if record.fields is None:
                    raise Unusable(record.problem)
                names.update(record.fields)
                note = partial(report.note, where=record.where)
                sample = importer.sample(record.fields, note, report.unknown_fields.update)
                found.append((sample, record.where))
            except Unusable as reason:
                report.drop(str(reason), record.where)
            except RecursionError:
                report.drop("nested too deeply", record.where)
    for name in field_map.fields.keys() - names:
        report.note(f"no record has the field {name!r} of the mapping", str(mapping))
    samples = _with_splits(_unique(found, report), report)
    if not samples:
        reasons = "; ".join(f"{number} x {reason}" for reason, number in report.dropped.most_common(3))
        raise UserError(f"{', '.join(map(str, files))}: no record became a sample: {reasons or 'none there'}")
    report.samples = samples
    write_curriculum(out / "curriculum.jsonl", samples)
    write_private(out / "import.json", [json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"])
    return report


def _unique(found: Iterable[Placed], report: ImportReport) -> list[Placed]:
    """Samples that say the same are dropped but for the first; ids that different ones share are told apart."""
    unique: list[Placed] = []
    content: set[tuple[str, str, str, str]] = set()
    ids: set[str] = set()
    for sample, where in found:
        key = (sample.stage, sample.image, sample.prompt, sample.target)
        if key in content:
            report.drop("duplicate: same stage, image, prompt and target as an earlier record", where)
            continue
        content.add(key)
        if sample.id in ids:
            report.note("id met again with another content: a suffix tells them apart", where)
            endings = chain(sample.stage[-1], count(2))
            sample = replace(sample, id=next(n for end in endings if (n := f"{sample.id}-{end}") not in ids))
        ids.add(sample.id)
        unique.append((sample, where))
    return unique


def _with_splits(placed: Sequence[Placed], report: ImportReport) -> list[Sample]:
    """Samples without split follow their patient's other samples, else a hash of the patient: one in ten is val."""
    known: dict[str, str] = {}
    for sample, where in placed:
        if sample.split and known.setdefault(sample.subject_id, sample.split) != sample.split:
            report.note("patient is in another split too", where)
    samples = []
    for sample, where in placed:
        if not sample.split:
            report.note("no split: chosen by patient, 90 % train and 10 % val", where)
            sample = replace(
                sample, split=known.get(sample.subject_id) or _split_of_patient(sample.subject_id)
            )
        samples.append(sample)
    return samples


def _split_of_patient(subject_id: str) -> str:
    draw = int.from_bytes(hashlib.blake2b(subject_id.encode(), digest_size=8).digest(), "big") / 2**64
    return "val" if draw < _VAL_SHARE else "train"
