"""Versions, ranges and requirements (PEP 440, PEP 508), forgiving where metadata of the wild is not."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

__all__ = [
    "Requirement",
    "applies",
    "canonical",
    "parsed",
    "requirement",
    "same_release",
    "satisfies",
    "specifiers",
]


def canonical(name: str) -> str:
    """`Huggingface_Hub` and `huggingface-hub` are one name."""
    return str(canonicalize_name(name))


def parsed(version: str) -> Version | None:
    """The version, or None if the text is none."""
    try:
        return Version(version)
    except InvalidVersion:
        return None


def specifiers(text: str) -> SpecifierSet | None:
    """The range, or None if the text is none."""
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def satisfies(version: str, wanted: str | SpecifierSet) -> bool:
    """Whether a version lies in a range. A pre-release does where its number does; what cannot be read does."""
    number = parsed(version)
    span = specifiers(wanted) if isinstance(wanted, str) else wanted
    if number is None or span is None:
        return True
    return bool(span.contains(number, prereleases=True))


def requirement(text: str) -> Requirement | None:
    """The requirement, or None if the text is none."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def same_release(one: str, other: str) -> bool:
    """Equal but for a build's local part: 2.13.0+cpu and 2.13.0."""
    first, second = parsed(one), parsed(other)
    if first is None or second is None:
        return one == other
    return first.public == second.public


def applies(one: Requirement, markers: dict[str, str], extras: Iterable[str] = ("",)) -> bool:
    """Whether a requirement counts in that environment, asked for with those extras."""
    if one.marker is None:
        return True
    return any(one.marker.evaluate(dict(markers) | {"extra": extra}) for extra in extras)
