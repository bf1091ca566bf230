"""Every screen as it stands at two sizes, dark, light and in ASCII, compared with files that can be read.

A file holds the lines of the screen and under them how each is painted: stretches as letter and length, letters
explained at the end. Run with CXR_WRITE_SNAPSHOTS=1 to write the files anew, then read what git says changed.
"""

from __future__ import annotations

import itertools
import os
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.style import Style
from textual.strip import Strip

from cockpit.app import CockpitApp
from cockpit.screens.data import facts as data_facts
from cockpit.screens.data.state import Counted, DataState, Films, Lengths
from cockpit.screens.log.state import LogLine, LogState
from cockpit.screens.runs.state import RunCurves, RunRow, RunsState
from cockpit.screens.samples.source import cases_of, with_blanks
from cockpit.screens.samples.state import SampleBook, writers_of
from cockpit.screens.start.offers import Offers
from cockpit.toolkit.charts.curves import StageCurve
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.graphics.film import Thumbnail
from cockpit.views.run_summary import RunSummary
from cockpit.views.setup_state import SetupState
from engine.data.curriculum import Sample, complete_labels
from engine.runs.aftermath import Aftermath
from engine.runs.layout import RunPaths
from engine.runs.store.rows import GeneratedSample
from engine.setup_check.finding import Finding
from engine.setup_check.fix.plan import Change, Plan

HERE = Path(__file__).parent / "snapshots"
WRITE = "CXR_WRITE_SNAPSHOTS"
SIZES = [(80, 24), (120, 40)]
LOOKS = {"dark": ("dark", UNICODE), "light": ("light", UNICODE), "ascii": ("dark", ASCII)}
NOON = 946_728_000.0
"""Of the first day of 2000, in every time zone that day."""
BRIEF = RunSummary("night-run-3", "training")
FILM = Thumbnail(24, 30, bytes((x * 9 + y * 5) % 256 for y in range(30) for x in range(24)))


@dataclass
class Told:
    """A source of which every look gives the same; what else it is asked for is in `answers`."""

    state: Any
    answers: dict[str, Any] = field(default_factory=dict)
    unfinished = False

    def read(self) -> Any:
        return self.state

    def close(self) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_arguments: self.answers.get(name)


# --- what is shown --------------------------------------------------------------------------------------------


def a_book() -> SampleBook:
    def row(case: int, step: int, stage: str, purpose: str = "case") -> GeneratedSample:
        stage_a = stage == "stage_a"
        report = "Moderate right pleural effusion with adjacent atelectasis. No pneumothorax."
        truth = "Moderate right pleural effusion with compressive atelectasis. Mild cardiomegaly."
        if not stage_a:
            report += "\nICD: I50.9 Heart failure, unspecified; J90 Pleural effusion"
            truth += "\nICD: I50.9 Heart failure, unspecified; N17.9 Acute kidney failure, unspecified"
        return GeneratedSample(
            stage=stage,
            step=step,
            checkpoint=f"{stage}-{step:06d}",
            split="val",
            purpose=purpose,
            case=f"s5000{case:04d}",
            image=f"{case}.png",
            prompt="Write the impression."
            if stage_a
            else "70-year-old man. Creatinine 2.4 (0.5-1.2).\nReason.",
            reference=truth + ("\nCheXpert: Pleural Effusion, Cardiomegaly" if stage_a else ""),
            generated=report + ("\nCheXpert: Pleural Effusion, Edema" if stage_a else ""),
            labels={"Pleural Effusion": 1, "Edema": 1} if stage_a else None,
            labels_reference=complete_labels({"Pleural Effusion": 1, "Cardiomegaly": 1}) if stage_a else None,
            icd=None if stage_a else ["10:I509", "10:J90"],
            icd_reference=None if stage_a else ["10:I509", "10:N179"],
            scores={
                "label_f1" if stage_a else "icd_f1": (case * 13 % 10 + step / 200) / 12,
                "rouge_l": 0.62,
            },
        )

    wanted = [(case, step, "stage_a") for case in range(1, 5) for step in (100, 200, 332)]
    wanted += [(case, step, "stage_b") for case in range(5, 20) for step in (100, 200)]
    cases = cases_of(row(*one) for one in wanted)
    cases = with_blanks(cases, (row(case, 200, "stage_b", "baseline:blank_image") for case in range(5, 20)))
    return SampleBook(BRIEF, cases, writers_of(cases))


