"""A curriculum looked at as a whole, ours or somebody else's: counts, overlap, lengths, leaks, texts and films."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from engine.data.curriculum import SPLITS, Sample, read_curriculum
from engine.data.inspect.films import film_finding
from engine.data.inspect.findings import Findings
from engine.data.inspect.leaks import leaks
from engine.data.inspect.texts import Labeler, text_findings
from engine.data.labels import LABELS
from engine.data.mimic.checksums import sha256
from engine.files.plain_file import open_plain
from engine.stages import STAGE_NAMES
from engine.words.plural import counted

_NUMBERED = re.compile(r"[ps]?0*(\d+)(?:\.0*)?", re.IGNORECASE)
_COMMON_CODES = 20

Progress = Callable[[str, int, int], None]


@dataclass
class Inspection:
    """prevalence: positive labels, and the commonest codes, by split. lengths: words of prompts and answers by stage.
    build: what build.json tells of the counts at each step, where it lies beside."""

    samples: int
    stages: Mapping[str, int]
    splits: Mapping[str, Mapping[str, int]]
    overlap: Mapping[str, int]
    prevalence: Mapping[str, Any]
    lengths: Mapping[str, Any]
    films_looked_at: int
    build: Mapping[str, Any] | None
    findings: Findings = field(default_factory=Findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "stages": dict(self.stages),
            "splits": {split: dict(own) for split, own in self.splits.items()},
            "overlap": dict(self.overlap),
            "findings": self.findings.to_json(),
            "prevalence": dict(self.prevalence),
            "lengths": dict(self.lengths),
            "films_looked_at": self.films_looked_at,
            "build": self.build,
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [counted(self.samples, "sample")]
        for split, own in self.splits.items():
            lines.append(
                f"{split:<5} "
                + "  ".join(f"{own[stage]:>7,} {stage.replace('_', ' ')}" for stage in STAGE_NAMES)
                + f"  {own['studies']:>7,} studies  {own['patients']:>7,} patients"
            )
        lines += [f"{what} in more than one split: {number:,}" for what, number in self.overlap.items()]
        for stage, texts in self.lengths.items():
            lines += [
                f"{stage} {what}: median {n['median']:,} words, 95 % {n['p95']:,}, longest {n['longest']:,}"
                for what, n in texts.items()
            ]
        for name in LABELS:
            shares = [
                f"{split} {own['labels'][name]:.1%}"
                for split, own in self.prevalence.items()
                if own["labels"]
            ]
            lines.append(f"{name:<27} " + "  ".join(shares))
        lines.append(f"{counted(self.films_looked_at, 'film')} looked at")
        for one in self.findings.to_json():
            lines.append(
                f"{one['status']:<5} {one['count']:>7,} x {one['title']} (first: {one['first']}; {one['id']})"
            )
        return lines if self.findings.counts else [*lines, "nothing found"]


def inspect_curriculum(
    path: Path,
    *,
    image_root: Path | None = None,
    films: int = 200,
    label: Labeler | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Looks at the curriculum file, or at the one in a directory. Raises UserError where it cannot be read.

    image_root: where films are looked for; without one none are. films: at most so many, spread evenly; 0: all.
    label: reads the labels of a text, to hold the given ones against.
    """
    path = path / "curriculum.jsonl" if path.is_dir() else path
    samples = read_curriculum(path)
    findings = Findings()
    seen: set[bytes] = set()
    for number, sample in enumerate(samples):
        if progress is not None and number % 1000 == 0:
            progress("samples", number, len(samples))
        for kind in (*leaks(sample), *text_findings(sample, label), *_duplicate(sample, seen)):
            findings.add(kind, sample.id)
    overlap = {
        "patients": _overlap(findings, "overlap-patients", samples, lambda one: _identity(one.subject_id)),
        "studies": _overlap(findings, "overlap-studies", samples, lambda one: _identity(one.study_id)),
        "images": _overlap(findings, "overlap-images", samples, lambda one: _film(one.image)),
    }
    chosen = _spread(list(dict.fromkeys(sample.image for sample in samples)), films) if image_root else []
    owner = {sample.image: sample.id for sample in reversed(samples)}
    for number, image in enumerate(chosen):
        if progress is not None:
            progress("films", number, len(chosen))
        wrong = film_finding(image_root, image) if image_root else None
        if wrong:
            findings.add(wrong, owner[image])
    return Inspection(
        samples=len(samples),
        stages=dict(Counter(sample.stage for sample in samples)),
        splits={split: _counts([one for one in samples if one.split == split]) for split in SPLITS},
        overlap=overlap,
        prevalence={split: _prevalence([one for one in samples if one.split == split]) for split in SPLITS},
        lengths={stage: _lengths([one for one in samples if one.stage == stage]) for stage in STAGE_NAMES},
        films_looked_at=len(chosen),
        build=_build(path, findings),
        findings=findings,
    )


