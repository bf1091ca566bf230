"""What the probe saw of an interpreter, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.setup_check.versions import canonical, parsed


@dataclass(frozen=True, slots=True)
class Distribution:
    """One metadata folder on the path."""

    name: str
    version: str
    folder: str = ""
    place: str = ""
    problem: str | None = None
    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    editable: bool = False
    missing: tuple[str, ...] = ()
    """Some of the recorded files that are not there."""
    missing_count: int = 0
    tops: tuple[str, ...] = ()
    """Top-level modules it recorded."""
    checkout: str = ""
    """The folder of source code that an editable one links to."""
    code_version: str | None = None
    """The version that this source code says it is."""
    foreign: bool = False
    """Whether it is none of the environment's: only the working folder, PYTHONPATH or the user's site shows it."""

    @property
    def key(self) -> str:
        return canonical(self.name)


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain, and where it was raised: (file, line, function), the innermost frame last."""

    type: str
    message: str
    name: str | None = None
    path: str | None = None
    frames: tuple[tuple[str, int, str], ...] = ()
    statement: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """How the import of one package went. `outcome`: ok, failed, died, hang or skipped."""

    id: str
    module: str
    outcome: str
    seconds: float = 0.0
    step: str = ""
    """How far it came: import, use or done."""
    chain: tuple[Link, ...] = ()
    how: str = ""
    """For one that died or hung: in what way."""
    because: str | None = None
    stderr: str = ""
    file: str | None = None
    version: str | None = None
    is_namespace: bool = False
    outside: dict[str, str] = field(default_factory=dict)
    """Modules that came from the working folder, PYTHONPATH or the user's site folder, with their files."""
    notes: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    """Files that the failure runs through and that are not as they were installed, with what differs."""
    isolated: Import | None = None
    """The same with the working folder, PYTHON* variables and the user's site folder left out, if that was tried."""

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def root(self) -> Link | None:
        """The exception that the others came from."""
        return self.chain[-1] if self.chain else None


@dataclass(slots=True)
class Facts:
    """All that is known of an interpreter; what has not been seen yet is empty."""

    interpreter: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    distributions: list[Distribution] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    folder: dict[str, Any] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    own: bool = False
    """Whether this is the cockpit's own interpreter."""

    @property
    def python(self) -> str:
        return str(self.interpreter.get("version", ""))

    @property
    def executable(self) -> str:
        return str(self.interpreter.get("executable", ""))

    @property
    def system(self) -> str:
        return str(self.interpreter.get("system", ""))

    @property
    def markers(self) -> dict[str, str]:
        return dict(self.interpreter.get("markers", {}))

    def installed(self) -> dict[str, Distribution]:
        """The distribution that counts for each name: the first readable one of the environment's own on the path.

        Of several in one folder, the one whose version the imported code has.
        """
        first: dict[str, Distribution] = {}
        for one in self.distributions:
            if one.problem is not None or one.foreign:
                continue
            known = first.setdefault(one.key, one)
            tried = self.imports.get(one.key)
            if tried and known.place == one.place and tried.version == one.version:
                first[one.key] = one
        return first

    def versions(self) -> dict[str, str]:
        return {name: one.version for name, one in self.installed().items()}

    def as_run(self) -> Facts:
        """The same where all that the path shows counts, wherever it lies."""
        return replace(self, distributions=[replace(one, foreign=False) for one in self.distributions])

    def alone(self) -> Facts:
        """The environment by itself, without what lies before it or beside it: each import isolated where that was
        tried. One that works as it is run counts, though isolated it misses what is brought from outside.
        """
        seen = {}
        for key, one in self.imports.items():
            by_itself = one.isolated
            if by_itself is None or (one.ok and not by_itself.ok):
                seen[key] = one
            elif by_itself.ok or not self._is_brought(by_itself):
                seen[key] = by_itself
        return replace(self, imports=seen)

    def broken_alone(self) -> set[str]:
        """Trials that fail isolated, though what they miss is not brought from outside.

        One that was not made, since what it rests on fails, says nothing of its own.
        """
        views = {key: one.isolated or one for key, one in self.imports.items()}
        tried = {key: one for key, one in views.items() if one.outcome != "skipped"}
        return {key for key, one in tried.items() if not one.ok and not self._is_brought(one)}

    def _is_brought(self, failed: Import) -> bool:
        """Whether an import fails for want of a module that only a place outside the environment has."""
        name = failed.root.name if failed.root and failed.root.type == "ModuleNotFoundError" else None
        top = (name or "").partition(".")[0]
        outside = {module for one in self.imports.values() for module in one.outside}
        outside |= {name for one in self.distributions if one.foreign for name in (*one.tops, one.key)}
        return bool(top) and (top in outside or canonical(top) in outside)

    def owner(self, file: str) -> Distribution | None:
        """The distribution that a module's file belongs to, by its folder and recorded names."""
        path = Path(file)
        for one in self.distributions:
            if one.checkout and path.is_relative_to(one.checkout):
                return one
            place = Path(one.place)
            if one.place and path.is_relative_to(place):
                top = path.relative_to(place).parts[0].split(".")[0]
                if top in one.tops or canonical(top) == one.key:
                    return one
        return None

    def take(self, part: str, value: Any) -> None:
        """Add one part of the probe's document."""
        if part == "imports":
            self.imports[value["id"]] = _import(value)
        elif part == "distributions":
            self.distributions = [_distribution(one) for one in value]
        elif part in ("interpreter", "environment", "start", "leftovers", "folder"):
            setattr(self, part, value)


def _distribution(value: dict[str, Any]) -> Distribution:
    return Distribution(
        name=value["name"],
        version=value["version"],
        folder=value.get("folder", ""),
        place=value.get("place", ""),
        problem=value.get("problem") or _version_problem(value["version"]),
        requires=tuple(value.get("requires", ())),
        requires_python=value.get("requires_python"),
        editable=bool(value.get("editable")),
        missing=tuple(value.get("missing", ())),
        missing_count=value.get("missing_count", 0),
        tops=tuple(value.get("tops", ())),
        checkout=value.get("checkout", ""),
        code_version=value.get("code_version"),
        foreign=bool(value.get("foreign")),
    )


def _version_problem(version: str) -> str | None:
    return None if parsed(version) else f"its version {version!r} is none"


def _import(value: dict[str, Any]) -> Import:
    module = value.get("module") or {}
    return Import(
        id=value["id"],
        module=value["module_name"],
        outcome=value["outcome"],
        seconds=value.get("seconds", 0.0),
        step=value.get("step", ""),
        chain=tuple(_link(link) for link in value.get("error") or ()),
        how=value.get("how", ""),
        because=value.get("because"),
        stderr=value.get("stderr", ""),
        file=module.get("file"),
        version=module.get("version"),
        is_namespace=bool(module) and module.get("file") is None,
        outside=value.get("outside", {}),
        notes=value.get("notes", {}),
        changed=value.get("changed", {}),
        isolated=_import(value["isolated"]) if value.get("isolated") else None,
    )


def _link(value: dict[str, Any]) -> Link:
    return Link(
        type=value["type"],
        message=value["message"],
        name=value.get("name"),
        path=value.get("path"),
        frames=tuple((file, line, function) for file, line, function in value.get("frames", ())),
        statement=value.get("statement"),
    )
