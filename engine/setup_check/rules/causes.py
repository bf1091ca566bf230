"""Explanations for failed imports that no known mismatch covers, from what the failure itself says."""

from __future__ import annotations

import ast
import re

from engine.setup_check.finding import SEEN, Finding, Repair
from engine.setup_check.probe import import_failure
from engine.setup_check.probe.facts import Distribution, Facts, Import
from engine.setup_check.probe.stack import COCKPIT, PACKAGES, STACK, WELL, title
from engine.setup_check.rules.interpreter import FORCEFUL
from engine.setup_check.rules.knowledge import Knowledge
from engine.setup_check.rules.metadata import Unmet, closure, ways_to_meet
from engine.setup_check.versions import canonical, requirement, satisfies

_REFUSED = re.compile(
    r"(?P<wanted>(?<![^\s'(])[A-Za-z][\w.-]*\s*[<>=!~]\S+) is required for a normal functioning of this module,?"
    r"(?: but found (?P<name>[\w.-]+)==(?P<found>\S+?)\.?(?:\s|$))?"
)
# How a library names what it looked for and did not find, by the error that it raises.
_NOT_FOUND = {
    "PackageNotFoundError": re.compile(r"(?:No package metadata was found for|The ')([\w.-]+)"),
    "ImportError": re.compile(r"pip install (?:-U |--upgrade )?([A-Za-z][\w.-]*\w)"),
}
_NO_NAME = re.compile(r"cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]+)'")
_LIBRARY = re.compile(
    r"cannot open shared object|undefined symbol|dlopen|Symbol not found|DLL load failed|wrong ELF class"
    r"|incompatible architecture|GLIBC(XX)?_|numpy\.dtype size changed|multiarray failed to import|_ARRAY_API not found"
    r"|invalid ELF header|file too short"
)
_ABI = re.compile(r"numpy\.dtype size changed|_ARRAY_API not found|multiarray failed to import")
_FILE = re.compile(r"(?<![^\s:'\"()])/[^\s:'\"()]+\.(?:so|dylib|pyd)[.\d]*")


def variables(one: Import, facts: Facts) -> Finding | None:
    """Variables of the interpreter's own, where an import fails with them and works without."""
    found = {name: value for name, value in facts.environment.items() if name in FORCEFUL}
    if not (one.isolated and one.isolated.ok and found):
        return None
    names = ", ".join(found)
    return Finding(
        id=f"environment-{next(iter(found)).lower()}" if len(found) == 1 else "environment-variables",
        group="interpreter",
        status="fail",
        title=f"With {names} set, {title(one.id)} does not {'work' if one.step == 'use' else 'import'}",
        found=", ".join(f"{name}={value}" for name, value in found.items())
        + f"; {import_failure.telling_line(one)}",
        expected=f"{names} unset",
        why="Isolated from the variables that change how Python starts, the import works. "
        f"`unset {' '.join(found)}` in the shell that starts the training, and where the shell sets it.",
        source=SEEN,
    )


def gone(one: Import, facts: Facts) -> Finding | None:
    """A package that is recorded as installed, and whose module is nowhere."""
    root = one.root
    if root is None or root.type != "ModuleNotFoundError" or not root.name or "." in root.name:
        return None
    package = facts.installed().get(import_failure.distribution_for(root.name))
    if package is None or (package.tops and root.name not in package.tops):
        return None
    why = "It was installed as a link to a folder of source code, which is gone." if package.editable else ""
    return Finding(
        id=f"half-removed-{package.key}",
        group="packages",
        status="fail",
        title=f"{package.name} {package.version} is recorded, but not there",
        found=f"{package.folder}, and no module {root.name}",
        expected="every file that was installed",
        why=why or "Its files were deleted, or a removal was interrupted.",
        source=SEEN,
        repairs=(Repair(reinstall=(f"{package.name}=={package.version}",)),),
    )