def _overlap(
    findings: Findings, kind: str, samples: Iterable[Sample], identity: Callable[[Sample], str]
) -> int:
    splits: dict[str, set[str]] = {}
    first: dict[str, str] = {}
    for sample in samples:
        one = identity(sample)
        splits.setdefault(one, set()).add(sample.split)
        if len(splits[one]) > 1:
            first.setdefault(one, sample.id)
    if first:
        findings.add(kind, next(iter(first.values())), len(first))
    return len(first)


def _identity(name: str) -> str:
    """One spelling for "p10000032", "10000032" and "10000032.0"."""
    match = _NUMBERED.fullmatch(name.strip())
    return match[1] if match else name.strip().casefold()


def _film(image: str) -> str:
    """One spelling for one film, whatever stands before MIMIC's own folders."""
    path = str(PurePosixPath(image)).casefold()
    return path[path.rfind("files/p1") :] if "files/p1" in path else path


def _duplicate(sample: Sample, seen: set[bytes]) -> Iterator[str]:
    text = "\0".join((sample.stage, _film(sample.image), sample.prompt, sample.target))
    key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if key in seen:
        yield "duplicate"
    seen.add(key)


def _spread(images: Sequence[str], most: int) -> list[str]:
    if not most or len(images) <= most:
        return list(images)
    return [images[number * len(images) // most] for number in range(most)]


def _counts(samples: Sequence[Sample]) -> dict[str, int]:
    stages = Counter(sample.stage for sample in samples)
    return {
        "samples": len(samples),
        **{stage: stages[stage] for stage in STAGE_NAMES},
        "studies": len({_identity(sample.study_id) for sample in samples}),
        "patients": len({_identity(sample.subject_id) for sample in samples}),
    }


def _prevalence(samples: Sequence[Sample]) -> dict[str, Any]:
    """labels: share of stage A samples in which each is 1. codes: how often the commonest stand in stage B."""
    labelled = [sample for sample in samples if sample.stage == "stage_a"]
    codes = Counter(code for sample in samples for code in sample.icd)
    return {
        "labels": {
            name: sum(sample.labels[name] == 1 for sample in labelled) / len(labelled) for name in LABELS
        }
        if labelled
        else {},
        "codes": dict(codes.most_common(_COMMON_CODES)),
    }


def _lengths(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    found = {}
    for what, texts in (
        ("prompt", [sample.prompt for sample in samples]),
        ("target", [sample.target for sample in samples]),
    ):
        words = sorted(len(text.split()) for text in texts)
        if words:
            found[what] = {
                "median": words[len(words) // 2],
                "p95": words[min(len(words) - 1, len(words) * 95 // 100)],
                "longest": words[-1],
            }
    return found


def _build(path: Path, findings: Findings) -> dict[str, Any] | None:
    """The counts of build.json, if it lies beside; it must tell of this very file."""
    beside = path.with_name("build.json")
    if not beside.is_file():
        return None
    try:
        with open_plain(beside) as file:
            told = json.load(file)
    except (OSError, ValueError):
        findings.add("changed", beside.name)
        return None
    if not isinstance(told, dict) or told.get("curriculum_sha256", "") != sha256(path):
        findings.add("changed", beside.name)
    kept = (
        "coverage",
        "dropped",
        "joins",
        "rows",
        "notes",
        "missing_tables",
        "unreadable_codes",
        "uncertain",
    )
    return {name: told[name] for name in kept if name in told} if isinstance(told, dict) else None
