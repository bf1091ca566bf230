"""From imports that failed to the few things that are wrong: each cause once, what it takes down as consequences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from engine.setup_check.finding import Finding, Repair
from engine.setup_check.probe import import_failure
from engine.setup_check.probe.facts import Facts, Import
from engine.setup_check.probe.stack import STACK, title
from engine.setup_check.rules import causes, metadata
from engine.setup_check.rules.knowledge import Entry, Knowledge, World, applies, described
from engine.setup_check.rules.metadata import Suspect, Unmet
from engine.setup_check.rules.shadows import shadowed
from engine.setup_check.versions import canonical, requirement

_AFTER = {trial.id: trial.after for trial in STACK}


@dataclass(slots=True)
class Fault:
    """Imports that fail for one and the same reason, the one nearest to it first."""

    trials: list[Import] = field(default_factory=list)

    @property
    def first(self) -> Import:
        return self.trials[0]

    @property
    def text(self) -> str:
        """All that the failing imports said, for matching."""
        return "\n".join(_text(one) for one in self.trials)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings of the failed imports, and what of the metadata they have already said."""

    findings: list[Finding]
    suspects: set[str]
    """Ids of the suspects that turned out to be a cause."""
    unmet: set[tuple[str, str]]
    """(requirer, requirement) of the conflicts that turned out to be one."""
    entries: set[str]
    shadows: set[str]
    """Places outside the environment that turned out to be a cause."""
    importers: dict[str, str]
    """For each finding about something that is not there: the package that asks for it."""


def diagnose_imports(
    facts: Facts, known: Knowledge, suspects: list[Suspect], conflicts: list[Unmet]
) -> Diagnosis:
    """One finding for each fault. Pure: all that is needed is in the facts."""
    world = World.of(facts)
    done = Diagnosis([], set(), set(), set(), set(), {})
    first, behind = _as_told(facts)
    told: set[str] = set()
    for fault in [*faults(replace(facts, imports=first)), *faults(replace(facts, imports=behind))]:
        finding = _explained(fault, facts, known, world, suspects, conflicts, done)
        consequences = tuple(_consequence(one) for one in fault.trials if one.id not in told)
        told |= {one.id for one in fault.trials}
        _add(done.findings, replace(finding, status="fail", consequences=consequences))
        importer = import_failure.importer(fault.first, facts)
        if finding.id.startswith(("missing-", "no-name-")) and importer:
            done.importers[finding.id] = importer.key
    return done


def _as_told(facts: Facts) -> tuple[dict[str, Import], dict[str, Import]]:
    """Each import as run where what lies outside the environment is behind its failure, else by itself; and what is
    wrong with the environment itself behind such a failure.
    """
    alone = facts.alone().imports
    first, behind = {}, {}
    for key, one in facts.imports.items():
        shadow = None if one.ok else import_failure.shadow(one, facts)
        by_itself = alone.get(key)
        if shadow or (not one.ok and one.isolated and one.isolated.ok):
            first[key] = one
            if (
                by_itself
                and by_itself is not one
                and not by_itself.ok
                and not import_failure.shadow(by_itself, facts)
            ):
                behind[key] = by_itself
        elif by_itself:
            first[key] = by_itself
    return first, behind


def folded(findings: list[Finding], importers: dict[str, str]) -> list[Finding]:
    """What a package misses that the fix of another failing finding replaces anyway is a consequence there."""
    kept = [one for one in findings if one.id not in importers]
    for one in findings:
        if one.id not in importers:
            continue
        place = next((at for at, other in enumerate(kept) if replaces(other, importers[one.id])), None)
        if place is None:
            kept.append(one)
        else:
            consequences = kept[place].consequences + one.consequences
            kept[place] = replace(kept[place], consequences=consequences)
    return kept


def replaces(one: Finding, package: str) -> bool:
    """Whether the preferred fix of a failing finding installs another release of the package."""
    wanted = [requirement(text) for text in one.repairs[0].install] if one.repairs else []
    return one.status == "fail" and any(text and canonical(text.name) == package for text in wanted)