def back_end(one: Import, facts: Facts) -> Finding | None:
    """A package that nothing of the stack asks for, loaded only because it is there, and that does not come to life."""
    root = one.root
    if root is None or _LIBRARY.search(root.message) or one.id not in {trial.id for trial in STACK}:
        return None
    package = _back_end(one, facts)
    if package is None:
        return None
    loader = _loader(package, one, facts)
    missing = _missing_name(one, facts)
    newer = Repair(install=(f"{package.key}>{package.version}",))
    none = Repair(uninstall=(package.key,))
    return Finding(
        id=f"back-end-{package.key}",
        group="packages",
        status="fail",
        title=f"{package.name} {package.version} keeps {title(one.id)} from working",
        found=import_failure.telling_line(one),
        expected=f"no {package.name}, or one that fits what else is installed",
        why=f"{loader} loads {package.name} because it is there; training here does not need it.",
        source=SEEN,
        repairs=((Repair(install=(missing,)),) if missing else ()) + (newer, none),
    )


def _back_end(one: Import, facts: Facts) -> Distribution | None:
    """The package that is not of the stack and whose code failed, that lacks a name, or whose version was refused."""
    matter = closure(facts) | {trial.package for trial in COCKPIT}
    root = one.root
    assert root is not None
    for file in import_failure.frames(one):
        owner = facts.owner(file)
        if owner and owner.key in matter:
            break  # what the stack's own code runs into further out is not what failed
        if owner:
            return owner
    beside = [each for name, each in facts.installed().items() if name not in matter]
    lacking = import_failure.distribution_for(root.name) if root.type == "ImportError" and root.name else ""
    for each in beside:
        named = re.search(rf"\b{re.escape(each.key)}\b", root.message, re.IGNORECASE)
        if each.key == lacking or (named and re.search(rf"\b{re.escape(each.version)}(?!\w)", root.message)):
            return each
    return None


def _loader(package: Distribution, one: Import, facts: Facts) -> str:
    """Who loads it: the innermost other package that the failure runs through."""
    owners = (facts.owner(file) for file in import_failure.frames(one))
    other = next((each for each in owners if each and each.key != package.key), None)
    return f"{other.name} {other.version}" if other else "The training stack"


def missing_package(one: Import, facts: Facts, known: Knowledge) -> Finding | None:
    """A package that is not installed, or of which only an empty folder is left."""
    name = _missing_name(one, facts)
    if name is None:
        return None
    wanted = _asked_for(name, facts)
    return Finding(
        id=f"missing-{name}",
        group="packages",
        status="fail",
        title=f"{name} is not installed",
        found=_remains(one) or import_failure.telling_line(one),
        expected=" and ".join(f"{name}{spec} (for {who})" for who, spec in wanted) or f"{name} installed",
        why=f"{_importer(one, facts)} imports it.",
        source=SEEN,
        repairs=_ways_to_install(name, wanted, facts, known),
    )


def _missing_name(one: Import, facts: Facts) -> str | None:
    root = one.root
    if root is None:
        return None
    installed = facts.installed()
    if root.type == "ModuleNotFoundError" and root.name:
        name = import_failure.distribution_for(root.name)
        return None if name in installed else name
    not_found = _NOT_FOUND[root.type].search(root.message) if root.type in _NOT_FOUND else None
    if not_found and canonical(not_found.group(1)) not in installed:
        return canonical(not_found.group(1))
    if one.is_namespace and import_failure.distribution_for(one.module) not in installed:
        return import_failure.distribution_for(one.module)
    return None


def _remains(one: Import) -> str:
    return f"only an empty folder of it: {one.module} has no __init__.py" if one.is_namespace else ""


def _asked_for(name: str, facts: Facts) -> list[tuple[str, str]]:
    """(who, range) for each installed package of the stack that wants it."""
    found = []
    for key, one in facts.installed().items():
        for text in one.requires:
            wanted = requirement(text)
            plain = wanted is not None and (wanted.marker is None or wanted.marker.evaluate(_markers(facts)))
            if wanted and plain and canonical(wanted.name) == name and key in PACKAGES:
                found.append((key, str(wanted.specifier)))
    return found


def _markers(facts: Facts) -> dict[str, str]:
    return facts.markers | {"extra": ""}


def _ways_to_install(
    name: str, wanted: list[tuple[str, str]], facts: Facts, known: Knowledge
) -> tuple[Repair, ...]:
    """The newest that fits what others ask for, then releases that are known, newest first."""
    spans = list(dict.fromkeys(bound for _, span in wanted for bound in span.split(",") if bound))
    first = name + ",".join(spans)
    releases = [
        version
        for version, release in known.releases.get(name, {}).items()
        if satisfies(facts.python, release.python) and all(satisfies(version, span) for span in spans)
    ]
    return tuple(Repair(install=(text,)) for text in (first, *(f"{name}=={v}" for v in reversed(releases))))


