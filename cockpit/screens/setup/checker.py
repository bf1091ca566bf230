"""Checks, mends and undoes for the app, one after the other, on a thread of its own.

It begins when the app has been painted and lives as long as it, whichever screen is seen. What it finds is told
as whole states. The imports run in other processes that step back behind whatever else the machine does.
"""

from __future__ import annotations

import gc
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

from cockpit.screens.setup import actions as keys
from cockpit.views.setup_state import SetupState

if TYPE_CHECKING:
    from engine.setup_check.check import Check
    from engine.setup_check.fix.plan import Plan
    from engine.setup_check.probe.facts import Facts

NICE = 10
PATIENCE = 3
"""Times as long as the command waits for an import: at low priority beside a training, all takes longer."""
LINES_KEPT = 2000

MakeCheck = Callable[[Path | None, "Facts | None"], "Check"]
"""A check of a configuration; with facts, the interpreter is not asked again."""


class SetupChanged(Message):
    """This is what is known of the setup now."""

    def __init__(self, state: SetupState) -> None:
        super().__init__()
        self.state = state

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SetupChanged)


class Checker(threading.Thread):
    """A daemon: it never keeps the process from ending. `tell` is called on this thread."""

    def __init__(
        self,
        make: MakeCheck,
        tell: Callable[[SetupState], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name="setup check", daemon=True)
        self._make = make
        self._tell = tell
        self._clock = clock
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._state = SetupState()
        self._config: Path | None = None
        self._facts: Facts | None = None

    def check(self, config: Path | None) -> None:
        """Look at everything, or only at what another configuration changes if the rest is known."""
        self._jobs.put(lambda: self._check(config, self._facts))

    def again(self) -> None:
        """Look at everything anew."""
        self._jobs.put(lambda: self._check(self._config, None))

    def try_device(self) -> None:
        """Look at what surrounds the interpreter anew, then try the device."""
        self._jobs.put(lambda: self._check(self._config, self._facts, trial=True))

    def mend(self, plan: Plan) -> None:
        """Carry a plan out, then check again."""
        self._jobs.put(lambda: self._mend(plan))

    def undo(self) -> None:
        """Take the last mend back, then check again."""
        self._jobs.put(self._undo)

    def close(self) -> None:
        """End the thread after what it is at; it does not wait."""
        self._jobs.put(None)

    def run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # whatever a damaged environment raises is shown; the app lives on
                self._set(doing="", part="", trouble=str(error) or type(error).__name__)

    def _set(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)
        self._tell(self._state)

    def _check(
        self, config: Path | None, known: Facts | None, trial: bool = False, both: bool = False
    ) -> None:
        check = self._make(config, known)
        check.both = both
        # what is loaded stays: passing over it again and again would hold keys back for a third of a second
        gc.freeze()
        check.trial = trial
        check.trying = lambda part: self._set(part=f"{part.number}/{part.total} {part.text}")
        self._config = config
        self._set(
            python=check.target.executable,
            config=str(config or ""),
            findings=(),
            before=self._state.fails,
            doing="checking",
            plan=None,
            plans={},
            trouble="",
        )
        for _ in check.run():
            self._set(findings=tuple(check.findings), version=check.facts.python)
        self._facts = check.facts
        self._set(
            findings=tuple(check.findings),
            doing="",
            part="",
            checked=self._clock(),
            plan=check.plan,
            plans=check.plans | _given(check),
            undoable=_undoable(check.facts),
        )

    def _mend(self, plan: Plan) -> None:
        from engine.setup_check.fix.apply import apply_plan

        if self._facts is None:
            return
        before = {one.id for one in self._state.fails}
        alone_before = self._facts.broken_alone()
        self._set(doing="fixing", output=(), news="", worse=())
        well, _ = apply_plan(plan, self._facts, self._say)
        self._check(self._config, None, both=True)
        worse = tuple(one.title for one in self._state.fails if one.id not in before)
        alone = self._facts.broken_alone() - alone_before if not worse else set()
        worse += tuple(f"{name} fails where nothing from outside helps it" for name in sorted(alone))
        self._set(news=_outcome(well, len(self._state.fails), bool(worse)), worse=worse)

    def _undo(self) -> None:
        from engine.setup_check.fix.apply import undo_last

        if self._facts is None:
            return
        self._set(doing="undoing", output=(), news="", worse=())
        _, count = undo_last(str(self._facts.start["prefix"]))
        self._check(self._config, None)
        self._set(news=f"{count} files are as they were before the fix")

    def _say(self, line: str) -> None:
        self._set(output=(*self._state.output, line)[-LINES_KEPT:])


def _outcome(well: bool, fails: int, worse: bool) -> str:
    if worse:
        return f"the fix made something worse; {keys.UNDO.key_name} takes it back"
    if not well:
        return (
            f"a command of the fix failed, {keys.OUTPUT.key_name} shows it; "
            f"{keys.UNDO.key_name} takes back what it changed"
        )
    return "fixed: nothing fails" if not fails else f"done; {fails} still to fix"


def _given(check: Check) -> dict[str, Plan]:
    """Plans of the findings that come with their commands."""
    from engine.setup_check.fix.fixes import as_given

    return {one.id: as_given(one) for one in check.findings if one.fix and one.id not in check.plans}


def _undoable(facts: Facts) -> tuple[str, ...]:
    from engine.setup_check.fix.snapshot import newest

    prefix = facts.start.get("prefix")
    last = newest(str(prefix)) if prefix else None
    return tuple(last.what) if last else ()


def checks_on(runs: Path) -> MakeCheck:
    """Checks of the Python that the cockpit and its engines run in."""

    def make(config: Path | None, known: Facts | None) -> Check:
        from engine.setup_check.check import Check
        from engine.setup_check.probe.target import IMPORT_SECONDS, find_target

        return Check(
            find_target(None), config, runs, seconds=PATIENCE * IMPORT_SECONDS, nice=NICE, known=known
        )

    return make
