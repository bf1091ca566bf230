"""What a section's name is the name of: the official table, and our own lists beside it, from `section_names.yaml`."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from engine.files.yaml_file import read_yaml

_FILE = Path(__file__).with_name("section_names.yaml")
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")

#: Kinds of names that no section of the official table has.
ELSEWHERE = "elsewhere"
ORGAN = "organ"
UNKNOWN = ""


@cache
def _lists() -> Mapping[str, Any]:
    lists: dict[str, Any] = read_yaml(_FILE)
    return lists


@cache
def _table(*keys: str) -> Mapping[str, str]:
    """Name → kind; the later table goes before the earlier one."""
    return {name: kind for key in keys for kind, names in _lists()[key].items() for name in names}


@cache
def _words(key: str) -> frozenset[str]:
    return frozenset(_lists()[key])


def official_kind(name: str) -> str:
    """What the official parser makes of a header's text; a name that it does not know stays as it is."""
    name = name.lower().strip()
    if name in (table := _table("official")):
        return table[name]
    if contained := next((word for word in _lists()["official_contained"] if word in name), None):
        return str(contained)
    return "findings" if any(word in name for word in _lists()["official_findings"]) else name


@cache
def kind_of(name: str) -> str:
    """`impression`, `findings`, `comparison` …, `elsewhere`, `organ`, or "" for a name that is none.

    Of a film's name (`CHEST, PA AND LATERAL`) the kind is `findings`, unless it is one of another part of the body.
    """
    name = " ".join(name.lower().split())
    if name in (table := _table("official", "more")):
        return table[name]
    words = _WORD.findall(name)
    if words and _words("organs").issuperset(words):
        return ORGAN
    if contained := next((word for word in _lists()["official_contained"] if word in name), None):
        return str(contained)
    for kind, beginnings in _lists()["about"].items():
        if name.startswith(tuple(beginnings)):
            return str(kind)
    if "chest" not in words and not _words("elsewhere").isdisjoint(words):
        return ELSEWHERE
    films = any(word in name for word in _lists()["official_findings"])
    return "findings" if films or not _words("films").isdisjoint(words) else UNKNOWN


def is_plain(name: str) -> bool:
    """Whether the name is made of nothing but words that such names have, so that no sentence is taken for one."""
    name = " ".join(name.lower().split())
    if name in _table("official", "more"):
        return True
    words = _WORD.findall(name)
    return bool(words) and (_words("films") | _words("film_words") | _words("elsewhere")).issuperset(words)


def is_part(name: str) -> bool:
    """Whether it names a part of the body and no film of it: `CHEST`, `ABDOMEN AND PELVIS`."""
    words = _WORD.findall(name.lower())
    parts = _words("elsewhere") | _words("organs") | {"chest"}
    return bool(words) and parts.issuperset(words)


def is_usual(name: str) -> bool:
    """Whether it is the first, standard name of its kind in the official table."""
    return name.lower() in ("impression", "findings")


def names_part(text: str) -> str:
    """Which examination a text tells of: "chest", "elsewhere", or "" if it says neither."""
    words = set(_WORD.findall(text.lower()))
    if words & {"chest", "cxr"}:
        return "chest"
    return ELSEWHERE if words & _words("elsewhere") else ""
