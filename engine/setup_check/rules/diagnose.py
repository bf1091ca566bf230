"""From the facts of an interpreter to findings. Pure: everything is in the facts and the knowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from engine.setup_check.finding import SEEN, Finding, Repair
from engine.setup_check.probe.facts import Facts, Import
from engine.setup_check.probe.import_failure import Shadow, distribution_for, telling_line
from engine.setup_check.probe.stack import PACKAGES, WELL, title
from engine.setup_check.rules import metadata
from engine.setup_check.rules.failures import Diagnosis, diagnose_imports, folded, replaces
from engine.setup_check.rules.knowledge import Entry, Knowledge, World, applies, described
from engine.setup_check.rules.metadata import Suspect, Unmet
from engine.setup_check.rules.shadows import shadowed
from engine.setup_check.versions import applies as counts
from engine.setup_check.versions import canonical, requirement, satisfies

COCKPIT_PACKAGE = "cxr-cockpit"
MAIN_PACKAGES = ("torch", "transformers", "peft", "accelerate")


def package_findings(facts: Facts, known: Knowledge, cockpit_requires: Iterable[str] = ()) -> list[Finding]:
    """What is wrong with the packages, each cause once.

    `cockpit_requires` are the requirements of cxr-cockpit itself: in its own interpreter an unmet one is a
    `fail`, elsewhere a note. Trials that the facts do not have are judged from versions alone.
    """
    world = World.of(facts)
    suspects = list(metadata.suspects(facts.alone()))
    conflicts = metadata.unmet_here(facts)
    imports = diagnose_imports(facts, known, suspects, conflicts)
    alone = facts.alone()
    mismatches = list(_known(alone, known, world, imports))
    told = imports.entries | {entry.id for entry in mismatches}
    findings = [
        *imports.findings,
        *(described(entry, world) for entry in mismatches),
        *_suspects(suspects, imports),
        *_conflicts(facts, conflicts, imports, [entry for entry in known.entries if entry.id in told]),
        *_shadows(facts, imports),
        *_leaning(facts, imports),
        *_cockpit(facts, cockpit_requires, imports),
        *metadata.python_too_old(facts),
        *metadata.leftovers(facts),
        *_not_tried(facts),
    ]
    findings = folded(findings, imports.importers)
    by_versions = {entry.id for entry in mismatches if entry.status == "fail"}
    findings = _fixed_along(findings, lambda one: _fixed_first(one) if one.id in by_versions else set())
    findings = _fixed_along(findings, _asked_by_cockpit)
    if _is_empty(alone, findings):
        findings = _empty(findings, facts, known)
    return _interpreter_first(_omissions(findings, facts), world, known)


def _is_empty(alone: Facts, findings: list[Finding]) -> bool:
    """Whether nothing of what training rests on is there, and that is all that is wrong."""
    missing = {one.id for one in findings if one.id.startswith("missing-")}
    return not any(name in alone.versions() for name in MAIN_PACKAGES) and missing >= {
        f"missing-{name}" for name in MAIN_PACKAGES
    }


def _empty(findings: list[Finding], facts: Facts, known: Knowledge) -> list[Finding]:
    """One finding for all that is not there, with the tested set for that Python as its one fix."""
    wanted = known.tested_set(facts.python)
    absent = [one for one in findings if one.id.startswith("missing-")]
    rest = [one for one in findings if one not in absent]
    empty = Finding(
        id="empty-environment",
        group="packages",
        status="fail",
        title="Nothing of the training stack is installed",
        found=f"{facts.start.get('prefix', facts.executable)}: no {', '.join(MAIN_PACKAGES)}",
        expected=", ".join(wanted) or "a Python for which a tested set is known: 3.11 or newer",
        why=f"A set that was tested together is known for Python {facts.python}."
        if wanted
        else f"No set that was tested together is known for Python {facts.python}.",
        source=SEEN,
        repairs=(Repair(install=tuple(wanted), whole=True),) if wanted else (),
    )
    return [empty, *rest]


def _fixed_along(findings: list[Finding], packages: Callable[[Finding], set[str]]) -> list[Finding]:
    """What is wrong about `packages` that the fix of another failing finding replaces is a consequence there."""
    kept = [one for one in findings if not packages(one)]
    for one in findings:
        mine = packages(one)
        if not mine:
            continue
        place = next((at for at, other in enumerate(kept) if any(replaces(other, p) for p in mine)), None)
        if place is None:
            kept.append(one)
        else:
            kept[place] = replace(kept[place], consequences=(*kept[place].consequences, one.title))
    return kept


def _fixed_first(one: Finding) -> set[str]:
    """The packages that the preferred fix of a finding installs."""
    wanted = [requirement(text) for text in one.repairs[0].install] if one.repairs else []
    return {canonical(text.name) for text in wanted if text}


def _asked_by_cockpit(one: Finding) -> set[str]:
    """The package of a requirement of cxr-cockpit's own; none for any other finding."""
    start = f"requires-{COCKPIT_PACKAGE}-"
    return {one.id.removeprefix(start)} if one.id.startswith(start) else set()


