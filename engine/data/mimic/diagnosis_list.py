"""The diagnoses that a chest film, or what leads to one, bears on: groups of ICD codes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.data.icd import category
from engine.files.yaml_file import read_yaml


@dataclass(frozen=True, slots=True)
class Group:
    """name: in plain words. starts: beginnings of codes. spans: first and last category; by version."""

    name: str
    starts: Mapping[str, tuple[str, ...]]
    spans: Mapping[str, tuple[tuple[str, str], ...]]

    def holds(self, code: str) -> bool:
        """Whether the code ("10:I509") belongs to it."""
        version, bare = code.split(":")
        own = category(code).split(":")[1]
        return bare.startswith(self.starts[version]) or any(
            first <= own <= last
            for first, last in self.spans[version]
            if first[0].isdigit() == own[0].isdigit()
        )


@cache
def groups() -> tuple[Group, ...]:
    """All groups, in the order in which they are asked."""
    entries = read_yaml(Path(__file__).with_name("diagnosis_list.yaml"))
    return tuple(
        Group(
            entry["name"],
            {"10": _starts(entry["icd10"]), "9": _starts(entry["icd9"])},
            {"10": _spans(entry["icd10"]), "9": _spans(entry["icd9"])},
        )
        for entry in entries
    )


def group_of(code: str) -> str | None:
    """The name of the code's group; None if a chest film does not bear on it."""
    return next((group.name for group in groups() if group.holds(code)), None)


def _starts(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(entry for entry in entries if "-" not in entry)


def _spans(entries: Iterable[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in entries:
        first, dash, last = entry.partition("-")
        if dash:
            found.append((first, last))
    return tuple(found)
