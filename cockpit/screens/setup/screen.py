"""The Setup screen: what is wrong with this Python or machine, why, and the key that mends it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from textual.signal import Signal
from textual.widget import Widget

from cockpit.actions.action import Action
from cockpit.actions.common import moved
from cockpit.screens.setup import actions as keys
from cockpit.screens.setup.actions import SETUP_ACTIONS
from cockpit.screens.setup.board import detail_lines, setup_frame, setup_header
from cockpit.screens.setup.checker import Checker
from cockpit.screens.setup.confirm_fix import ConfirmFix
from cockpit.screens.setup.download import BaseModel, BaseModelSource, DownloadWatch
from cockpit.screens.setup.report import report_text, write_report
from cockpit.screens.setup.view import SetupView
from cockpit.screens.shared.base import RunScreen
from cockpit.toolkit.background import Background
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, clean
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Panel
from cockpit.views.setup_state import SetupState
from engine.download.model_download import DEFAULT_REPO
from engine.errors import UserError
from engine.paths import expanded


class Setup(RunScreen[BaseModelSource]):
    """Shows what the app's checker finds, as it finds it, and follows the base model's download."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = SETUP_ACTIONS

    def __init__(
        self,
        checker: Checker,
        changed: Signal[SetupState],
        state: SetupState,
        glyphs: Glyphs,
        poll_seconds: float,
    ) -> None:
        super().__init__(BaseModelSource, glyphs, poll_seconds)
        self._checker = checker
        self._changed = changed
        self.view = SetupView(state)

    def body(self) -> Iterable[Widget]:
        yield Panel(partial(setup_header, self.host.ways), self.glyphs, id="header")
        yield Panel(setup_frame, self.glyphs, id="board")

    def make_background(
        self, open_source: Callable[[], BaseModelSource], poll_seconds: float
    ) -> Background[BaseModelSource]:
        return DownloadWatch(self.post_message, poll_seconds, open_source)

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._follow)
        self._aim(self.view.state)
        self.call_after_refresh(self._draw)

    def known(self) -> SetupView:
        return self.view

    def draw(self) -> None:
        for panel in self.query(Panel):
            panel.show(self.view)

    def back_out(self) -> bool:
        view = self.view
        if not (view.output_open or view.words):
            return False
        self._show(output_open=False, words="" if not view.output_open else view.words)
        return True

    def carry_out(self, action: Action[Any]) -> None:
        view = self.view
        place = moved(action, view.selected, len(view.listed))
        if place is not None:
            self._show(chosen=view.listed[place].id)
        elif action is keys.MEND:
            self._ask_mend(view)
        elif action is keys.UNDO:
            self._ask_undo()
        elif action is keys.AGAIN:
            self._checker.again()
        elif action is keys.TRY:
            self._checker.try_device()
        elif action is keys.DOWNLOAD:
            self._download()
        elif action is keys.COPY and view.shown is not None:
            self.host.copy_text("\n".join(shlex.join(command) for command in view.shown.fix))
        elif action is keys.REPORT:
            preset = time.strftime("setup-%Y%m%d-%H%M%S.txt")
            self.app.push_screen(Prompt("Write the report to", preset, "writes"), self._write)
        elif action is keys.SEARCH:
            self.app.push_screen(Prompt("Only findings with", view.words, "filters"), self._searched)
        elif action is keys.OUTPUT:
            self._show(output_open=not view.output_open)
        elif action is keys.READ and view.shown is not None:
            self.app.push_screen(
                Reading(clean(view.shown.title), lambda width: self._detail(view, width), self.glyphs)
            )

    def _detail(self, view: SetupView, width: int) -> Frame:
        return [[(" ", "text"), *line] for line in detail_lines(view, width - 2, self.glyphs)]

    def _show(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)
        self._draw()

    def _follow(self, state: SetupState) -> None:
        """Take over what the checker says; what came of a mend is told once."""
        before = self.view.state
        if (state.python, state.config) != (before.python, before.config):
            self._aim(state)
        opened = self.view.output_open or (state.doing == "fixing" and before.doing != "fixing")
        done = before.doing == "fixing" and state.doing != "fixing"
        self._show(state=state, output_open=opened and not done)
        if state.news and state.news != before.news:
            self.app.notify(
                state.news, severity="error" if state.worse else "information", timeout=8, markup=False
            )
            if state.worse and self.is_current:
                self._ask_undo(unasked=True)

    def arrived(self, state: BaseModel) -> None:
        """Take over how the download stands; once it has ended, what is there is looked at again."""
        before, now = self.view.base, state.download
        self.view = replace(self.view, base=state)
        if before.live and before.directory == state.directory and now is not None and not now.live:
            well = now.state == "finished"
            text = (
                f"the base model is here: {now.message}"
                if well
                else f"the download {now.state}: {now.message}"
            )
            severity: Literal["information", "warning"] = "information" if well else "warning"
            self.app.notify(clean(text), severity=severity, timeout=8, markup=False)
            config = self.view.state.config
            self._checker.check(Path(config) if config else None)

    def _aim(self, state: SetupState) -> None:
        if state.python:
            config = Path(state.config) if state.config else None
            self.background.do(lambda source: source.aim(config))

    def _download(self) -> None:
        if self.view.base.live:
            self.background.do(lambda source: source.end())
            return
        self.app.push_screen(
            Confirm(keys.DOWNLOAD, download_question(self.view.base)),
            lambda yes: self.background.do(lambda source: source.begin()) if yes else None,
        )

    def _ask_mend(self, view: SetupView) -> None:
        """What is done is the plan that was shown, whatever has been found meanwhile."""
        plan = view.plan
        if plan is not None:
            self.app.push_screen(
                ConfirmFix(view, self.glyphs), lambda yes: self._checker.mend(plan) if yes else None
            )

    def _ask_undo(self, unasked: bool = False) -> None:
        self.app.push_screen(
            Confirm(keys.UNDO, undo_question(self.view.state), unasked),
            lambda yes: self._checker.undo() if yes else None,
        )

    def _searched(self, words: str | None) -> None:
        if words is not None:
            self._show(words=words)

    def _write(self, name: str | None) -> None:
        if not name:
            return
        try:
            path = expanded(name)
            write_report(path, report_text(self.view.state, time.time()))
        except UserError as error:
            self.say(str(error))
        else:
            self.app.notify(f"written to {path.absolute()}, readable by you alone", markup=False, timeout=6)


def download_question(base: BaseModel) -> tuple[str, ...]:
    """What is fetched, and where to."""
    size = " (15 GB)" if base.repo == DEFAULT_REPO else ""
    return (
        clean(f"{base.repo}{size}")[:58],
        "into",
        clean(str(base.directory))[-58:],
        "What is there already is kept.",
    )


def undo_question(state: SetupState) -> tuple[str, ...]:
    """What is put back, and what got worse if anything did."""
    worse = [clean(title)[:52] for title in state.worse[:3]]
    lines = ["Since the fix this fails:", *worse, ""] if worse else []
    names = ", ".join(state.undoable)
    return (
        *lines,
        "These return as they were, file by file:",
        clean(names if len(names) <= 54 else f"{len(state.undoable)} packages"),
    )
