"""The Runs screen: every run, their curves over each other, and what can be done with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.message import Message
from textual.widget import Widget

from cockpit.actions.action import Action
from cockpit.actions.common import moved
from cockpit.launch.again import start_again
from cockpit.screens.runs import actions as keys
from cockpit.screens.runs import changes as runs_changes
from cockpit.screens.runs.actions import RUNS_ACTIONS
from cockpit.screens.runs.changes import Difference
from cockpit.screens.runs.overlay import Overlay, OverlayData
from cockpit.screens.runs.runs_table import runs_frame
from cockpit.screens.runs.source import RunsSource
from cockpit.screens.runs.state import RunRow, RunsChoice, RunsState, RunsView
from cockpit.screens.shared.base import RunScreen
from cockpit.screens.shared.host import ShowRun
from cockpit.screens.shared.run_header import RunHeader
from cockpit.toolkit.background import Answered
from cockpit.toolkit.figures import size_words
from cockpit.toolkit.glyphs import Glyphs
from cockpit.toolkit.lines import Frame, clean, cut
from cockpit.toolkit.modals.confirm import Confirm
from cockpit.toolkit.modals.prompt import Prompt
from cockpit.toolkit.modals.reading import Reading
from cockpit.toolkit.panels import Panel
from cockpit.views.header import header_of
from cockpit.views.metrics import LOSS, TRENDS
from cockpit.views.run_summary import RunSummary
from engine.runs.layout import RunPaths
from engine.runs.trash import DAYS, TRASH, to_trash
from engine.words.durations import duration


class Compared(Message):
    """What two runs were told differently."""

    def __init__(self, first: str, second: str, differences: list[Difference]) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.differences = differences


class Replaced(Message):
    """A run bears another name now, or is gone."""

    def __init__(self, old: RunPaths, new: RunPaths | None, told: str = "") -> None:
        super().__init__()
        self.old = old
        self.new = new
        self.told = told


class Runs(RunScreen[RunsSource]):
    """The table above, the curves below."""

    ACTIONS: ClassVar[tuple[Action[Any], ...]] = RUNS_ACTIONS

    def __init__(
        self,
        paths: RunPaths,
        open_source: Callable[[], RunsSource],
        glyphs: Glyphs,
        poll_seconds: float,
        clock: Callable[[], float] = time.time,
        choice: RunsChoice | None = None,
    ) -> None:
        """`choice` is what was chosen on such a screen before."""
        super().__init__(open_source, glyphs, poll_seconds)
        self._clock = clock
        self._chosen = paths.name
        self._choice = choice or RunsChoice()
        self.view = RunsView(RunsState(RunSummary(paths.name)), marked=self._choice.marked)

    def body(self) -> Iterable[Widget]:
        yield RunHeader(header_of("runs", self.host.ways), self.glyphs, id="header")
        yield Panel(runs_frame, self.glyphs, id="table")
        yield Overlay(self.glyphs, id="overlay")

    def known(self) -> RunsView:
        return self.view

    def arrived(self, state: Any) -> None:
        names = [row.name for row in state.rows]
        selected = (
            names.index(self._chosen)
            if self._chosen in names
            else min(self.view.selected, max(0, len(names) - 1))
        )
        marked = tuple(name for name in self.view.marked if name in names)
        self._choice.marked = marked
        drawn = self.view.drawn
        self.view = RunsView(state, selected, marked)
        if self.view.drawn != drawn or not state.curves:
            self._want_curves()

    def draw(self) -> None:
        summary = replace(self.view.state.summary, trouble=self.trouble, alerts=self.alert_count)
        view = replace(self.view, state=replace(self.view.state, summary=summary), now=self._clock())
        self.query_one("#header", Panel).show(summary)
        table = self.query_one("#table", Panel)
        table.styles.height = min(len(view.state.rows) + 2, max(6, self.size.height * 2 // 5))
        table.show(view)
        chart = self._choice.chart
        known = (curves for curves in self.view.state.curves if curves.metric == chart.metric)
        by_name = {curves.run: curves for curves in known}
        drawn = tuple(by_name[name] for name in self.view.drawn if name in by_name)
        if len(drawn) == len(self.view.drawn):  # until they are read, the ones before stay
            self.query_one(Overlay).show(OverlayData(drawn, bool(self.view.marked), chart.metric, chart.log))

    def back_out(self) -> bool:
        if not self.view.marked:
            return False
        self._change(marked=())
        return True

    def carry_out(self, action: Action[Any]) -> None:
        row = self.view.row
        place = moved(action, self.view.selected, len(self.view.state.rows))
        if place is not None:
            self._select(place)
        elif row is None:
            self.say("there is no run")
        elif action is keys.OPEN:
            name = row.name
            self.background.do(lambda source: ShowRun(source.paths(name)))
        elif action is keys.MARK:
            marked = self.view.marked
            known = row.name in marked
            self._change(
                marked=tuple(one for one in marked if one != row.name) if known else (*marked, row.name)
            )
        elif action is keys.COMPARE:
            self._compare()
        elif action is keys.SCALE:
            self._choice.chart.log = not self._choice.chart.log
            self._draw()
        elif action is keys.METRIC:
            self._choice.chart.next_metric([LOSS, *TRENDS])
            self._want_curves()
        elif action is keys.RESUME:
            name = row.name
            self.start_engine(action, name, lambda: self._resume(name))
        elif action is keys.RENAME:
            self.app.push_screen(
                Prompt(f"Another name for {clean(row.name)}", row.name, "renames"),
                lambda name: self._rename(row.name, name),
            )
        else:
            self._ask_deletion(action, row)

    def _select(self, place: int) -> None:
        self._chosen = self.view.state.rows[place].name
        self._change(selected=place)

    def _change(self, **changes: Any) -> None:
        drawn = self.view.drawn
        self.view = replace(self.view, **changes)
        self._choice.marked = self.view.marked
        if self.view.drawn != drawn:
            self._want_curves()
        self._draw()

    def _want_curves(self) -> None:
        names, metric = self.view.drawn, self._choice.chart.metric

        def job(source: RunsSource) -> None:
            source.draw(names, metric)

        self.background.do(job)

    def _compare(self) -> None:
        pair = self.view.compared
        if pair is not None:
            first, second = pair
            self.background.do(
                lambda source: Compared(
                    first,
                    second,
                    runs_changes.differences(source.paths(first), source.paths(second)),
                )
            )

    def _resume(self, name: str) -> None:
        def job(source: RunsSource) -> Message:
            return Answered(True, f"{name}: {start_again(source.paths(name))}")

        self.background.do(job)

    def _rename(self, old: str, new: str | None) -> None:
        if new and new != old:
            self._chosen = new

            def job(source: RunsSource) -> Message:
                paths = source.paths(old)
                return Replaced(paths, runs_changes.rename(paths, new))

            self.background.do(job)

    def _ask_deletion(self, action: Action[Any], row: RunRow) -> None:
        """A run of little work goes at once; for another its name is typed, and it stays for some days."""
        if is_little(row):
            self.app.push_screen(
                Confirm(action, deletion_question(row)), lambda yes: self._delete(row.name) if yes else None
            )
            return
        name = clean(row.name)

        def refuse(text: str) -> str:
            return "" if text == name else f"{clean(text)} is not {name}: nothing is deleted"

        self.app.push_screen(
            Prompt(f"Type {name} to delete it", does="deletes", told=trash_words(row), refuse=refuse),
            lambda text: self._discard(row.name) if text else None,
        )

    def _discard(self, name: str) -> None:
        def job(source: RunsSource) -> Message:
            paths = source.paths(name)
            place = to_trash(paths, runs_changes.RETRY_SECONDS)
            return Replaced(paths, None, clean(f"{name} lies in {place} for {DAYS} days"))

        self.background.do(job)

    def _delete(self, name: str) -> None:
        def job(source: RunsSource) -> Message:
            paths = source.paths(name)
            runs_changes.delete(paths)
            return Replaced(paths, None)

        self.background.do(job)

    @on(Compared)
    def _compared(self, message: Compared) -> None:
        if not message.differences:
            self.app.notify("both were told the same", markup=False)
            return
        self.app.push_screen(
            Reading(
                "What the configurations set differently",
                lambda width: difference_lines(message, width, self.glyphs),
                self.glyphs,
            )
        )

    @on(Replaced)
    def _replaced(self, message: Replaced) -> None:
        if message.told:
            self.app.notify(message.told, timeout=10, markup=False)
        self.host.run_replaced(message.old, message.new)


LITTLE_SECONDS = 3600.0
"""Work that is done again without a sigh."""


def is_little(row: RunRow) -> bool:
    """Whether engines have worked on the run for an hour at most, as far as is known; a link is none of it."""
    return row.linked or (row.seconds is not None and row.seconds <= LITTLE_SECONDS)


def deletion_question(row: RunRow) -> tuple[str, ...]:
    """What is lost."""
    if row.linked:
        return (f"{clean(row.name)} is a link: the link goes,", "the run that it points to stays as it is.")
    return (f"{_measure(row)},", "is deleted. It cannot be brought back.")


def trash_words(row: RunRow) -> tuple[str, ...]:
    """What it is, and what becomes of it."""
    took = f"{duration(row.seconds)} of work" if row.seconds is not None else "nobody knows how much work"
    return (
        f"{_measure(row)}: {took}.",
        f"It is moved to {TRASH} among the runs, and is gone for good after {DAYS} days.",
    )


def _measure(row: RunRow) -> str:
    noun = "checkpoint" if row.checkpoints == 1 else "checkpoints"
    return f"{clean(row.name)}, {size_words(row.bytes)} with {row.checkpoints} {noun}"


def difference_lines(message: Compared, width: int, glyphs: Glyphs) -> Frame:
    """Key, value here, value there."""
    key_width = min(max(len(key) for key, _, _ in message.differences), width // 2)
    room = max(4, (width - key_width - 8) // 2)

    def cell(text: str) -> str:
        return f"{cut(clean(text), room, glyphs.ellipsis):<{room}}"

    frame: Frame = [
        [(f"  {'':<{key_width}}  {cell(message.first)}  {cell(message.second)}", "dim")],
    ]
    for key, left, right in message.differences:
        frame.append(
            [
                (f"  {cut(clean(key), key_width, glyphs.ellipsis):<{key_width}}  ", "text"),
                (f"{cell(left or '-')}  ", "accent"),
                (cell(right or "-"), "warn"),
            ]
        )
    return frame
