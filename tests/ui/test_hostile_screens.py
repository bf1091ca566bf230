"""Texts that want to be obeyed, or to break the rows: every screen shows them as text, at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from PIL import Image
from rich.cells import cell_len

from cockpit.app import CockpitApp
from cockpit.screens.shared.help import Help
from cockpit.toolkit.modals.reading import Reading
from engine.data.curriculum import Sample, complete_labels, write_curriculum
from engine.runs.layout import RunPaths, create_run
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import GeneratedSample

ORDERS = "\x1b]0;owned\x07\x1b[2J\x9b31m [bold red]markup[/] [@click=app.quit]x[/] \b\b\x7f\x0b\u2028"
WIDE = (
    "\u65e5\u672c\U0001f468\u200d\U0001f469\u2764\ufe0f\U0001f44d\U0001f3fd \u202egnirts\u202c \u05d0\u05d1"
)
TEXTS = {
    "orders": ORDERS,
    "widths": f"{WIDE} e" + "\u0301" * 5000 + f" \u3164\uffa0 {WIDE}",
    "a word without end": f"{ORDERS}{'x' * 300_000}",
    "words without end": f"{ORDERS} {'effusion no ' * 30_000}",
}
OBEYED = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


@pytest.fixture
def hostile(tmp_path: Path) -> Callable[[str], RunPaths]:
    """A run in which whatever can hold a text holds that one."""

    def write(text: str) -> RunPaths:
        Image.new("L", (40, 50)).save(tmp_path / "one.png")
        short = text[:60]
        sample = Sample(
            id=short,
            subject_id=short,
            study_id=short,
            stage="stage_a",
            image="one.png",
            prompt=text,
            target=text,
            labels=complete_labels({"Edema": 1}),
            ehr=None,
            icd=(),
            split="train",
        )
        others = [replace(sample, id=f"{short} {number}", image=f"{short}.png") for number in range(3)]
        write_curriculum(tmp_path / "curriculum.jsonl", [sample, *others])
        paths = create_run(tmp_path / "runs", "night")
        told = {"data": {"image_root": str(tmp_path), "curriculum": str(tmp_path / "curriculum.jsonl")}}
        paths.config.write_text(yaml.safe_dump(told | {"note": short}))
        paths.log.write_text(
            f"2026-11-23 02:14:07 ERROR   {text}\nRuntimeError: {text}\n", errors="replace", encoding="utf-8"
        )
        with open_writer(paths) as writer:
            writer.open_attempt()
            writer.plan([{"stage": "stage_a", "steps": 40, "epochs": 1, "bar": 2.0, "title": text}])
            writer.begin_attempt("stage_a", 0, {"device": short})
            writer.state("training")
            for step in range(1, 9):
                writer.scalars("stage_a", step, {"train/loss": 2.0})
            writer.progress("stage_a", 8, 40, note=text)
            writer.event("alert", text, level="warn", stage="stage_a", step=3)
            for case in ("one.png", text):
                writer.sample(_row(case, text))
            writer.event("error", text, level="error")
            writer.state("failed", text)
        return paths

    return write


def _row(image: str, text: str) -> GeneratedSample:
    return GeneratedSample(
        stage="stage_a",
        step=8,
        checkpoint=None,
        split="val",
        purpose="case",
        case=f"{len(image)} {text}",
        image=image,
        prompt=text,
        reference=f"{text[::-1]}\nCheXpert: Edema",
        generated=f"{text}\nCheXpert: Edema",
        labels={"Edema": 1},
        labels_reference={"Edema": 1},
        icd=None,
        icd_reference=None,
        scores={text[:20]: 1.0},
    )


def rows_are_text(app: CockpitApp) -> None:
    """Every row is as wide as the screen and holds nothing that is obeyed, neither by a terminal nor by Textual."""
    width = app.screen.size.width
    for strip in app.screen._compositor.render_strips():
        assert strip.cell_length == width and cell_len(strip.text) == width, strip.text
        assert not [char for char in strip.text if unicodedata.category(char) in OBEYED], ascii(strip.text)
        assert not [segment for segment in strip if segment.style and "@click" in segment.style.meta]


@pytest.mark.parametrize(("name", "size"), list(zip(TEXTS, [(80, 24), (120, 40)] * 2, strict=True)))
async def test_every_screen_shows_it_as_text(
    kit: ModuleType, hostile: Callable[[str], RunPaths], name: str, size: tuple[int, int]
) -> None:
    app = kit.app_on_run(hostile(TEXTS[name]))
    async with app.run_test(size=size, notifications=True) as pilot:
        for key, words in (
            ("1", " safe "),
            ("2", "worst first"),
            ("4", "inventory"),
            ("5", "night"),
            ("6", "ERROR"),
        ):
            await pilot.press("escape", "escape", key)
            await kit.until(pilot, lambda words=words: words in kit.shown(app))
            rows_are_text(app)
            if key in "246":
                await pilot.press(*("b", "enter") if key == "4" else ("enter",))
                await kit.until(pilot, lambda: isinstance(app.screen, Reading))
                await pilot.pause()
                rows_are_text(app)
                await pilot.press("escape")
        await pilot.press("1", "a")
        await pilot.pause()
        rows_are_text(app)
        await pilot.press("escape", "question_mark")
        await kit.until(pilot, lambda: isinstance(app.screen, Help))
        rows_are_text(app)
