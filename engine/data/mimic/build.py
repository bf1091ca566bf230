"""From MIMIC trees, or a phantom tree in their layout, to the two-stage curriculum."""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from engine.data.answers import icd_line, label_line
from engine.data.curriculum import SPLITS, Sample, write_curriculum
from engine.data.labels import DEFAULT_POLICY, UNCERTAIN_POLICIES, positives
from engine.data.mimic.build_report import BuildReport, Coverage, Tally
from engine.data.mimic.checksums import Inputs, sha256
from engine.data.mimic.films import Film
from engine.data.mimic.joins import Joins
from engine.data.mimic.label_table import TABLE as LABEL_TABLE
from engine.data.mimic.reasoning import Sentence, reasoning
from engine.data.mimic.sources import NAME as SOURCES
from engine.data.mimic.sources import sources_line
from engine.data.mimic.studies import Linking, Progress, Sections, Study, chance, read_tables, studies
from engine.data.mimic.tables import Tables, open_tables
from engine.data.mimic.tree import find_roots
from engine.errors import UserError
from engine.files.temporary import holder, write_private
from engine.stages import STAGE_A, STAGE_B

DEFAULT_HISTORY_DAYS = 30


def build_curriculum(
    source: Path,
    out: Path,
    *,
    seed: int = 0,
    stage_a_fraction: float = STAGE_A.share,
    limit: int | None = None,
    sections: Sections = "own",
    uncertain: str = DEFAULT_POLICY,
    history_days: int = DEFAULT_HISTORY_DAYS,
    hours_before_stay: int = 0,
    progress: Progress | None = None,
    jpg_root: Path | None = None,
    reports_root: Path | None = None,
    hosp_root: Path | None = None,
    ed_root: Path | None = None,
) -> BuildReport:
    """Writes `curriculum.jsonl`, `sources.jsonl` and `build.json` to `out`; same tree, seed and options, same bytes.

    seed: decides which studies are stage A samples too, and which `limit` studies are taken.
    stage_a_fraction: stage A's share of each split's samples. limit: at most so many studies.
    sections: how the reports are read, see `docs/sections.md`.
    uncertain: what -1 counts as in the label lines. history_days: how long ago a stay must have ended for its codes to
    be history. hours_before_stay: a film that was taken so long before a stay has its codes as target.
    Raises UserError if a tree or a table is missing, cannot be read or is damaged.
    """
    if not 0 <= stage_a_fraction <= 1:
        raise UserError(f"stage A's fraction must lie in 0…1, not {stage_a_fraction}")
    if limit is not None and limit < 1:
        raise UserError(f"the limit must be at least 1 study, not {limit}")
    if uncertain not in UNCERTAIN_POLICIES:
        raise UserError(f"unknown policy {uncertain!r}; known are {', '.join(UNCERTAIN_POLICIES)}")
    say = progress or _silent
    roots = find_roots(source, jpg=jpg_root, reports=reports_root, hosp=hosp_root, ed=ed_root)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    dropped: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    joins, inputs, tally, coverage = Joins(), Inputs(), Tally(), Coverage()
    linking = Linking(timedelta(days=history_days), timedelta(hours=hours_before_stay))
    # Scratch is as private as the curriculum: it holds rows of the tables.
    with holder(out) as scratch, open_tables(scratch.path / "tables") as tables:
        films = read_tables(
            roots, tables, inputs, linking, seed, limit, sections, dropped, counts, joins, say
        )
        chosen_a, chosen_b = _chosen(films, tables, seed, stage_a_fraction)
        if not chosen_a and not chosen_b:
            raise UserError(f"{source}: no usable study ({_reasons(dropped, joins)})")
        told = scratch.path / SOURCES
        with told.open("w", encoding="utf-8") as lines:
            known = coverage.through(studies(tables, films, linking, joins, say))
            samples = _samples(known, chosen_a, chosen_b, uncertain, lines)
            write_curriculum(out / "curriculum.jsonl", tally.through(samples))
        with told.open(encoding="utf-8") as lines:
            write_private(out / SOURCES, lines)
    report = BuildReport(
        roots=roots,
        seed=seed,
        stage_a_fraction=stage_a_fraction,
        sections=sections,
        tally=tally,
        coverage=coverage.to_json(),
        dropped=dict(sorted(dropped.items())),
        counts=dict(sorted(counts.items())),
        joins=joins,
        inputs=inputs,
        uncertain=uncertain,
        arguments={
            "source": str(source),
            "seed": seed,
            "stage_a_fraction": stage_a_fraction,
            "limit": limit,
            "sections": sections,
            "uncertain": uncertain,
            "history_days": history_days,
            "hours_before_stay": hours_before_stay,
        },
        versions={name: _version(name) for name in ("cxr-cockpit", "duckdb")}
        | {"python": platform.python_version()},
        curriculum_sha256=sha256(out / "curriculum.jsonl"),
    )
    write_private(out / "build.json", [json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"])
    return report


def _chosen(films: Sequence[Film], tables: Tables, seed: int, fraction: float) -> tuple[set[int], set[int]]:
    """The numbers of the films that become stage A and stage B samples; hashes of seed and study choose."""
    labels = ", ".join(f"l{number}" for number in range(14))
    labelled = [
        n for (n,) in tables.rows(f"SELECT n FROM label WHERE coalesce({labels}) IS NOT NULL ORDER BY n")
    ]
    coded = [
        n
        for (n,) in tables.rows(
            "SELECT n FROM (SELECT n, 'hosp' AS part, hadm_id AS stay FROM chosen WHERE hadm_id IS NOT NULL UNION ALL "
            "SELECT n, 'ed', stay_id FROM chosen WHERE hadm_id IS NULL) SEMI JOIN coded USING (part, stay) ORDER BY n"
        )
    ]
    chosen_a: set[int] = set()
    chosen_b: set[int] = set()
    for split in SPLITS:
        ready_a = _shuffled((n for n in labelled if films[n].split == split), films, seed, STAGE_A.name)
        ready_b = _shuffled((n for n in coded if films[n].split == split), films, seed, STAGE_B.name)
        count_a, count_b = shares(len(ready_a), len(ready_b), fraction)
        chosen_a.update(ready_a[:count_a])
        chosen_b.update(ready_b[:count_b])
    return chosen_a, chosen_b


def shares(ready_a: int, ready_b: int, fraction: float) -> tuple[int, int]:
    """The largest numbers of stage A and stage B samples with that fraction of A.

    What has only one kind keeps it all: there is nothing to weigh it against.
    """
    if fraction in (0, 1) or not (ready_a and ready_b):
        return (0 if fraction == 0 else ready_a), (0 if fraction == 1 else ready_b)
    total = min(ready_a / fraction, ready_b / (1 - fraction))
    return min(ready_a, round(total * fraction)), min(ready_b, round(total * (1 - fraction)))


def _samples(
    known: Iterable[Study], chosen_a: set[int], chosen_b: set[int], uncertain: str, told: IO[str]
) -> Iterator[Sample]:
    """The samples of the chosen studies, by patient, study and stage; on what they stand goes to `told`."""
    for n, study in enumerate(known):
        if n in chosen_a:
            yield _sample_a(study, uncertain)
        if n in chosen_b:
            sample, said = _sample_b(study)
            told.write(sources_line(sample.id, study, said) + "\n")
            yield sample


def _sample_a(study: Study, uncertain: str) -> Sample:
    film = study.film
    return Sample(
        id=f"s{film.study_id}-a",
        subject_id=str(film.subject_id),
        study_id=str(film.study_id),
        stage=STAGE_A.name,
        image=film.image,
        prompt=STAGE_A.prompt,
        target=f"{study.impression}\n{label_line(study.labels, uncertain)}",
        labels=dict(study.labels),
        ehr=None,
        icd=(),
        split=film.split,
    )


def _sample_b(study: Study) -> tuple[Sample, list[Sentence]]:
    film, context = study.film, study.context
    impression = Sentence(study.impression, (f"{film.report}, {study.section}",))
    findings = {
        name: f"{LABEL_TABLE}, study_id {film.study_id}: {name} 1" for name in positives(study.labels)
    }
    said = reasoning(impression, findings, context, study.diagnoses)
    codes = [(diagnosis.code, diagnosis.title) for diagnosis in study.diagnoses]
    sample = Sample(
        id=f"s{film.study_id}-b",
        subject_id=str(film.subject_id),
        study_id=str(film.study_id),
        stage=STAGE_B.name,
        image=film.image,
        prompt=STAGE_B.prompt.format(ehr=context.text()),
        target=f"{' '.join(sentence.text for sentence in said)}\n{icd_line(codes)}",
        labels=dict(study.labels),
        ehr=context.to_json(),
        icd=tuple(code for code, _ in codes),
        split=film.split,
    )
    return sample, said


def _shuffled(numbers: Iterable[int], films: Sequence[Film], seed: int, purpose: str) -> list[int]:
    return sorted(numbers, key=lambda n: chance(seed, purpose, films[n].study_id))


def _reasons(dropped: Counter[str], joins: Joins) -> str:
    left_out = [f"{n} {reason}" for reason, n in sorted(dropped.items())]
    no_codes = [f"{n} films: {reason}" for reason, n in sorted(joins.of("target codes").items()) if n]
    no_labels = [
        f"{n} films: labels {reason}" for reason, n in sorted(joins.of("CheXpert labels").items()) if n
    ]
    return ", ".join([*left_out, *no_codes, *no_labels])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a bare checkout
        return "unknown"


def _silent(what: str, done: int, total: int) -> None:
    """For callers who want no progress."""
