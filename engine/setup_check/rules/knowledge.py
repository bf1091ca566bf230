"""The knowledge file: known mismatches, each with its conditions, its cause, its fix and what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from engine.errors import UserError
from engine.files.yaml_file import read_yaml
from engine.setup_check.finding import Finding, Group, Repair
from engine.setup_check.probe.facts import Facts
from engine.setup_check.versions import canonical, parsed, requirement, satisfies, specifiers

FILE = Path(__file__).with_name("knowledge.yaml")

Basis = Literal["verified", "wheel", "cited"]

#: What was run to see where a range ends, in the words that follow "verified".
WAYS = {
    "imports": "by importing",
    "training": "by a small training with LoRA",
    "fit": "by a Trainer that trains and saves",
    "trainer": "by a Trainer that trains, saves and resumes",
    "use": "by using it",
}


def _is_range(text: str) -> str:
    for part in text.split(" or "):
        if specifiers(part) is None:
            raise ValueError(f"{text!r} is no range of versions, such as '>=4.44.0,<5' or '<1 or >=2'")
    return text


def _is_range_or_word(text: str) -> str:
    return text if text in ("any", "absent") else _is_range(text)


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


def _are_versions(text: str) -> str:
    for part in text.split(", "):
        name, _, version = part.partition(" ")
        if not name or parsed(version) is None:
            raise ValueError(f"{text!r} are no versions, such as 'peft 0.17.1, transformers 4.57.6'")
    return text


def _is_requirement(text: str) -> str:
    if requirement(text) is None:
        raise ValueError(f"{text!r} is no requirement, such as 'transformers>=4.47,<5'")
    return text


Range = Annotated[str, AfterValidator(_is_range)]
RangeOrWord = Annotated[str, AfterValidator(_is_range_or_word)]
Pattern = Annotated[str, AfterValidator(_is_pattern)]
RequirementText = Annotated[str, AfterValidator(_is_requirement)]
Versions = Annotated[str, AfterValidator(_are_versions)]
Words = Annotated[str, StringConstraints(min_length=3, pattern=r"^[^\n]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Strict):
    """Conditions; all that are given must hold."""

    packages: dict[str, RangeOrWord] = {}
    python: Range | None = None
    macos: Range | None = None
    system: Literal["Darwin", "Linux", "Windows"] | None = None
    machine: str | None = None
    rosetta: bool | None = None
    ssl: str | None = None
    env: dict[str, Pattern] = {}
    reports: dict[str, bool] = {}


class Fix(_Strict):
    """One way to fix: requirements to install, names to uninstall, or words where no installer helps."""

    install: list[RequirementText] = []
    uninstall: list[str] = []
    advice: Words | None = None
    python: Range | None = None

    @property
    def repair(self) -> Repair | None:
        if not self.install and not self.uninstall:
            return None
        return Repair(install=tuple(self.install), uninstall=tuple(self.uninstall))


class Tried(_Strict):
    """What was run on both sides of the bounds. What a set does not name was the newest that fits it."""

    by: Literal["imports", "training", "fit", "trainer", "use"]
    fails: list[Versions] = Field(min_length=1)
    works: list[Versions] = Field(min_length=1)
    recorded: list[str] = []
    """Packages that had only their recorded version changed: their code was of another."""

    @property
    def words(self) -> str:
        """How the bounds were come by, for a person."""
        doubt = f", {' and '.join(self.recorded)} by the recorded version" if self.recorded else ""
        return WAYS[self.by] + doubt


class Entry(_Strict):
    """One known mismatch; what each key means stands at the head of knowledge.yaml."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Words
    status: Literal["fail", "warn", "info"]
    group: Group = "packages"
    when: When
    match: Pattern | None = None
    imports: str | None = None
    by_symptom: bool = False
    symptom: Words
    cause: Words
    works: Words
    fix: list[Fix] = Field(min_length=1)
    basis: Basis
    tried: Tried | None = None
    source: list[Words] = Field(min_length=1)

    @model_validator(mode="after")
    def _holds_where_it_failed(self) -> Entry:
        """Its conditions hold for every set that failed, and for none that worked."""
        for wanted, texts in ((True, self.tried.fails), (False, self.tried.works)) if self.tried else ():
            for text in texts:
                versions = versions_of(text)
                fits = all(_package_fits(name, span, versions) for name, span in self.when.packages.items())
                if fits is not wanted:
                    raise ValueError(f"{text!r} {'failed' if wanted else 'worked'}, its range says otherwise")
        return self

    @property
    def rests_on(self) -> str:
        """The basis, how the bounds were tried, and where more is to be read."""
        return f"{self.basis}{' ' + self.tried.words if self.tried else ''}: {', '.join(self.source)}"


class Symbol(_Strict):
    """A name that a module has only in a range of its package's releases."""

    module: str
    name: str
    has: Range
    basis: Basis


class Release(_Strict):
    """What a release asks for, for a plan without an index."""

    python: Range
    requires: list[RequirementText]


class TestedSet(_Strict):
    """Releases that were tested together, and the Pythons that it was on."""

    python: Range
    install: list[RequirementText]


