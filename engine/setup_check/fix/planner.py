"""From findings to one plan: repairs merged into one set of versions that is shown to fit together."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.setup_check.finding import Finding, Repair
from engine.setup_check.fix.installer import (
    Impossible,
    Installer,
    KnownReleases,
    NotOffered,
    Resolution,
    Resolver,
    Unreachable,
)
from engine.setup_check.fix.plan import Change, Plan
from engine.setup_check.probe.facts import Distribution, Facts
from engine.setup_check.rules.knowledge import Knowledge, World, problems
from engine.setup_check.rules.metadata import raises, unmet
from engine.setup_check.versions import Requirement, canonical, requirement, satisfies

MOST_TRIES = 6  # each may ask the index
ENOUGH_SECONDS = 30.0  # with a sound plan in hand, no further one is looked for after this
_ROUNDS = 3
_TOOLS = frozenset(("pip", "setuptools", "wheel", "pkg-resources", "distribute"))


@dataclass(frozen=True, slots=True)
class _Candidate:
    install: tuple[str, ...]
    changes: tuple[Change, ...]
    conflicts: int
    fails: int
    warns: int
    order: int

    @property
    def sound(self) -> bool:
        return not self.conflicts and not self.fails

    @property
    def rank(self) -> tuple[int, ...]:
        lowered = sum(change.lowers for change in self.changes)
        return (self.fails + self.conflicts, lowered, self.warns, len(self.changes), self.order)


class Planner:
    """Plans fixes for one interpreter. `resolver` stands in for pip in tests."""

    def __init__(
        self, facts: Facts, known: Knowledge, installer: Installer, resolver: Resolver | None = None
    ) -> None:
        self._facts = facts
        self._known = known
        self._world = World.of(facts)
        self.installer = installer
        self.refusal = ""
        """pip's own last line where it refused."""
        self._resolve = resolver or installer.dry_run
        self._proof = "pip's dry run against the index"
        self._doubt = ""
        self._asked_for: dict[tuple[str, ...], list[str] | None] = {}
        if resolver is None and not installer.has_dry_run:
            self._fall_back(f"pip {installer.version} has no dry run")

    def plan(self, findings: Sequence[Finding]) -> Plan | None:
        """One fix for all of them, or None if no consistent set of versions was found."""
        todo = [one for one in findings if one.repairs]
        if not todo:
            return None
        whole = next((one for one in todo if one.repairs[0].whole), None)
        if whole is not None and not self._facts.versions().keys() - _TOOLS:
            return self._tested(whole)
        best = self._best(todo)
        if best is None and self._doubt:
            self._fall_back(self._doubt)
            best = self._best(todo)
        return self._written(*best, todo) if best else None

    def _tested(self, finding: Finding) -> Plan:
        """The tested set for an environment with nothing in it: to ask the index for a proof may mean gigabytes."""
        wanted = finding.repairs[0].install
        pairs = [(one.name, str(one.specifier)) for text in wanted if (one := requirement(text))]
        return Plan(
            commands=(*self.installer.prepare, self.installer.install_command(wanted)),
            changes=tuple(
                Change(canonical(name), None, span.removeprefix("==") or "newest") for name, span in pairs
            ),
            removes=(),
            fixes=frozenset([finding.id]),
            proof="a set that was tested together",
        )

    def _best(self, todo: list[Finding]) -> tuple[_Candidate, list[Repair]] | None:
        begun = time.monotonic()
        best: tuple[_Candidate, list[Repair]] | None = None
        for order, repairs in enumerate(_combinations(todo)):
            if best and self._is_larger(repairs, best[0]):
                continue
            if best and best[0].sound and time.monotonic() - begun > ENOUGH_SECONDS:
                break
            candidate = self._candidate(_merged(repairs), _names(repairs), order)
            if candidate and self._available(_reinstalls(repairs, candidate)) is None:
                continue
            if candidate and (best is None or candidate.rank < best[0].rank):
                best = (candidate, repairs)
        return best if best and best[0].sound else None

    def _is_larger(self, repairs: list[Repair], best: _Candidate) -> bool:
        """Whether it is plain without asking that these repairs change more, or lower something, than the best."""
        if best.rank[:3] != (0, 0, 0):
            return False
        versions = self._facts.versions()
        wanted = [requirement(text) for text in _merged(repairs)]
        moved = [one for one in wanted if one and not _has(versions, one)]
        lowered = any(
            canonical(one.name) in versions and not raises(versions[canonical(one.name)], one)
            for one in moved
        )
        return lowered or len(moved) >= len(best.changes)

    def _fall_back(self, reason: str) -> None:
        self._resolve = KnownReleases(self._known, self._facts)
        self._doubt = ""
        self._asked_for = {}
        self._proof = f"known metadata only: {reason}"

    def _resolved(self, requirements: Sequence[str], reinstall: bool = False) -> Resolution | None:
        try:
            return self._resolve(requirements, reinstall)
        except Unreachable as error:
            if isinstance(self._resolve, KnownReleases):
                return None
            self._fall_back(f"no index could be reached ({error})")
            return self._resolved(requirements, reinstall)
        except NotOffered as error:
            self._doubt = f"the index has not got what is needed ({error})"
            self.refusal = str(error)
            return None
        except Impossible as error:
            self.refusal = str(error)
            return None

    def _candidate(self, install: list[str], uninstall: set[str], order: int) -> _Candidate | None:
        """What an installation leads to; conflicts it would make with what stays are added to it and tried again."""
        before = self._facts.versions()
        for _ in range(_ROUNDS):
            resolution = self._resolved(install) if install else Resolution()
            if resolution is None:
                return None
            after = {k: v for k, v in (before | resolution.versions).items() if k not in uninstall}
            touched = {name for name, version in after.items() if before.get(name) != version} | uninstall
            left = [
                one
                for one in problems(after, self._world, self._known.entries)
                if touched & _names_of(one.when.packages)
            ]
            new = self._new_conflicts(after, resolution)
            # what pip does not know of may be known here: the fix of a mismatch it would make comes along
            more = [*new, *(text for one in left if one.status == "fail" for text in one.fix[0].install)]
            if _intersected([*install, *more]) == install:
                break
            install = _intersected([*install, *more])
        names = sorted(touched)
        return _Candidate(
            install=tuple(install),
            changes=tuple(Change(name, before.get(name), after.get(name)) for name in names),
            conflicts=len(new),
            fails=sum(one.status == "fail" for one in left),
            warns=sum(one.status == "warn" for one in left),
            order=order,
        )

    def _new_conflicts(self, after: dict[str, str], resolution: Resolution) -> list[str]:
        """Requirements that would be broken and are not already, as texts to add."""
        markers = self._facts.markers
        installed = self._facts.installed()
        old = {
            (one.requirer.key, str(one.wanted)) for one in unmet(self._facts.versions(), installed, markers)
        }
        then = {name: one for name, one in installed.items() if name in after}
        for name, version in resolution.versions.items():
            then[name] = Distribution(name, version, requires=resolution.requires.get(name, ()))
        return [
            f"{one.wanted.name}{one.wanted.specifier}"
            for one in unmet(after, then, markers)
            if (one.requirer.key, str(one.wanted)) not in old
        ]

    def _written(self, chosen: _Candidate, repairs: list[Repair], todo: list[Finding]) -> Plan | None:
        removes = tuple(dict.fromkeys(path for one in repairs for path in one.remove))
        commands: list[tuple[str, ...]] = [("rm", "-r", "--", path) for path in removes]
        moves = tuple((path, aside(path)) for path in dict.fromkeys(p for one in repairs for p in one.aside))
        commands += [("mv", "-n", "--", path, after) for path, after in moves]
        if chosen.changes or _reinstalls(repairs, chosen):
            commands += self.installer.prepare
        gone = [change.name for change in chosen.changes if change.after is None]
        if gone:
            commands.append(self.installer.uninstall_command(gone))
        pins = [f"{one.name}=={one.after}" for one in chosen.changes if one.after is not None]
        if pins:
            commands.append(self.installer.install_command(pins))
        found = self._available(_reinstalls(repairs, chosen))
        if found is None:
            return None
        changes = list(chosen.changes)
        if found:
            commands.append(self.installer.reinstall_command(found))
            changes += [_reinstalled(pin) for pin in found]
        return Plan(
            commands=tuple(commands),
            changes=tuple(changes),
            removes=removes,
            fixes=frozenset(one.id for one in todo),
            proof=self._proof if chosen.changes or found else "nothing is installed",
            moves=moves,
        )

    def _available(self, pins: list[str]) -> list[str] | None:
        """The pins as the index has them: with the build's local part, else without; unchanged without an index."""
        if tuple(pins) not in self._asked_for:
            self._asked_for[tuple(pins)] = self._found(pins)
        return self._asked_for[tuple(pins)]

    def _found(self, pins: list[str]) -> list[str] | None:
        if not pins:
            return []
        public = [pin.partition("+")[0] for pin in pins]
        for some in (pins, public) if public != pins else (pins,):
            if self._resolved(some, reinstall=True) is not None:
                return some
        return public if isinstance(self._resolve, KnownReleases) else None