def refused_version(one: Import, facts: Facts) -> Finding | None:
    """A library that looked at another's version and refused it."""
    said = _REFUSED.search(one.root.message) if one.root else None
    wanted = requirement(said.group("wanted").rstrip(",")) if said else None
    if said is None or wanted is None:
        return None
    name = canonical(wanted.name)
    found = facts.installed().get(name)
    who = next(
        (facts.installed()[key] for key in import_failure.involved(one, facts) if key in facts.installed()),
        None,
    )
    version = said.group("found") or (found.version if found else None)
    repairs = ways_to_meet(Unmet(who, wanted, version)) if who else (Repair(install=(str(wanted),)),)
    asker = f"{who.name} {who.version}" if who else title(one.id)
    return Finding(
        id=f"requires-{who.key if who else one.id}-{name}",
        group="packages",
        status="fail",
        title=f"{asker} refuses {name} {version or ''}".rstrip(),
        found=f"{name} {version or 'not installed'}",
        expected=str(wanted),
        why="It checks the version when it is imported. Its advice, to upgrade itself, jumps to the newest release.",
        source=SEEN,
        repairs=repairs,
    )


def missing_name(one: Import, facts: Facts, known: Knowledge) -> Finding | None:
    """A name or a module that the installed release of a package does not have."""
    root = one.root
    if root is None or root.type not in ("ImportError", "ModuleNotFoundError"):
        return None
    if (
        "partially initialized module" in root.message
    ):  # imports in a circle: no release is too old or too new
        return None
    said = _NO_NAME.search(root.message)
    module = said.group("module") if said else (root.name or "")
    provider = facts.installed().get(import_failure.distribution_for(module)) if module else None
    if provider is None or _is_damage(one, provider, facts):
        return None
    what = said.group("name") if said else module
    spans = _ranges(module, root.statement, what, known)
    importer = _importer(one, facts)
    works = f"{provider.name} {' and '.join(spans)}" if spans else f"a {provider.name} that has {what}"
    repairs = (Repair(install=(f"{provider.name}{','.join(spans)}",)),) if spans else ()
    return Finding(
        id=f"no-name-{provider.key}-{what.rpartition('.')[2].lower().replace('_', '-')}",
        group="imports",
        status="fail",
        title=f"{provider.name} {provider.version} has no {what}, which {importer} imports",
        found=f"{provider.name} {provider.version}; {import_failure.telling_line(one)}",
        expected=works,
        why=f"{importer} and {provider.name} {provider.version} do not belong together: "
        f"one is too old or too new for the other. The line is `{root.statement or 'not known'}`."
        + _changed(one),
        source=SEEN,
        repairs=repairs or _either_newer(one, provider, facts),
    )


def _is_damage(one: Import, provider: Distribution, facts: Facts) -> bool:
    """Whether a package lacks the name because its own files are damaged, not because its release has not got it."""
    importer = import_failure.importer(one, facts)
    if importer is None:  # the trial itself asks for what every release of today has
        return one.root is not None and one.root.path in one.changed
    return importer.key == provider.key


def _either_newer(one: Import, provider: Distribution, facts: Facts) -> tuple[Repair, ...]:
    """Where no range is known: a newer provider, else a newer importer."""
    importer = import_failure.importer(one, facts)
    sides = [provider, importer] if importer and importer.key != provider.key else [provider]
    return tuple(Repair(install=(f"{side.name}>{side.version}",)) for side in sides)


def _ranges(module: str, statement: str | None, name: str, known: Knowledge) -> list[str]:
    """Ranges of the provider that have all the names that the failing statement asks for, where they are known."""
    names = [name]
    try:
        for node in ast.walk(ast.parse(statement or "")):
            if isinstance(node, ast.ImportFrom):
                names += [alias.name for alias in node.names]
    except SyntaxError:
        pass
    found = [known.symbol(module, one) for one in dict.fromkeys(names)]
    return list(dict.fromkeys(one.has for one in found if one))