def _omissions(findings: list[Finding], facts: Facts) -> list[Finding]:
    """What nothing here asks for and what left no trace was left out, not damaged: where something else is
    broken, that comes first, and its fix installs this as well."""
    installed = facts.installed()
    asked_for = {
        canonical(wanted.name)
        for name in PACKAGES
        if name in installed
        for text in installed[name].requires
        if (wanted := requirement(text)) and counts(wanted, facts.markers)
    }
    left_out = {
        f"missing-{name}"
        for name in PACKAGES
        if asked_for and name not in asked_for and name not in installed and not _trace_of(name, facts)
    }
    if not any(one.status == "fail" and one.id not in left_out for one in findings):
        return findings
    return [
        replace(one, status="warn", why=f"{one.why} Nothing installed here asks for it.")
        if one.id in left_out
        else one
        for one in findings
    ]


def _trace_of(name: str, facts: Facts) -> bool:
    tried = facts.imports.get(name)
    return bool(tried and (tried.is_namespace or tried.outside)) or any(
        one.key == name for one in facts.distributions
    )


def working(one: Import, facts: Facts) -> Finding:
    """An import that went well."""
    version = one.version or facts.versions().get(canonical(one.module), "")
    said = WELL.get(one.id, f"{title(one.id)} {version} imports and works")
    return Finding(
        id=f"import-{one.id}",
        group="imports",
        status="ok",
        title=said.replace("  ", " "),
        found=f"{one.file or ''} in {one.seconds:.1f} s",
        source=SEEN,
    )


def _known(facts: Facts, known: Knowledge, world: World, imports: Diagnosis) -> Iterator[Entry]:
    """Known mismatches that the versions prove, and that no import has disproved or told of already."""
    for entry in known.entries:
        if entry.by_symptom or entry.id in imports.entries or not applies(entry, world):
            continue
        if entry.group == "interpreter" and entry.when.env and facts.start.get("error"):
            continue  # that it does not start with these variables is told already
        tried = facts.imports.get(entry.imports) if entry.imports else None
        if tried is None or not tried.ok:
            yield entry


def _suspects(suspects: list[Suspect], imports: Diagnosis) -> Iterator[Finding]:
    for one in suspects:
        if one.finding.id not in imports.suspects:
            yield one.finding


def _conflicts(
    facts: Facts, conflicts: list[Unmet], imports: Diagnosis, told_of: list[Entry]
) -> Iterator[Finding]:
    """Unmet requirements that nothing has failed on: a warning within the stack, a note elsewhere."""
    matter = metadata.closure(facts)
    told = {frozenset(canonical(name) for name in entry.when.packages) for entry in told_of}
    missing = {one.id for one in imports.findings}
    for one in conflicts:
        pair = (one.requirer.key, one.name)
        if one.requirer.key == COCKPIT_PACKAGE or pair in imports.unmet or frozenset(pair) in told:
            continue
        if f"missing-{one.name}" not in missing:
            yield metadata.conflict(one, "warn" if one.requirer.key in matter else "info")


def _shadows(facts: Facts, imports: Diagnosis) -> Iterator[Finding]:
    """Files of one's own that hide an installed package, though nothing has failed on them yet."""
    installed = facts.installed()
    told = set(imports.shadows)
    for one in facts.imports.values():
        for module, file in one.outside.items() if one.ok else ():
            package, found = installed.get(distribution_for(module)), Shadow(module, file)
            if package and not package.editable and found.place(facts) not in told:
                told.add(found.place(facts))
                yield shadowed(found, one, facts, "warn")


