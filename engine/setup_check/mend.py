"""Carrying a plan out: keep what will change, run the commands in the open, note what came of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from engine.errors import UserError
from engine.setup_check import snapshot
from engine.setup_check.facts import Facts
from engine.setup_check.plan import Plan
from engine.setup_check.snapshot import Snapshot


def carry_out(plan: Plan, facts: Facts, say: Callable[[str], None]) -> tuple[bool, Snapshot]:
    """Run the plan's commands, every line of their output to `say`; stops at the first that fails.

    Returns whether all went well, and the snapshot to undo it with.
    """
    kept = snapshot.take(facts, [one.name for one in plan.changes], plan.removes, plan.commands)
    well = True
    for command in plan.commands:
        if _run(command, say) != 0:
            well = False
            break
    snapshot.finish(kept)
    return well, kept


def undo_last(prefix: str) -> tuple[Snapshot, int]:
    """Take the last mend of an environment back. UserError if there is none."""
    last = snapshot.newest(prefix)
    if last is None:
        raise UserError(f"{prefix}: no mend of this environment to undo")
    return last, snapshot.undo(last)


def _run(command: tuple[str, ...], say: Callable[[str], None]) -> int:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            say(line.rstrip())
    return process.wait()