def library(one: Import, facts: Facts) -> Finding | None:
    """A compiled module that cannot be loaded."""
    root = one.root
    if root is None or not _LIBRARY.search(root.message):
        return None
    file = _FILE.search(root.message)
    named = facts.owner(file.group(0)) if file else None
    owner = (named.key, named.version) if named else _owner(one, facts)
    if owner is None:
        return None
    name, version = owner
    newer = Repair(install=(f"{name}>{version}",))
    again = ways_to_renew(name, version, facts)
    return Finding(
        id=f"library-{name}",
        group="imports",
        status="fail",
        title=f"A compiled part of {name} {version} cannot be loaded",
        found=import_failure.telling_line(one),
        expected=f"{name} built for this Python, this system and the packages it was built against",
        why="It was built for another Python, another processor or another release of a library it uses, "
        "or its file is damaged.",
        source=SEEN,
        # the same release would bring the same compiled part
        repairs=(newer, *(one for one in again if one.uninstall)) if _ABI.search(root.message) else again,
    )


def ended(one: Import, facts: Facts) -> Finding | None:
    """An import that ends its process, or does not end."""
    exits = one.root is not None and one.root.type in ("SystemExit", "KeyboardInterrupt")
    if one.root is not None and not exits:
        return None
    owner = _owner(one, facts)
    name = owner[0] if owner else one.id
    label = f"{owner[0]} {owner[1]}" if owner else title(one.id)
    doing = f"{title(one.id)}, in {label}," if one.id in WELL else f"importing {label}"
    doing = doing[0].upper() + doing[1:]
    if one.outcome == "hang":
        word, what = "hangs", f"{doing} does not end"
    elif exits or one.how.startswith("ended"):
        word, what = "exits", f"{doing} ends the whole process"
    else:
        word, what = "crashes", f"{doing} crashes the interpreter"
    return Finding(
        id=f"{word}-{name}",
        group="imports",
        status="fail",
        title=what,
        found=import_failure.telling_line(one),
        expected="an import that returns",
        why=_why_it_ended(word, one) + _changed(one),
        source=SEEN,
        repairs=ways_to_renew(*owner, facts) if owner else (),
    )


def _why_it_ended(word: str, one: Import) -> str:
    if one.how.startswith("wrote"):
        return "It prints without end. The stack says where."
    if word == "hangs":
        return "It waits for something: a network, a lock, a device. The stack says where."
    if "SIGKILL" in one.how:
        return "The system ended it. Too little memory is the usual reason: close what takes it, and check again."
    return "Nothing that loads it can start. A damaged installation is the usual reason."


def unknown(one: Import, facts: Facts) -> Finding:
    """Nothing fits: the failure in its own words."""
    owner = _owner(one, facts)
    label = f"{owner[0]} {owner[1]}" if owner else title(one.id)
    last = one.root.frames[-1] if one.root and one.root.frames else None
    doing = "works" if one.step == "use" else "imports"
    said = f"fails {one.notes['doing']}" if one.notes.get("doing") else f"no longer {doing}"
    return Finding(
        id=f"import-{owner[0] if owner else one.id}",
        group="imports",
        status="fail",
        title=f"{title(one.id)} {said}: {one.root.type if one.root else one.outcome} in {label}",
        found=import_failure.telling_line(one),
        expected=f"{title(one.id)} {doing}",
        why=(f"It happens at {last[0]}:{last[1]}: `{one.root.statement or ''}`." if last and one.root else "")
        + _changed(one)
        + " No known mismatch fits; a fresh installation of the package is the first thing to try.",
        source=SEEN,
        repairs=ways_to_renew(*owner, facts) if owner else (),
    )


def ways_to_renew(name: str, version: str, facts: Facts) -> tuple[Repair, ...]:
    """The same release anew; where the stack does without the package, another release or none will do as well."""
    again = Repair(reinstall=(f"{name}=={version}",))
    if name in closure(facts):
        return (again,)
    return (again, Repair(install=(f"{name}>{version}",)), Repair(uninstall=(name,)))


def _changed(one: Import) -> str:
    """That a file is not as it was installed, where one is."""
    file, said = next(iter(one.changed.items()), ("", ""))
    return f" {file} has {said}." if said else ""


def _owner(one: Import, facts: Facts) -> tuple[str, str] | None:
    """Name and version of the package whose code was running."""
    for file in import_failure.frames(one):
        found = facts.owner(file)
        if found:
            return found.key, found.version
    mine = facts.installed().get(import_failure.distribution_for(one.module))
    return (mine.key, mine.version) if mine else None


def _importer(one: Import, facts: Facts) -> str:
    owner = import_failure.importer(one, facts)
    return f"{owner.name} {owner.version}" if owner else "the training stack"
