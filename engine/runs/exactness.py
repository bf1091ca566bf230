"""Whether two runs ended the same to the bit, in all that a resumed run promises to share with an unbroken one."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.runs.checkpoints import checkpoint_names, digest
from engine.runs.layout import RunPaths, parse_checkpoint_name
from engine.runs.store.opening import open_reader
from engine.runs.store.rows import GeneratedSample
from engine.stages import STAGE_NAMES

#: Tags that are compared, besides all that begin with `val/`; times and memory belong to the attempt.
EXACT_TAGS = ("train/loss", "train/lr", "train/grad_norm", "train/supervised_tokens", "train/padding")

#: What a row or a file is about, e.g. (tag, stage, step).
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Evidence:
    """What a run left, keyed by what it is about. doubled: keys that occur more than once."""

    scalars: dict[Key, str]
    samples: dict[Key, str]
    files: dict[Key, str]
    doubled: tuple[Key, ...]


def evidence(paths: RunPaths, stages: Collection[str] = STAGE_NAMES) -> Evidence:
    """Scalars as `repr`, samples as JSON, and the blake2b of every file of the checkpoints."""
    with open_reader(paths) as reader:
        scalars: list[tuple[Key, str]] = [
            ((row.tag, row.stage, row.step), repr(row.value))
            for row in reader.scalars()
            if row.stage in stages and (row.tag in EXACT_TAGS or row.tag.startswith("val/"))
        ]
        samples = [
            (_sample_key(sample), json.dumps(sample.to_json() | {"attempt": None}))
            for sample in reader.samples()
            if sample.stage in stages
        ]
    files: dict[Key, str] = {
        (name, file.name): digest(file)
        for name in checkpoint_names(paths)
        if (parse_checkpoint_name(name) or ("",))[0] in stages
        for file in sorted((paths.checkpoints / name).glob("*.safetensors"))
    }
    counts = Counter(key for key, _ in [*scalars, *samples])
    doubled = tuple(key for key, count in counts.items() if count > 1)
    return Evidence(dict(scalars), dict(samples), files, doubled)


def differences(one: Evidence, other: Evidence) -> list[str]:
    """A line for everything that one has and the other has not, or has otherwise; empty if they are the same."""
    lines = [f"{_words(key)}: there twice" for key in (*one.doubled, *other.doubled)]
    for kind in ("scalars", "samples", "files"):
        lines += _differences(kind.removesuffix("s"), getattr(one, kind), getattr(other, kind))
    return lines


def counted(found: Evidence) -> str:
    """`1,204 scalars, 96 generated samples and 12 files of checkpoints`"""
    return (
        f"{len(found.scalars):,} scalars, {len(found.samples):,} generated samples "
        f"and {len(found.files):,} files of checkpoints"
    )


def _differences(kind: str, one: Mapping[Key, str], other: Mapping[Key, str]) -> Iterable[str]:
    for key in sorted(one.keys() | other.keys(), key=str):
        if key not in other:
            yield f"{kind} {_words(key)}: only in the first"
        elif key not in one:
            yield f"{kind} {_words(key)}: only in the second"
        elif one[key] != other[key]:
            values = f" ({one[key]} and {other[key]})" if kind == "scalar" else ""
            yield f"{kind} {_words(key)} differs{values}"


def _sample_key(sample: GeneratedSample) -> Key:
    return sample.purpose, sample.stage, sample.step, sample.checkpoint, sample.split, sample.case


def _words(key: Key) -> str:
    return " ".join(map(str, key))
