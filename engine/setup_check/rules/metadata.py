"""What the metadata of an environment says about itself: requirements that are not met, and damage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.setup_check.finding import SEEN, Finding, Repair, Status
from engine.setup_check.probe.facts import Distribution, Facts
from engine.setup_check.probe.stack import PACKAGES
from engine.setup_check.versions import (
    Requirement,
    applies,
    canonical,
    parsed,
    requirement,
    same_release,
    satisfies,
)

CHECKOUT = "checkout-differs"
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that what is installed does not meet; `found` is None where nothing is."""

    requirer: Distribution
    wanted: Requirement
    found: str | None

    @property
    def name(self) -> str:
        return canonical(self.wanted.name)


@dataclass(frozen=True, slots=True)
class Suspect:
    """Damage to one package. It becomes a cause where an import fails on that package."""

    package: str
    kind: str
    finding: Finding


def unmet(
    versions: dict[str, str], installed: dict[str, Distribution], markers: dict[str, str]
) -> list[Unmet]:
    """Requirements of the installed distributions that `versions` does not meet, extras that are asked for included."""
    extras = _extras(installed, markers)
    found = []
    for key, one in installed.items():
        for text in one.requires:
            wanted = requirement(text)
            if wanted is None or not applies(wanted, markers, ("", *extras[key])):
                continue
            version = versions.get(canonical(wanted.name))
            if version is None or not satisfies(version, wanted.specifier):
                found.append(Unmet(one, wanted, version))
    return found


def unmet_here(facts: Facts) -> list[Unmet]:
    """The same for the environment as it is. What is there without readable metadata is not missing."""
    there = {one.key for one in facts.distributions} | {key for key, one in facts.imports.items() if one.file}
    found = unmet(facts.versions(), facts.installed(), facts.markers)
    return [one for one in found if one.found is not None or one.name not in there]


def _extras(installed: dict[str, Distribution], markers: dict[str, str]) -> dict[str, set[str]]:
    """The extras of each package that others ask for."""
    asked: dict[str, set[str]] = defaultdict(set)
    for _ in range(_DEPTH):  # an extra may ask for another package's extra
        before = sum(len(names) for names in asked.values())
        for key, one in installed.items():
            for text in one.requires:
                wanted = requirement(text)
                if wanted and wanted.extras and applies(wanted, markers, ("", *asked[key])):
                    asked[canonical(wanted.name)] |= wanted.extras
        if sum(len(names) for names in asked.values()) == before:
            break
    return asked


def closure(facts: Facts) -> set[str]:
    """The training stack and all that it rests on, by canonical name."""
    installed = facts.installed()
    reached: set[str] = set()
    ahead = [canonical(name) for name in PACKAGES]
    while ahead:
        name = ahead.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in installed:
            wanted = [requirement(text) for text in installed[name].requires]
            ahead += [canonical(one.name) for one in wanted if one and applies(one, facts.markers)]
    return reached


def suspects(facts: Facts) -> Iterator[Suspect]:
    """Damage to the packages of the stack and of what it rests on."""
    matter = closure(facts)
    by_name: dict[str, list[Distribution]] = defaultdict(list)
    for one in facts.distributions:
        if one.key in matter and one.folder.endswith(".dist-info") and not one.foreign:
            by_name[one.key].append(one)
    for name, copies in sorted(by_name.items()):
        yield from _broken(name, copies, facts)
        yield from _two_versions(name, copies, facts)
        yield from _half_removed(name, copies)
    yield from _versions_that_differ(facts, by_name)
    for one in facts.installed().values():
        if one.key in matter and one.code_version and not same_release(one.code_version, one.version):
            yield Suspect(one.key, CHECKOUT, _checkout(one, one.code_version))


def _checkout(one: Distribution, code: str) -> Finding:
    return Finding(
        id=f"{CHECKOUT}-{one.key}",
        group="packages",
        status="warn",
        title=f"{one.name} is a checkout whose code is {code}, but recorded as {one.version}",
        found=f"{one.checkout} is {code}; {one.folder} says {one.version}",
        expected="one and the same version",
        why="It was installed as a link to a folder of source code, and that was moved to another release since. "
        f"Others decide by the recorded version. Bring the checkout back to {one.version}, or record it anew: "
        f"`python -m pip install --no-deps -e {one.checkout}`.",
        source=SEEN,
    )


