"""A finding and a plan as plain lines, for the terminal and for a report."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.words.printable import one_line

if TYPE_CHECKING:
    from engine.setup_check.finding import Finding
    from engine.setup_check.fix.plan import Plan

MARKS = {"ok": "✔ ok  ", "info": "· info", "warn": "! warn", "fail": "✖ fail"}
WIDTH = 100


def finding_line(finding: Finding) -> str:
    """The finding in a line."""
    return f"{MARKS[finding.status]}  {one_line(finding.title)}"


def finding_block(finding: Finding) -> Iterable[str]:
    """All that is known of the finding; its commands on one line each, to be copied."""
    yield finding_line(finding)
    for label, text in finding_texts(finding):
        yield from _wrapped(label, text)
    for command in finding.fix:
        yield f"        {'fix':<9}{one_line(shlex.join(command))}"


def finding_texts(finding: Finding) -> Iterable[tuple[str, str]]:
    """What is known of a finding besides its commands: (label, text)."""
    texts = (
        ("found", finding.found),
        ("expected", finding.expected),
        ("why", finding.why),
        *(("leads to", text) for text in finding.consequences),
        ("source", finding.source),
    )
    return ((label, text) for label, text in texts if text)


def plan_lines(plan: Plan) -> Iterable[str]:
    """What a plan would run and change, and what shows that the result fits together."""
    yield "would run:"
    yield from (f"  {shlex.join(command)}" for command in plan.commands)
    if plan.changes:
        yield "would change:"
    yield from (f"  {change}" for change in change_words(plan))
    yield proof_words(plan)


def change_words(plan: Plan) -> list[str]:
    """`transformers 4.41.0 → 4.57.6`, one a package."""
    return [
        f"{one.name} {one.before or 'new'} "
        + ("again" if one.after == one.before else f"→ {one.after or 'removed'}")
        for one in plan.changes
    ]


def proof_words(plan: Plan) -> str:
    return f"shown to fit together by {plan.proof}" if plan.changes else plan.proof


def _wrapped(label: str, text: str) -> Iterable[str]:
    lines = textwrap.wrap(one_line(text), WIDTH - 17, break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"        {label if number == 0 else '':<9}{line}"