def a_curriculum() -> DataState:
    samples = tuple(
        Sample(
            id=f"s5000{number:04d}-{'b' if number % 3 else 'a'}",
            subject_id=f"p1000{number // 2:04d}",
            study_id=f"s5000{number:04d}",
            stage="stage_b" if number % 3 else "stage_a",
            image=f"{number}.png",
            prompt="70-year-old man. Creatinine 2.4 (0.5-1.2).\nReason."
            if number % 3
            else "Write the impression.",
            target="Failure.\nICD: I50.9 Heart failure" if number % 3 else "Small effusion.\nCheXpert: Edema",
            labels=complete_labels({"Edema": int(number % 4 == 0), "Pleural Effusion": int(number % 3 == 0)}),
            ehr=None,
            icd=("10:I509",) if number % 3 else (),
            split="val" if number // 2 % 5 == 0 else "train",
        )
        for number in range(60)
    )
    counts = tuple((number, 3 + number * 7 % 11) for number in range(8, 22))
    return DataState(
        BRIEF,
        data_facts.inventory(samples, {"images": 60, "train": 48, "validation": 20}),
        data_facts.prevalences(samples),
        Lengths(320, 16, counts, 60, 60, 350, "s50000007-b", 3),
        Films(60, 60, missing=("17.png",)),
        samples,
    )


def some_runs(curves: tuple[StageCurve, ...]) -> RunsState:
    rows = (
        RunRow(
            "night-run-3",
            "training",
            False,
            "stage_b",
            300,
            618,
            0.96,
            (0.72, None),
            3912.0,
            41_000_000,
            3,
            0,
        ),
        RunRow(
            "rank-8", "finished", False, "stage_b", 618, 618, 0.81, (0.74, 0.42), 7300.0, 61_000_000, 2, NOON
        ),
        RunRow(
            "warmup-long", "crashed", False, "stage_a", 41, 332, 2.4, (None, None), 61.0, 900_000, 0, NOON
        ),
        RunRow("tried-once", "holding", True, "stage_a", 12, 332, 3.1, (), 31.0, 90_000, 0, NOON),
        RunRow("from-elsewhere", trouble="run.db has version 9, this cxr-cockpit reads up to 1"),
    )
    return RunsState(BRIEF, rows, (RunCurves("night-run-3", curves),))


def a_log() -> LogState:
    said = [
        ("info", f"stage_b step {step} loss {2.4 - step / 500:.3f} lr 9.10e-05 12.1 samples/s")
        for step in range(10, 160, 10)
    ]
    said[7] = ("warning", "loss jumped from 0.91 to 1.74 \x1b[31mred?\x1b[0m [bold]bold?[/]")
    said += [("error", "the engine failed"), ("error", "RuntimeError: MPS backend out of memory")]
    lines = tuple(
        LogLine(f"2026-11-23 02:14:{second:02d} {level.upper():<7} {text}", level)
        for second, (level, text) in enumerate(said)
    )
    return LogState(
        RunSummary("night-run-3", "crashed"),
        lines,
        total=len(lines),
        every=len(lines),
        selected=len(lines) - 2,
        errors=2,
        following=False,
        error="RuntimeError: MPS backend out of memory",
        advice="The device ran out of memory: a smaller micro-batch, or shorter samples, make it fit.",
    )


def a_setup() -> SetupState:
    peft = Finding(
        "peft-transformers",
        "packages",
        "fail",
        "peft 0.17.1 cannot be imported",
        found="transformers 4.41.0",
        expected="4.44.0 and later, below 5",
        why="`EncoderDecoderCache` appeared in 4.43.0",
        consequences=("peft, LoRA and both stages do not start",),
        source="peft#2292",
        fix=(("/env/bin/python", "-m", "pip", "install", "transformers>=4.47,<5"),),
    )
    colours = Finding(
        "terminal-colours", "terminal", "warn", "16 colours: TERM=screen inside tmux", found="TERM=screen"
    )
    well = (
        ("interpreter", "interpreter", "Python 3.11.7 on x86_64"),
        ("disk", "project", "310 GB free, 41 are needed"),
        ("curriculum", "project", "10,142 samples, no patient on both sides"),
    )
    findings = (peft, colours, *(Finding(id, group, "ok", title) for id, group, title in well))
    change = Change("transformers", "4.41.0", "4.57.6")
    plan = Plan(peft.fix, (change,), (), frozenset({peft.id}), "a dry run")
    return SetupState("/env/bin/python", "3.11.7", findings=findings, plan=plan, plans={peft.id: plan})


def an_app(kit: ModuleType, look: str, run: bool = True) -> CockpitApp:
    state = kit.a_state()
    samples = Told(a_book(), {"film": FILM})
    data = Told(a_curriculum(), {"film": FILM, "counted": Counted(100, 131, 24)})
    sources = {
        "flight": lambda _paths: kit.FakeSource(state),
        "samples": lambda _paths: samples,
        "data": lambda _paths: data,
        "runs": lambda _paths: Told(some_runs(state.curves)),
        "log": lambda _paths: Told(a_log()),
        "alerts": lambda _paths: kit.FakeWatch(),
    }
    offers = Offers(kit.refuse, lambda _path: kit.refuse(), lambda: "2 cores   7.8 GiB memory")
    theme, glyphs = LOOKS[look]
    paths = RunPaths(Path("night-run-3")) if run else None
    return CockpitApp(paths, sources, offers, glyphs, theme, poll_seconds=3600)


# --- what is compared -----------------------------------------------------------------------------------------