def _broken(name: str, copies: list[Distribution], facts: Facts) -> Iterator[Suspect]:
    for one in copies:
        if one.problem is None:
            continue
        alone = not any(other.problem is None for other in copies)
        version = one.version if parsed(one.version) else _module_version(name, facts)
        pin = f"{one.name}=={version}" if version else one.name
        repair = Repair(remove=(one.folder,), reinstall=(pin,) if alone else ())
        finding = Finding(
            id=f"broken-metadata-{name}",
            group="packages",
            status="warn",
            title=f"The metadata of {name} is broken",
            found=f"{one.folder}: {one.problem}",
            expected="a readable METADATA with name and version",
            why="An installation was interrupted, or its folder was edited. Who asks for the version gets none.",
            source=SEEN,
            repairs=(repair,),
        )
        yield Suspect(name, "broken-metadata", finding)


def _two_versions(name: str, copies: list[Distribution], facts: Facts) -> Iterator[Suspect]:
    readable = [one for one in copies if one.problem is None]
    first = readable[0] if readable else None
    beside = [one for one in readable[1:] if first and one.place == first.place]
    if first is None or not beside:
        return
    real = _module_version(name, facts) or first.version
    wrong = [one for one in (first, *beside) if not same_release(one.version, real)] or beside
    finding = Finding(
        id=f"two-versions-{name}",
        group="packages",
        status="warn",
        title=f"{name} is recorded in two versions",
        found=", ".join(f"{one.version} ({one.folder})" for one in (first, *beside)),
        expected="one version",
        why=f"An update did not remove what it replaced. The code is that of {real}; "
        f"libraries that ask are told {first.version}.",
        source=SEEN,
        repairs=(Repair(remove=tuple(one.folder for one in wrong), reinstall=(f"{first.name}=={real}",)),),
    )
    yield Suspect(name, "two-versions", finding)


def _half_removed(name: str, copies: list[Distribution]) -> Iterator[Suspect]:
    one = next((one for one in copies if one.problem is None), None)
    if one is None or not one.missing_count or one.editable:
        return
    finding = Finding(
        id=f"half-removed-{name}",
        group="packages",
        status="warn",
        title=f"{name} {one.version} is there only in part",
        found=f"{one.missing_count} of its files are missing: {', '.join(one.missing[:4])}"
        + (" …" if one.missing_count > 4 else ""),
        expected="every file that was installed",
        why="Files were deleted, or an installation or removal was interrupted.",
        source=SEEN,
        repairs=(Repair(reinstall=(f"{one.name}=={one.version}",)),),
    )
    yield Suspect(name, "half-removed", finding)


def _versions_that_differ(facts: Facts, by_name: dict[str, list[Distribution]]) -> Iterator[Suspect]:
    for name in PACKAGES:
        real = _module_version(name, facts)
        tried = facts.imports.get(name)
        if tried is None or tried.file is None or tried.module in tried.outside:
            continue
        one = facts.installed().get(name)
        if one is None:
            if not by_name.get(name):
                yield Suspect(name, "no-metadata", _no_metadata(name, tried.file, real))
            continue
        differs = real is not None and not one.editable and not same_release(real, one.version)
        if real and differs and Path(tried.file).is_relative_to(one.place) and len(by_name[name]) < 2:
            yield Suspect(name, "metadata-lies", _lies(name, one, real, tried.file))


def _module_version(name: str, facts: Facts) -> str | None:
    tried = facts.imports.get(name)
    return tried.version if tried else None


def _lies(name: str, one: Distribution, real: str, file: str) -> Finding:
    return Finding(
        id=f"metadata-lies-{name}",
        group="packages",
        status="fail",
        title=f"{name} is {real}, but recorded as {one.version}",
        found=f"{file} is {real}; {one.folder} says {one.version}",
        expected="one and the same version",
        why="Files of one release were copied over another. Libraries decide by the recorded version, "
        "and pip check sees nothing of it.",
        source=SEEN,
        repairs=(Repair(reinstall=(f"{one.name}=={one.version}",)),),
    )


