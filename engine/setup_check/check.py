"""The whole check, as a stream: findings come as soon as they are known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.config import RunConfig
from engine.setup_check.finding import Finding, worst_first
from engine.setup_check.fix.fixes import with_fixes
from engine.setup_check.fix.installer import Resolver, find_installer
from engine.setup_check.fix.pip_settings import astray_finding
from engine.setup_check.fix.plan import Plan
from engine.setup_check.fix.planner import Planner
from engine.setup_check.probe.device_trial import RESTS_ON, Part, not_tried, try_device
from engine.setup_check.probe.facts import Facts
from engine.setup_check.probe.target import IMPORT_SECONDS, Target, ask
from engine.setup_check.rules.diagnose import COCKPIT_PACKAGE, package_findings, working
from engine.setup_check.rules.interpreter import interpreter_findings
from engine.setup_check.rules.knowledge import knowledge
from engine.setup_check.rules.machine import device_findings, machine_findings
from engine.setup_check.rules.project import project_findings, read_config, runs_findings
from engine.setup_check.rules.terminal import look_at_terminal


@dataclass(slots=True)
class Check:
    """One check of one interpreter. Iterate `run` for findings as they come; the rest is filled on the way."""

    target: Target
    config: Path | None = None
    runs: Path = Path("runs")
    seconds: float = IMPORT_SECONDS
    trial: bool = False
    """Whether to try the device when all else is told: the configured one, else the one that a run would take."""
    trying: Callable[[Part], None] = lambda part: None
    """Told each part of that trial as it begins."""
    nice: int = 0
    """How far the imports step back behind other work."""
    both: bool = False
    """Whether every import is tried isolated as well: after a fix, which must hold without what lies outside."""
    known: Facts | None = None
    """What an earlier check saw of the interpreter; with it, only what surrounds it is looked at anew."""
    resolver: Resolver | None = None
    """Stands in for pip's dry run, for tests."""
    facts: Facts = field(default_factory=Facts)
    plan: Plan | None = None
    plans: dict[str, Plan] = field(default_factory=dict)
    """For each finding that can be fixed, what does it."""
    _config: RunConfig | None = None
    _findings: dict[str, Finding] = field(default_factory=dict)

    def run(self) -> Iterator[Finding]:
        """Findings as they become known. One that comes again with the same id replaces the earlier one:
        failing ones come first without, then with the command that fixes them. Closing the iterator ends the probe.
        """
        for finding in self._all():
            if self._findings.get(finding.id) != finding:
                self._findings[finding.id] = finding
                yield finding

    @property
    def findings(self) -> list[Finding]:
        """What is known so far, worst first."""
        return worst_first(list(self._findings.values()))

    @property
    def ok(self) -> bool:
        return not any(one.status == "fail" for one in self._findings.values())

    @property
    def fails(self) -> set[str]:
        return {one.id for one in self._findings.values() if one.status == "fail"}

    def worse_than(self, before: Check) -> list[str]:
        """What fails here and did not in the check before: findings, then trials that fail isolated."""
        alone = self.facts.broken_alone() - before.facts.broken_alone()
        told = {one for one in self.facts.imports if not self.facts.imports[one].ok}
        return [*sorted(self.fails - before.fails), *(f"{one}, isolated" for one in sorted(alone - told))]

    def as_json(self) -> dict[str, Any]:
        return {
            "python": self.target.executable,
            "platform": self.facts.interpreter.get("platform"),
            "ok": self.ok,
            "findings": [one.as_json() for one in self.findings],
        }

    def _all(self) -> Iterator[Finding]:
        self.facts = Facts(own=self.target.own)
        if not self.target.can_be_probed:
            yield _too_old(self.target)
            return
        if self.known is None:
            yield from self._interpreter()
        else:
            self.facts = self.known
            yield from interpreter_findings(self.facts)
            yield from self._surroundings()
            yield from (working(one, self.facts) for one in self.facts.imports.values() if one.ok)
        found = package_findings(self.facts, knowledge(), _cockpit_requires())
        found += [one for one in interpreter_findings(self.facts) if one.repairs]
        yield from found
        if self._config is not None:
            yield from device_findings(self._config, self.facts)
        planner = (
            self._planner() if any(one.repairs and one.status in ("fail", "warn") for one in found) else None
        )
        if planner is not None:
            in_the_way = astray_finding(planner.installer.settings)
            yield from [in_the_way] if in_the_way else []
        fixes = with_fixes(found, planner, self.facts, knowledge())
        self.plan = fixes.plan
        self.plans = fixes.plans
        yield from (one for one in fixes.findings if one.fix)
        if self.trial:
            yield from self._trial()

    def _interpreter(self) -> Iterator[Finding]:
        for part, value in ask(self.target, self.seconds, self.nice, self.both):
            self.facts.take(part, value)
            if part == "environment":
                yield from interpreter_findings(self.facts)
                # the interpreter is looked into in the other process; these cost little here
                yield from self._surroundings()
            elif part == "start":
                yield from interpreter_findings(self.facts)
            elif part == "imports" and self.facts.imports[value["id"]].ok:
                yield working(self.facts.imports[value["id"]], self.facts)

    def _trial(self) -> Iterator[Finding]:
        """The device, if it is there and the packages that it takes to try it work."""
        device = self._config.model.device if self._config else "auto"
        groups = {self._findings[name].group for name in self.fails}
        if groups & RESTS_ON or f"device-{device}" in self.fails:
            yield not_tried()
            return
        for said in try_device(self.runs, device):
            if isinstance(said, Part):
                self.trying(said)
            else:
                yield said

    def _surroundings(self) -> Iterator[Finding]:
        if not self.target.own and self.config is None:
            yield from machine_findings(None, self.runs)
            return
        yield from look_at_terminal()
        if self.config is not None:
            self._config, finding = read_config(self.config)
            yield finding
        yield from machine_findings(self._config, self.runs)
        if self._config is None:
            yield from runs_findings(self.runs)
        else:
            yield from project_findings(self._config, self.runs)

    def _planner(self) -> Planner | None:
        installer = find_installer(self.facts)
        if installer is None:
            return None
        return Planner(self.facts, knowledge(), installer.heard(os.environ), self.resolver)


def _cockpit_requires() -> list[str]:
    """What cxr-cockpit declares; nothing where it runs from a bare checkout."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        return [text for text in requires(COCKPIT_PACKAGE) or [] if "extra ==" not in text]
    except PackageNotFoundError:
        return []


def _too_old(target: Target) -> Finding:
    version = ".".join(str(number) for number in target.version)
    return Finding(
        id="python-too-old",
        group="interpreter",
        status="fail",
        title=f"Python {version} is too old to be looked into",
        found=f"{target.executable}: Python {version}",
        expected="Python 3.8 at least, 3.11 for what is current",
        why="No release of the training stack from the last years runs on it.",
        source="wheel: Requires-Python of torch, transformers and peft",
    )