def _add(findings: list[Finding], new: Finding) -> None:
    """Failures that turn out to have one explanation are one finding."""
    for place, one in enumerate(findings):
        if one.id == new.id:
            findings[place] = replace(one, consequences=one.consequences + new.consequences)
            return
    findings.append(new)


def faults(facts: Facts) -> list[Fault]:
    """The failed imports, grouped by what they have in common or by what they rest on."""
    failed = {key: one for key, one in facts.imports.items() if not one.ok}
    order = [trial.id for trial in STACK if trial.id in failed]
    order += [key for key in failed if key not in order]
    found: list[Fault] = []
    of_trial: dict[str, Fault] = {}
    by_signature: dict[tuple[str, ...], Fault] = {}
    for key in sorted(order, key=lambda one: len([b for b in _AFTER.get(one, ()) if b in failed])):
        one = failed[key]
        signature = _signature(one, facts)
        fault = by_signature.get(signature)
        if fault is None:
            fault = next((of_trial[base] for base in _bases(one, failed) if base in of_trial), None)
        if fault is None:
            fault = Fault()
            found.append(fault)
        by_signature.setdefault(signature, fault)
        of_trial[key] = fault
        fault.trials.append(one)
    return found


def _bases(one: Import, failed: dict[str, Import]) -> Iterable[str]:
    """Trials that this one rests on and whose package its failure speaks of, or that ended in the same way."""
    if one.because:
        yield one.because
        return
    if one.root is None:
        yield from (base for base in _AFTER.get(one.id, ()) if base in failed and failed[base].how == one.how)
    text = _text(one)
    vague = one.root is not None and one.root.type in ("NameError", "AttributeError")
    for base in _AFTER.get(one.id, ()):
        names = import_failure.words_for(base)
        if vague or any(re.search(rf"\b{re.escape(name)}\b", text) for name in names):
            yield base


def _signature(one: Import, facts: Facts) -> tuple[str, ...]:
    shadow = import_failure.shadow(one, facts)
    if shadow:
        return ("shadow", shadow.place(facts))
    if one.root is None:
        where = import_failure.stack_file(one.stderr)
        return (one.outcome, where or one.id)
    place = one.root.frames[-1][0] if one.root.frames else ""
    message = re.sub(r"0x[0-9a-f]+|\(/[^)]*\)", "", one.root.message)
    return (one.root.type, message[:300], place)


def _text(one: Import) -> str:
    links = "\n".join(f"{link.type}: {link.message}\n{link.statement or ''}" for link in one.chain)
    return f"{links}\n{one.how}\n{one.stderr}"


def _explained(
    fault: Fault,
    facts: Facts,
    known: Knowledge,
    world: World,
    suspects: list[Suspect],
    conflicts: list[Unmet],
    done: Diagnosis,
) -> Finding:
    """The best explanation there is; each step knows less of the particular case than the one before."""
    one = fault.first
    entry = _entry(fault, known, world)
    if entry:  # whatever the cause turns out to be, this is how it shows itself
        done.entries.add(entry.id)
        done.unmet.update((c.requirer.key, c.name) for c in conflicts if _is_of(c, entry))
    shadow = import_failure.shadow(one, facts)
    if shadow:
        done.shadows.add(shadow.place(facts))
        outside = _entry(fault, known, World.of(facts.as_run()))
        finding = shadowed(shadow, one, facts)
        return replace(finding, why=f"{finding.why} {outside.cause}") if outside else finding
    by_variables = causes.variables(one, facts)
    if by_variables:
        return by_variables
    finding = _inside(fault, facts, known, world, suspects, conflicts, done)
    # what fails only as it is run is not fixed in the environment
    return replace(finding, repairs=()) if one.isolated and one.isolated.ok else finding