def _no_metadata(name: str, file: str, real: str | None) -> Finding:
    pin = f"{name}=={real}" if real else name
    return Finding(
        id=f"no-metadata-{name}",
        group="packages",
        status="warn",
        title=f"{name} has no metadata",
        found=f"{file}, and no {name.replace('-', '_')}-*.dist-info",
        expected="an installed distribution",
        why="It was copied by hand, or removed in part. Who asks for its version takes it for absent.",
        source=SEEN,
        repairs=(Repair(reinstall=(pin,)),),
    )


def conflict(one: Unmet, status: Status) -> Finding:
    """An unmet requirement as a finding."""
    who = f"{one.requirer.name} {one.requirer.version}"
    if one.found is None:
        title, found = f"{who} needs {one.wanted.name}, which is not installed", "not installed"
    else:
        title, found = (
            f"{who} needs another {one.wanted.name} than {one.found}",
            f"{one.wanted.name} {one.found}",
        )
    return Finding(
        id=f"requires-{one.requirer.key}-{one.name}",
        group="packages",
        status=status,
        title=title,
        found=found,
        expected=f"{one.wanted.name} {one.wanted.specifier}".strip(),
        why=f"The metadata of {who} says so.",
        source=f"metadata of {who}",
        repairs=ways_to_meet(one),
    )


def ways_to_meet(one: Unmet) -> tuple[Repair, ...]:
    """Install what is wanted; where that would lower a package, first try a newer requirer."""
    text = f"{one.wanted.name}{one.wanted.specifier}"
    plain = Repair(install=(text,))
    if one.found is None or raises(one.found, one.wanted):
        return (plain,)
    newer = Repair(install=(f"{one.requirer.name}>{one.requirer.version}", f"{one.wanted.name}=={one.found}"))
    return (newer, plain)


def raises(version: str, wanted: Requirement) -> bool:
    """Whether the version found lies below the range: it fails a lower bound and no upper one."""
    failed = [one for one in wanted.specifier if not satisfies(version, str(one))]
    return all(one.operator in (">=", ">", "~=") for one in failed) or all(
        one.operator == "==" and satisfies(version, f"<{one.version.rstrip('.*')}") for one in failed
    )


def python_too_old(facts: Facts) -> Iterator[Finding]:
    """Packages of the stack that say that they are not made for this Python."""
    for name in PACKAGES:
        one = facts.installed().get(name)
        if one and one.requires_python and facts.python and not satisfies(facts.python, one.requires_python):
            yield Finding(
                id=f"python-for-{name}",
                group="packages",
                status="warn",
                title=f"{name} {one.version} is not made for Python {facts.python}",
                found=f"Python {facts.python}",
                expected=f"Python {one.requires_python}",
                why="It was installed with another Python, or forced.",
                source=f"metadata of {name} {one.version}",
            )


def leftovers(facts: Facts) -> Iterator[Finding]:
    """What interrupted installers and unquoted commands left lying about."""
    for file in facts.leftovers:
        yield Finding(
            id=f"leftover-{canonical(Path(file).name.lstrip('~')) or 'folder'}",
            group="packages",
            status="info",
            title=f"{Path(file).name} was left behind by an interrupted pip",
            found=file,
            expected="no such folder",
            why="pip renames a package with a tilde while it replaces it. It does no harm.",
            fix=(("rm", "-r", "--", file),),
            source=SEEN,
        )
    written = facts.folder.get("redirected", [])
    if written:
        yield Finding(
            id="redirected-requirement",
            group="packages",
            status="warn",
            title=f"A file named {Path(written[0]).name} lies in this folder",
            found=", ".join(written),
            expected="no such file",
            why="`pip install name>=version` without quotes writes pip's words into a file named =version, "
            "and installs without the bound; what was installed already stays as it is.",
            fix=(("rm", "--", *written),),
            source="verified: bash",
        )