def snapshot(strips: Iterable[Strip]) -> str:
    """Lines, then their paint."""
    letters: dict[str, str] = {}
    names = itertools.chain(string.ascii_letters, string.digits)
    lines, paints = [], []
    for strip in strips:
        lines.append(strip.text.rstrip())
        runs = itertools.groupby(
            (paint_of(segment.style), segment.cell_length) for segment in strip if segment.cell_length
        )
        stretches: list[tuple[str, int]] = []
        for (paint, length), again in runs:
            letter = letters.get(paint) or letters.setdefault(paint, next(names, "?"))
            width = length * len(list(again))
            if stretches and stretches[-1][0] == letter:
                width += stretches.pop()[1]
            stretches.append((letter, width))
        paints.append(" ".join(f"{letter}{width}" for letter, width in stretches))
    legend = [f"{letter} = {paint}" for paint, letter in letters.items()]
    return "\n".join([*lines, "", *paints, "", *legend]) + "\n"


def paint_of(style: Style | None) -> str:
    """Colours and attributes; what a picture is painted with is not worth a letter a cell."""
    if style is None:
        return "plain"
    words = [name for name in ("bold", "underline", "reverse") if getattr(style, name)]
    ink, paper = (colour.name if colour else "-" for colour in (style.color, style.bgcolor))
    if is_picture_grey(ink) and is_picture_grey(paper):
        return "picture"
    return " ".join([ink, "on", paper, *words])


def is_picture_grey(name: str) -> bool:
    return len(name) == 7 and name[1:3] == name[3:5] == name[5:7]


def compare(name: str, strips: Iterable[Strip]) -> None:
    path, now = HERE / f"{name}.txt", snapshot(strips)
    if os.environ.get(WRITE):
        HERE.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    assert now == before, (
        f"{path.name} differs: if it is meant to, run with {WRITE}=1 and read the difference"
    )


SCREENS: dict[str, tuple[tuple[str, ...], str]] = {
    "flight": ((), "300"),
    "samples": (("2",), "s50000"),
    "film": (("2", "z"), "zoom"),
    "data": (("4",), "inventory"),
    "curriculum": (("4", "b"), "supervised"),
    "runs": (("5",), "rank-8"),
    "log": (("6",), "out of memory"),
    "zoom": (("z",), "B step 300"),
    "help": (("question_mark",), "ctrl+p finds"),
}
"""Name: the keys that lead there, and words that are seen once it is drawn."""


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_screen(kit: ModuleType, look: str, size: tuple[int, int]) -> None:
    app = an_app(kit, look)
    different = []
    async with app.run_test(size=size) as pilot:
        for name, (keys, words) in SCREENS.items():
            await pilot.press("escape", "escape", "1", *keys)
            await kit.until(pilot, lambda words=words: words in kit.shown(app))
            if name in ("samples", "film", "curriculum"):
                await kit.until(pilot, lambda: bool(app.screen.view.film))
            await pilot.pause()
            try:
                compare(f"{name}-{size[0]}x{size[1]}-{look}", app.screen._compositor.render_strips())
            except AssertionError as error:
                different.append(str(error).split("\n", 1)[0])
    assert not different, "\n".join(different)


@pytest.mark.parametrize("look", LOOKS)
async def test_the_start_screen(kit: ModuleType, look: str) -> None:
    app = an_app(kit, look, run=False)
    async with app.run_test(size=SIZES[0]) as pilot:
        await kit.until(pilot, lambda: "2 cores" in kit.shown(app))
        compare(f"start-80x24-{look}", app.screen._compositor.render_strips())


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_setup_with_something_to_mend(kit: ModuleType, look: str, size: tuple[int, int]) -> None:
    app = an_app(kit, look)
    app.setup = a_setup()
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await kit.until(pilot, lambda: "cannot be imported" in kit.shown(app))
        await kit.until(pilot, lambda: "b download" in kit.shown(app))  # read on a thread of its own
        await pilot.pause()
        compare(f"setup-{size[0]}x{size[1]}-{look}", app.screen._compositor.render_strips())


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_flight_after_a_crash(kit: ModuleType, look: str, size: tuple[int, int]) -> None:
    after = Aftermath(
        "the memory that the GPU may use was not enough",
        "a smaller batch_size with more accumulation takes less and trains the same",
        (),
        "checkpoint stage_b-000200, step 200 of 618; the 100 steps after it are trained again",
        "cxr-cockpit resume night-run-3",
    )
    state = kit.a_state(state="crashed", error="RuntimeError: MPS backend out of memory", aftermath=after)
    theme, glyphs = LOOKS[look]
    app = kit.app_on(kit.FakeSource(state), glyphs=glyphs, theme=theme)
    async with app.run_test(size=size) as pilot:
        await kit.until(pilot, lambda: "the GPU may use" in kit.shown(app))
        await pilot.pause()
        compare(f"crashed-{size[0]}x{size[1]}-{look}", app.screen._compositor.render_strips())