def _inside(
    fault: Fault,
    facts: Facts,
    known: Knowledge,
    world: World,
    suspects: list[Suspect],
    conflicts: list[Unmet],
    done: Diagnosis,
) -> Finding:
    """The best explanation from what the environment itself holds."""
    one = fault.first
    entry = _entry(fault, known, world)
    involved = import_failure.involved(one, facts)
    checkouts = [
        s for s in suspects if s.kind == metadata.CHECKOUT
    ]  # whichever of the two it calls or is called by
    damage = next((s for s in [*checkouts, *suspects] if s.package in involved and _explains(s, one)), None)
    damage = damage or _without_version(one, suspects) or (_lying(entry, suspects) if entry else None)
    if damage and not (entry and damage.kind in ("two-versions", "no-metadata")):
        done.suspects.add(damage.finding.id)
        real = facts.imports[damage.package].version if damage.kind == "metadata-lies" and entry else None
        # the recorded version is the one that is refused: back to that of the code
        pin = Repair(install=(f"{damage.package}=={real}",))
        return replace(damage.finding, repairs=(pin,)) if real else damage.finding
    if entry:
        return described(entry, world)
    back_end = causes.back_end(one, facts)
    if back_end:
        return back_end
    missing = causes.missing_package(one, facts, known)
    if missing:
        done.unmet.update((c.requirer.key, c.name) for c in conflicts if missing.id == f"missing-{c.name}")
        return missing
    gone = causes.gone(one, facts)
    if gone:
        return gone
    unmet = _conflict(one, conflicts, involved)
    if unmet:
        done.unmet.add((unmet.requirer.key, unmet.name))
        return replace(
            metadata.conflict(unmet, "fail"), found=_with_error(unmet.found or "not installed", one)
        )
    return (
        causes.refused_version(one, facts)
        or causes.missing_name(one, facts, known)
        or causes.library(one, facts)
        or causes.ended(one, facts)
        or causes.unknown(one, facts)
    )


def _entry(fault: Fault, known: Knowledge, world: World) -> Entry | None:
    """The known mismatch whose conditions hold and whose symptom shows."""
    fits = [one for one in known.entries if one.match and applies(one, world)]
    return next((one for one in fits if re.search(one.match or "", fault.text)), None)


def _is_of(conflict: Unmet, entry: Entry) -> bool:
    names = {canonical(name) for name in entry.when.packages}
    return {conflict.requirer.key, conflict.name} <= names


def _lying(entry: Entry, suspects: list[Suspect]) -> Suspect | None:
    """A package whose recorded version is what the entry is about, while its code is of another one."""
    return next((s for s in suspects if s.kind == "metadata-lies" and s.package in entry.when.packages), None)


def _explains(suspect: Suspect, one: Import) -> bool:
    """Whether that damage can be behind that failure."""
    if suspect.kind == "broken-metadata":
        return bool(suspect.finding.repairs and suspect.finding.repairs[0].reinstall)
    return True


def _without_version(one: Import, suspects: list[Suspect]) -> Suspect | None:
    """A package without a readable version, where a library stumbled over just that while comparing versions.

    The one that the failure speaks of; else the first.
    """
    kinds = (
        "AttributeError",
        "TypeError",
        "ValueError",
        "KeyError",
        "PackageNotFoundError",
        "InvalidVersion",
        "StopIteration",
    )
    if one.root is None or one.root.type not in kinds:
        return None
    mute = [s for s in suspects if s.kind in ("broken-metadata", "no-metadata") and _explains(s, one)]
    named = (s for s in mute if any(name in one.root.message for name in import_failure.words_for(s.package)))
    return next(named, mute[0] if mute else None)


def _conflict(one: Import, conflicts: list[Unmet], involved: list[str]) -> Unmet | None:
    """A requirement that is not met, between packages that the failure runs through."""
    text = _text(one).lower()
    for conflict in conflicts:
        names = {conflict.name, conflict.name.replace("-", "_"), *import_failure.words_for(conflict.name)}
        spoken_of = any(re.search(rf"\b{re.escape(name.lower())}\b", text) for name in names)
        if conflict.requirer.key in involved and (conflict.name in involved or spoken_of):
            return conflict
    return None


def _with_error(found: str, one: Import) -> str:
    return f"{found}; {import_failure.telling_line(one)}"


def _consequence(one: Import) -> str:
    if one.outcome == "skipped":
        return f"{title(one.id)} was not tried: it loads {title(one.because or '')}"
    doing = f"fails {one.notes['doing']}" if one.notes.get("doing") else "imports, but does not work"
    return f"{title(one.id)} {doing if one.step == 'use' else 'does not import'}: {import_failure.telling_line(one)}"