def aside(path: str) -> str:
    """The name that something gets to be out of the way: no module and no .pth file is looked for under it."""
    return path + ".aside"


def _reinstalls(repairs: list[Repair], chosen: _Candidate) -> list[str]:
    """What is to be installed anew as it is, besides what changes its version anyway."""
    changing = {change.name for change in chosen.changes}
    pins = dict.fromkeys(pin for one in repairs for pin in one.reinstall)
    return [pin for pin in pins if canonical(pin.partition("==")[0]) not in changing]


def _has(versions: dict[str, str], wanted: Requirement) -> bool:
    version = versions.get(canonical(wanted.name))
    return version is not None and satisfies(version, wanted.specifier)


def _reinstalled(pin: str) -> Change:
    name, _, version = pin.partition("==")
    return Change(canonical(name), version or None, version or None)


def _combinations(todo: list[Finding]) -> Iterator[list[Repair]]:
    """One repair a finding; preferred ones first, a few at most."""
    choices = [list(enumerate(one.repairs)) for one in todo]
    ordered = sorted(
        itertools.islice(itertools.product(*choices), 200), key=lambda picks: sum(rank for rank, _ in picks)
    )
    for picks in ordered[:MOST_TRIES]:
        yield [repair for _, repair in picks]


def _merged(repairs: list[Repair]) -> list[str]:
    return _intersected([text for one in repairs for text in one.install])


def _names(repairs: list[Repair]) -> set[str]:
    return {canonical(name) for one in repairs for name in one.uninstall}


def _intersected(texts: list[str]) -> list[str]:
    """One requirement a package, with all the bounds that were asked for."""
    spans: dict[str, list[str]] = {}
    for text in texts:
        wanted = requirement(text)
        if wanted is not None:
            spans.setdefault(canonical(wanted.name), []).extend(str(one) for one in wanted.specifier)
    return [name + ",".join(sorted(set(bounds))) for name, bounds in spans.items()]


def _names_of(packages: dict[str, str]) -> set[str]:
    return {canonical(name) for name in packages}
