"""Findings about the interpreter itself: which it is, how it starts, what is in its way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.setup_check.finding import SEEN, Finding, Repair
from engine.setup_check.probe.facts import Facts
from engine.setup_check.versions import satisfies

OLDEST_FOR_COCKPIT = "3.11"
# Variables that change what an import does.
FORCEFUL = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONPLATLIBDIR", "PYTHONDEVMODE",
    "PYTHONMALLOC", "PYTHONCASEOK", "PYTHONIOENCODING", "PYTHONINTMAXSTRDIGITS")  # fmt: skip


def interpreter_findings(facts: Facts) -> Iterator[Finding]:
    """All that can be said before a package was looked at."""
    about = facts.interpreter
    yield Finding(
        id="interpreter",
        group="interpreter",
        status="ok",
        title=f"Python {facts.python} on {about.get('machine', '?')}, {about.get('platform', facts.system)}",
        found=facts.executable,
        source=SEEN,
    )
    if about.get("implementation", "cpython") != "cpython":
        yield Finding(
            id="not-cpython",
            group="interpreter",
            status="fail",
            title=f"{about['implementation']} is not CPython",
            found=str(about.get("full_version", "")),
            expected="CPython",
            why="torch has wheels for CPython only.",
            source="wheel: torch",
        )
    if about.get("bits", 64) != 64:
        yield Finding(
            id="interpreter-32-bit",
            group="interpreter",
            status="fail",
            title="A 32-bit Python cannot load torch",
            found="32 bit",
            expected="64 bit",
            why="There are no 32-bit wheels of torch.",
            source="wheel: torch",
        )
    if not facts.own and not satisfies(facts.python, f">={OLDEST_FOR_COCKPIT}"):
        yield Finding(
            id="interpreter-for-cockpit",
            group="interpreter",
            status="info",
            title=f"cxr-cockpit itself needs Python {OLDEST_FOR_COCKPIT}",
            found=facts.python,
            expected=f">={OLDEST_FOR_COCKPIT}",
            why="This interpreter is judged as a training stack; the cockpit runs in its own.",
            source="metadata of cxr-cockpit",
        )
    yield from _start(facts)
    yield from _environment(facts)


def _start(facts: Facts) -> Iterator[Finding]:
    start = facts.start
    if start.get("error"):
        by_itself = bool(start.get("isolated"))
        names = _start_variables(facts) if by_itself else {}
        lines = str(start.get("stderr", "")).strip().splitlines()
        fatal = next((line for line in lines if line.startswith("Fatal Python error")), "")
        yield Finding(
            id="interpreter-start",
            group="interpreter",
            status="fail",
            title=f"With {', '.join(names)} set, this Python does not start"
            if names
            else "This Python does not start as the trainer starts it",
            found=f"{_settings(names)}{start['error']}: {fatal or (lines[-1] if lines else 'it says nothing')}"[
                :600
            ],
            expected=f"{', '.join(names)} unset" if names else "an interpreter that starts",
            why=_why_only_isolated(names) if by_itself else _why_no_start(start.get("culprits", ())),
            source=SEEN,
            repairs=(Repair(aside=tuple(start["culprits"])),) if start.get("culprits") else (),
        )
    elif "Error processing line" in str(start.get("stderr", "")):
        line = next(one for one in start["stderr"].splitlines() if "Error processing line" in one)
        yield Finding(
            id="broken-pth",
            group="interpreter",
            status="warn",
            title="A .pth file of this environment cannot be processed",
            found=line.strip(),
            expected="no such message",
            why="What the file should have put on the path is not there.",
            source=SEEN,
        )
    custom = re.search(r"^Error in (site|user)customize.*$", str(start.get("stderr", "")), re.MULTILINE)
    if custom and not start.get("error"):
        yield Finding(
            id=f"broken-{custom.group(1)}customize",
            group="interpreter",
            status="warn",
            title=f"The {custom.group(1)}customize of this Python raises an error",
            found=custom.group(0).strip()[:400],
            expected="no such message",
            why="It runs at every start of the interpreter; what it should have set up is not there.",
            source=SEEN,
        )
    if start.get("managed"):
        yield Finding(
            id="externally-managed",
            group="interpreter",
            status="info",
            title="The system's package manager owns this Python",
            found=str(start.get("stdlib", "")),
            expected="a virtual environment",
            why="pip installs nothing here (PEP 668), and what the system updates, it changes under a run.",
            source="cited: PEP 668",
        )


def _start_variables(facts: Facts) -> dict[str, str]:
    """The variables that keep a Python from starting which starts isolated: those that its last words name, else
    PYTHONHOME, which moves its library, else all that are set."""
    found = {name: value for name, value in facts.environment.items() if name.startswith("PYTHON") and value}
    said = str(facts.start.get("stderr", "")) if facts.start.get("error") else ""
    named = {name: value for name, value in found.items() if re.search(rf"\b{name}\b(?! =)", said)}
    home = {name: value for name, value in found.items() if name == "PYTHONHOME"}
    return named or home or {name: value for name, value in found.items() if name in FORCEFUL}


def _settings(names: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}; " for name, value in names.items())


def _why_only_isolated(names: Mapping[str, str]) -> str:
    if not names:
        return (
            "Isolated from the working folder and the user's own site folder it starts: "
            "what runs at the start there, a sitecustomize, usercustomize or .pth file, keeps it from starting."
        )
    return (
        "Without them it starts, and that is how everything else here was looked at. "
        f"`unset {' '.join(names)}` in the shell that starts the training, and where the shell sets it."
    )


def _why_no_start(culprits: Sequence[str]) -> str:
    if culprits:
        names = " and ".join(Path(file).name for file in culprits)
        return f"{names} runs at every start of the interpreter, before any program does, and does not let it start."
    return (
        "Something that runs before any program does fails: sitecustomize, a .pth file, "
        "or what PYTHONPATH and PYTHONHOME point to."
    )


def _environment(facts: Facts) -> Iterator[Finding]:
    path = facts.environment.get("PYTHONPATH")
    if path:
        yield Finding(
            id="pythonpath-set",
            group="interpreter",
            status="info",
            title="PYTHONPATH is set",
            found=path,
            expected="unset",
            why="What lies there is imported before what is installed.",
            source=SEEN,
        )
    user = str(facts.start.get("user_site", ""))
    if user and facts.start.get("user_site_used"):
        names = sorted({one.key for one in facts.distributions if one.place == user})
        if names:
            yield Finding(
                id="user-site",
                group="interpreter",
                status="info",
                title=f"{len(names)} packages come from the user's own site folder",
                found=f"{user}: {', '.join(names[:6])}",
                expected="a virtual environment",
                why="They go before those of the interpreter, in every environment that is not virtual.",
                source=SEEN,
            )