class Knowledge(_Strict):
    """The whole file. releases: by package and version."""

    version: Literal[1] = Field(alias="schema")
    entries: list[Entry]
    symbols: list[Symbol]
    releases: dict[str, dict[str, Release]]
    sets: list[TestedSet]

    def applying(self, world: World) -> list[Entry]:
        """The entries whose conditions all hold."""
        return [entry for entry in self.entries if applies(entry, world)]

    def symbol(self, module: str, name: str) -> Symbol | None:
        """What is known of a name in a module, None where nothing is."""
        return next((one for one in self.symbols if (one.module, one.name) == (module, name)), None)

    def tested_set(self, python: str) -> list[str]:
        """Requirements of a whole set that was tested together on that Python; empty if none is known."""
        return next((list(one.install) for one in self.sets if satisfies(python, one.python)), [])


@dataclass(frozen=True, slots=True)
class World:
    """What the conditions of an entry are held against. `versions` by canonical name."""

    versions: dict[str, str]
    python: str
    system: str = ""
    machine: str = ""
    macos: str = ""
    rosetta: bool = False
    ssl: str = ""
    env: dict[str, str] = field(default_factory=dict)
    reports: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(facts: Facts) -> World:
        """What an interpreter is to the conditions; `reports` is what the torch trial noted."""
        torch = facts.imports.get("torch")
        return World(
            versions=facts.versions(),
            python=facts.python,
            system=facts.system,
            machine=str(facts.interpreter.get("machine", "")),
            macos=str(facts.interpreter.get("macos", "")),
            rosetta=bool(facts.interpreter.get("rosetta")),
            ssl=str(facts.interpreter.get("ssl") or ""),
            env=facts.environment,
            reports=torch.notes if torch else {},
        )


@cache
def knowledge() -> Knowledge:
    """The knowledge that comes with the project."""
    return read_knowledge(FILE)


def read_knowledge(path: Path) -> Knowledge:
    """Read and check a knowledge file. UserError naming the entry and the key that is wrong."""
    try:
        raw = read_yaml(path)
        known = Knowledge.model_validate(raw)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = list(first["loc"])
        if where[:1] == ["entries"] and len(where) > 1:
            where[1] = raw["entries"][where[1]].get("id", where[1])
        raise UserError(f"{path}: {'.'.join(str(one) for one in where)}: {first['msg']}") from None
    ids = [entry.id for entry in known.entries]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise UserError(f"{path}: entry {twice[0]} is there twice")
    return known


def versions_of(text: str) -> dict[str, str]:
    """The versions in "peft 0.17.1, transformers 4.57.6", by canonical name."""
    pairs = (part.partition(" ") for part in text.split(", "))
    return {canonical(name): version for name, _, version in pairs}


def in_range(version: str, text: str) -> bool:
    """Whether a version lies in one of the ranges joined by `or`; one that cannot be read lies in none."""
    return parsed(version) is not None and any(satisfies(version, part) for part in text.split(" or "))


def applies(entry: Entry, world: World) -> bool:
    """Whether every condition of the entry holds. One that nothing is known about does not."""
    when = entry.when
    return (
        all(_package_fits(name, wanted, world.versions) for name, wanted in when.packages.items())
        and (when.python is None or in_range(world.python, when.python))
        and (when.macos is None or (bool(world.macos) and in_range(world.macos, when.macos)))
        and (when.system is None or when.system == world.system)
        and (when.machine is None or when.machine == world.machine)
        and (when.rosetta is None or when.rosetta == world.rosetta)
        and (when.ssl is None or world.ssl.startswith(when.ssl))
        and all(_variable_fits(name, wanted, world.env) for name, wanted in when.env.items())
        and all(world.reports.get(name) is wanted for name, wanted in when.reports.items())
    )


def described(entry: Entry, world: World) -> Finding:
    """The entry as a finding, with the versions that were found in its words."""
    ways = [one for one in entry.fix if one.python is None or in_range(world.python, one.python)]
    advice = "; ".join(one.advice for one in ways if one.advice)
    words = {name.replace("-", "_"): version for name, version in world.versions.items()}
    words |= {"python": world.python, "macos": world.macos}
    names = [name for name in entry.when.packages if name in world.versions]
    found = [f"{name} {world.versions[name]}" for name in names]
    found += [f"{name} not installed" for name in entry.when.packages if name not in world.versions]
    found += [f"Python {world.python}"] if entry.when.python else []
    found += [f"{name}={world.env[name]}" for name in entry.when.env if name in world.env]
    return Finding(
        id=entry.id,
        group=entry.group,
        status=entry.status,
        title=entry.title.format_map(_Known(words)),
        found=", ".join(found),
        expected=entry.works,
        why=entry.cause + (f" Fix: {advice}." if advice else ""),
        consequences=(entry.symptom,),
        source=entry.rests_on,
        repairs=tuple(one.repair for one in ways if one.repair),
    )


def problems(versions: dict[str, str], world: World, known: Iterable[Entry]) -> list[Entry]:
    """Entries, other than notes, that would apply with other versions installed."""
    changed = replace(world, versions=versions)
    return [one for one in known if _is_about_packages(one) and applies(one, changed)]


def _is_about_packages(entry: Entry) -> bool:
    return entry.status != "info" and bool(entry.when.packages) and not entry.by_symptom


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _package_fits(name: str, wanted: str, versions: dict[str, str]) -> bool:
    version = versions.get(canonical(name))
    if wanted == "absent" or version is None:
        return wanted == "absent" and version is None
    return wanted == "any" or in_range(version, wanted)


def _variable_fits(name: str, wanted: str, environment: dict[str, str]) -> bool:
    value = environment.get(name)
    if wanted in ("set", "unset"):
        return (value is not None) == (wanted == "set")
    return value is not None and re.fullmatch(wanted, value) is not None
