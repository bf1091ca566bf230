"""Which findings a command fixes, and which command: the plan for all that fails, and each finding's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.setup_check.finding import Finding
from engine.setup_check.fix.plan import Plan
from engine.setup_check.fix.planner import Planner
from engine.setup_check.probe.facts import Facts
from engine.setup_check.rules.knowledge import Knowledge
from engine.setup_check.versions import canonical, requirement


def new_environment(facts: Facts, known: Knowledge) -> tuple[tuple[str, ...], ...]:
    """Commands that make a virtual environment with a tested set beside the working folder."""
    wanted = known.tested_set(facts.python)
    if not wanted:
        return ()
    place = os.path.join(str(facts.folder.get("path") or os.getcwd()), ".venv-training")
    python = os.path.join(place, "bin", "python")
    return ((facts.executable, "-I", "-m", "venv", place), (python, "-I", "-m", "pip", "install", *wanted))


def _why_not_here(facts: Facts, planner: Planner | None) -> str:
    """Why nothing can be installed into this Python itself; empty if it can."""
    if planner is None:
        return "no pip reaches this Python"
    if facts.start.get("managed"):
        return "the system owns this Python"
    place = str(facts.start.get("purelib", ""))
    if os.path.isdir(place) and not os.access(place, os.W_OK):
        return f"{place} cannot be written"
    return ""


@dataclass(frozen=True, slots=True)
class Fixes:
    """Findings with their commands, the plan that fixes all that fails, if there is one, and each finding's own."""

    findings: list[Finding]
    plan: Plan | None
    plans: dict[str, Plan]


def with_fixes(findings: Sequence[Finding], planner: Planner | None, facts: Facts, known: Knowledge) -> Fixes:
    """The findings with their commands, and the plan for all that fails.

    Findings whose repairs were merged show the same commands: one of them alone might undo another.
    """
    fails = [one for one in findings if one.status == "fail" and one.repairs]
    made = new_environment(facts, known)
    reason = _why_not_here(facts, planner)
    if reason or planner is None:
        why = f"a virtual environment: {reason}"
        anew = Plan(made, (), (), frozenset(one.id for one in fails), why)
        plans = {one.id: anew for one in fails if made}
        return _fixes(findings, anew if plans else None, plans)
    omitted = [one for one in findings if one.status == "warn" and one.id.startswith("missing-")]
    main = (planner.plan([*fails, *omitted]) if omitted else None) or planner.plan(fails)
    plans = {}
    for one in fails:
        mine = main if main and one.id in main.fixes else planner.plan([one])
        if mine:
            plans[one.id] = mine
        elif made:
            plans[one.id] = Plan(made, (), (), frozenset([one.id]), "a set that was tested together")
    main = main or next((plan for plan in plans.values() if plan.commands != made), None)
    for one in findings:
        if one.status != "warn" or not one.repairs:
            continue
        if main and (one.id in main.fixes or _also_fixed(one, main)):
            plans[one.id] = main
        elif not fails:
            alone = planner.plan([one])
            if alone:
                plans[one.id] = alone
    if planner.refusal:
        findings = [
            replace(one, why=f"{one.why} pip refuses: {planner.refusal}")
            if one.repairs
            and one.status == "fail"
            and (one.id not in plans or plans[one.id].commands == made)
            else one
            for one in findings
        ]
    return _fixes(findings, main, plans)


def _fixes(findings: Sequence[Finding], main: Plan | None, plans: dict[str, Plan]) -> Fixes:
    return Fixes(
        [_with(one, plans[one.id].commands) if one.id in plans else one for one in findings], main, plans
    )


def as_given(finding: Finding) -> Plan:
    """The plan of a finding whose commands are fixed: they touch no package."""
    removes = [
        word for command in finding.fix if command[0] == "rm" for word in command if os.path.isabs(word)
    ]
    return Plan(finding.fix, (), tuple(removes), frozenset([finding.id]), "nothing is installed")


def _also_fixed(finding: Finding, plan: Plan) -> bool:
    """Whether the plan brings every package of one of the finding's repairs into its range."""
    after = {change.name: change.after for change in plan.changes}
    for repair in finding.repairs:
        wanted = [requirement(text) for text in repair.install]
        if wanted and all(
            one is not None
            and one.specifier.contains(after.get(canonical(one.name)) or "0", prereleases=True)
            for one in wanted
        ):
            return True
    return False


def _with(finding: Finding, fix: tuple[tuple[str, ...], ...]) -> Finding:
    return replace(finding, fix=fix)