def _leaning(facts: Facts, imports: Diagnosis) -> Iterator[Finding]:
    """Imports that work only with what lies outside the environment, which no fix of it may count on."""
    leaning = [one for one in facts.imports.values() if one.ok and one.isolated and not one.isolated.ok]
    if not leaning or imports.shadows:
        return
    modules = {module: file for one in leaning for module, file in one.outside.items()}
    folders = dict.fromkeys(Shadow(module, file).folder for module, file in modules.items())
    failed = leaning[0].isolated
    yield Finding(
        id="needs-what-is-outside",
        group="imports",
        status="info",
        title=f"{', '.join(title(one.id) for one in leaning)}: only with what lies outside this environment",
        found=f"{', '.join(sorted(modules)[:8])} from {', '.join(folders)}",
        expected="an environment that holds what it needs",
        why="Without the working folder, PYTHONPATH and the user's site folder: "
        f"{telling_line(failed) if failed else ''}. None of it counts here, and nothing is offered for it.",
        source=SEEN,
    )


def _cockpit(facts: Facts, requires: Iterable[str], imports: Diagnosis) -> Iterator[Finding]:
    """What cxr-cockpit itself asks for."""
    versions = facts.versions()
    brought = {one.key for one in facts.distributions if one.foreign} - versions.keys()
    unmet: list[tuple[str, str, str]] = []
    for text in requires:
        wanted = requirement(text)
        if wanted is None or not counts(wanted, facts.markers):
            continue
        name = canonical(wanted.name)
        version = versions.get(name)
        if name in brought:
            continue
        if version is None or not satisfies(version, wanted.specifier):
            unmet.append((name, f"{wanted.name}{wanted.specifier}", version or "not installed"))
    told = {one.id for one in imports.findings}
    if facts.own:
        for name, text, version in unmet:
            if f"missing-{name}" not in told:
                yield Finding(
                    id=f"requires-{COCKPIT_PACKAGE}-{name}",
                    group="packages",
                    status="fail",
                    title=f"cxr-cockpit needs {text}, found {version}",
                    found=f"{name} {version}",
                    expected=text,
                    why="The cockpit and its engine were tested with this range.",
                    source=f"metadata of {COCKPIT_PACKAGE}",
                    repairs=(Repair(install=(text,)),),
                )
    elif unmet and versions:
        yield Finding(
            id="not-for-cockpit",
            group="packages",
            status="info",
            title="cxr-cockpit itself would need other packages than these",
            found=", ".join(f"{name} {version}" for name, _, version in unmet),
            expected=", ".join(text for _, text, _ in unmet),
            why="This interpreter is judged as a training stack; the cockpit runs in its own.",
            source=f"metadata of {COCKPIT_PACKAGE}",
        )


def _not_tried(facts: Facts) -> Iterator[Finding]:
    """Packages of the stack that are not there, where no import was tried."""
    if facts.imports or not facts.distributions:
        return
    installed = facts.installed()
    for name in ("torch", "transformers", "peft", "accelerate"):
        if name not in installed:
            yield Finding(
                id=f"missing-{name}",
                group="packages",
                status="fail",
                title=f"{name} is not installed",
                found="not installed",
                expected=f"one of {', '.join(PACKAGES[:4])} and the others",
                source=SEEN,
                repairs=(Repair(install=(name,)),),
            )


def _interpreter_first(findings: list[Finding], world: World, known: Knowledge) -> list[Finding]:
    """Where the interpreter holds the packages back, it is the first cause of what is wrong with them."""
    behind = [one for one in known.entries if one.id in ("python-39", "python-38") and applies(one, world)]
    if not behind:
        return findings
    first = f"The interpreter comes first: {_sentence(behind[0], world)} "
    return [
        replace(one, why=first + one.why)
        if one.status == "fail" and one.group in ("packages", "imports")
        else one
        for one in findings
    ]


def _sentence(entry: Entry, world: World) -> str:
    return f"Python {world.python}. {entry.cause}"
