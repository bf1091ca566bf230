"""From MIMIC trees, or a phantom tree in their layout, to the two-stage curriculum."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.data.answers import icd_line, label_line
from engine.data.curriculum import SPLITS, Sample, write_curriculum
from engine.data.mimic.build_report import BuildReport, coverage
from engine.data.mimic.reasoning import reasoning
from engine.data.mimic.studies import Progress, Sections, Study, chance, read_studies
from engine.data.mimic.tree import find_roots, open_tables
from engine.errors import UserError
from engine.files.temporary import holder, write_private
from engine.stages import STAGE_A, STAGE_B


def build_curriculum(
    source: Path,
    out: Path,
    *,
    seed: int = 0,
    stage_a_fraction: float = STAGE_A.share,
    limit: int | None = None,
    sections: Sections = "own",
    progress: Progress | None = None,
    jpg_root: Path | None = None,
    reports_root: Path | None = None,
    hosp_root: Path | None = None,
    ed_root: Path | None = None,
) -> BuildReport:
    """Writes `out/curriculum.jsonl` and `out/build.json`; same tree, seed and options, same bytes.

    seed: decides which studies are stage A samples too, and which `limit` studies are taken.
    stage_a_fraction: stage A's share of each split's samples. limit: at most so many studies.
    sections: how the reports are read, see `docs/sections.md`.
    Raises UserError if a tree or a table is missing or cannot be read.
    """
    if not 0 <= stage_a_fraction <= 1:
        raise UserError(f"stage A's fraction must lie in 0…1, not {stage_a_fraction}")
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1 study, not {limit}")
    say = progress or _silent
    roots = find_roots(source, jpg=jpg_root, reports=reports_root, hosp=hosp_root, ed=ed_root)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    dropped: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    # Scratch is as private as the curriculum: it may hold rows of the tables.
    with holder(out) as scratch, open_tables(scratch.path / "tables") as tables:
        studies = read_studies(roots, tables, seed, limit, sections, dropped, counts, say)
    samples = _samples(studies, seed, stage_a_fraction)
    if not samples:
        raise UserError(
            f"{source}: no usable study ({', '.join(f'{n} {r}' for r, n in sorted(dropped.items()))})"
        )
    report = BuildReport(
        roots=roots,
        seed=seed,
        stage_a_fraction=stage_a_fraction,
        sections=sections,
        samples=samples,
        coverage=coverage(studies),
        dropped=dict(sorted(dropped.items())),
        counts=dict(sorted(counts.items())),
    )
    write_curriculum(out / "curriculum.jsonl", samples)
    write_private(out / "build.json", [json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"])
    return report


def _samples(studies: Sequence[Study], seed: int, fraction: float) -> list[Sample]:
    """Every split's samples, by patient, study and stage; hashes of seed and study choose among them."""
    samples: list[Sample] = []
    for split in SPLITS:
        own = [study for study in studies if study.film.split == split]
        ready_a = _shuffled((s for s in own if s.labelled), seed, STAGE_A.name)
        ready_b = _shuffled((s for s in own if s.record.diagnoses), seed, STAGE_B.name)
        count_a, count_b = shares(len(ready_a), len(ready_b), fraction)
        samples += [_sample_a(study) for study in ready_a[:count_a]]
        samples += [_sample_b(study) for study in ready_b[:count_b]]
    return sorted(samples, key=lambda sample: (sample.subject_id, sample.id))


def shares(ready_a: int, ready_b: int, fraction: float) -> tuple[int, int]:
    """The largest numbers of stage A and stage B samples with that fraction of A.

    What has only one kind keeps it all: there is nothing to weigh it against.
    """
    if fraction in (0, 1) or not (ready_a and ready_b):
        return (0 if fraction == 0 else ready_a), (0 if fraction == 1 else ready_b)
    total = min(ready_a / fraction, ready_b / (1 - fraction))
    return min(ready_a, round(total * fraction)), min(ready_b, round(total * (1 - fraction)))


def _sample_a(study: Study) -> Sample:
    film = study.film
    return Sample(
        id=f"s{film.study_id}-a",
        subject_id=str(film.subject_id),
        study_id=str(film.study_id),
        stage=STAGE_A.name,
        image=film.image,
        prompt=STAGE_A.prompt,
        target=f"{study.impression}\n{label_line(study.labels)}",
        labels=dict(study.labels),
        ehr=None,
        icd=(),
        split=film.split,
    )


def _sample_b(study: Study) -> Sample:
    film, context = study.film, study.record.context
    return Sample(
        id=f"s{film.study_id}-b",
        subject_id=str(film.subject_id),
        study_id=str(film.study_id),
        stage=STAGE_B.name,
        image=film.image,
        prompt=STAGE_B.prompt.format(ehr=context.text()),
        target=f"{reasoning(study.impression, context)}\n{icd_line(study.record.diagnoses)}",
        labels=dict(study.labels),
        ehr=context.to_json(),
        icd=tuple(code for code, _ in study.record.diagnoses),
        split=film.split,
    )


def _shuffled(studies: Iterable[Study], seed: int, purpose: str) -> list[Study]:
    return sorted(studies, key=lambda study: chance(seed, purpose, study.film.study_id))


def _silent(what: str, done: int, total: int) -> None:
    """For callers who want no progress."""
