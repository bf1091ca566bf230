"""Carrying a plan out: keep what will change, run the commands in the open, note what came of it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.child import end
from engine.errors import UserError
from engine.setup_check.fix import snapshot
from engine.setup_check.fix.installer import find_installer, last_words
from engine.setup_check.fix.pip_settings import PipSettings
from engine.setup_check.fix.plan import Plan
from engine.setup_check.fix.snapshot import Snapshot
from engine.setup_check.probe.facts import Facts

LOOK_SECONDS = 0.05


def apply_plan(plan: Plan, facts: Facts, say: Callable[[str], None]) -> tuple[bool, Snapshot]:
    """Run the plan's commands, every line of their output to `say`; stops at the first that fails.

    Returns whether all went well, and the snapshot to undo it with.
    """
    names = [one.name for one in plan.changes]
    paths = [*plan.removes, *(path for path, _ in plan.moves)]
    kept = snapshot.take(facts, names, paths, plan.commands, plan.moves)
    well = True
    environment = _environment(plan, facts)
    for command in plan.commands:
        lines: list[str] = []

        def tell(line: str, lines: list[str] = lines) -> None:
            lines.append(line)
            say(line)

        if _run(command, tell, Path(kept.folder) / "output.log", environment) != 0:
            say(f"it ended with: {last_words(chr(10).join(lines)) or 'no word'}")
            well = False
            break
    snapshot.finish(kept)
    return well, kept


def undo_last(prefix: str) -> tuple[Snapshot, int]:
    """Take the last fix of an environment back. UserError if there is none."""
    last = snapshot.newest(prefix)
    if last is None:
        raise UserError(f"{prefix}: no fix of this environment to undo")
    return last, snapshot.undo(last)


def _environment(plan: Plan, facts: Facts) -> dict[str, str]:
    """Variables that lead nothing of the fix elsewhere; what pip needs to reach packages stays."""
    installer = find_installer(facts) if any("pip" in command for command in plan.commands) else None
    settings = installer.heard(os.environ).settings if installer else PipSettings()
    return settings.environment(os.environ)


def _run(
    command: tuple[str, ...],
    say: Callable[[str], None],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run one command. Its output goes through a file, so that it comes to its end though nobody listens any more."""
    with log.open("ab") as writing, log.open(encoding="utf-8", errors="replace") as reading:
        log.chmod(0o600)
        reading.seek(0, 2)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            rest = ""
            while True:
                ended = process.poll() is not None
                *lines, rest = (rest + reading.read()).split("\n")
                for line in lines:
                    say(line)
                if ended:
                    break
                time.sleep(LOOK_SECONDS)
        except BaseException:  # somebody asked for the end
            end(process)
            raise
    if rest:
        say(rest)
    return process.returncode
