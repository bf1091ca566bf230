"""The Data screen on a small curriculum, and the pure functions behind it."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from PIL import Image

from cockpit.actions.action import keys_that_work
from cockpit.screens.data import actions as keys
from cockpit.screens.data import facts as data_facts
from cockpit.screens.data.actions import DATA_ACTIONS
from cockpit.screens.data.browser import browser_frame, data_text
from cockpit.screens.data.overview import bar_rows, lengths_lines, overview_frame, shares_lines
from cockpit.screens.data.screen import Data
from cockpit.screens.data.source import DataSource
from cockpit.screens.data.state import Counted, DataState, DataView, Films, Lengths, Share
from cockpit.screens.data.token_counts import encoder_of
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.key_bar import keys_line
from cockpit.toolkit.lines import Frame, width_of
from cockpit.views.run_summary import RunSummary
from engine.config import BUNDLED_BASE
from engine.data.curriculum import Sample, complete_labels, write_curriculum
from engine.errors import UserError
from engine.runs.layout import RunPaths

SIZES = [(80, 24), (120, 40), (200, 60)]


def sample(number: int, split: str = "train", stage: str = "stage_a", **changes: object) -> Sample:
    stage_a = stage == "stage_a"
    made = Sample(
        id=f"s{number}-{stage[-1]}",
        subject_id=f"p{number}",
        study_id=f"s{number}",
        stage=stage,
        image=f"{number}.png",
        prompt="Write the impression." if stage_a else "Clinical context: 70 M. Reason.",
        target="Small effusion.\nCheXpert: Edema" if stage_a else "Failure.\nICD: I50.9 Heart failure",
        labels=complete_labels({"Edema": 1 if number % 2 else 0, "Fracture": -1}),
        ehr=None,
        icd=() if stage_a else ("10:I509",),
        split=split,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def four() -> list[Sample]:
    return [sample(1), sample(2), sample(3, stage="stage_b"), sample(4, "val")]


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


def verdicts(samples: list[Sample], **expected: int) -> dict[str, str]:
    return {fact.name: fact.verdict for fact in data_facts.inventory(samples, expected)}


def test_counts_are_held_against_what_is_expected() -> None:
    found = verdicts(four(), images=4, train=3, validation=2)
    assert (found["images"], found["train"], found["validation"]) == ("ok", "ok", "bad")
    assert verdicts(four())["train"] == ""


def test_a_patient_on_both_sides_is_found() -> None:
    assert verdicts(four())["overlap"] == "ok"
    shared = [*four(), sample(5, "val", subject_id="p1")]
    assert verdicts(shared)["overlap"] == "bad"
    assert "1 patient, e.g. p1" in next(
        fact.found for fact in data_facts.inventory(shared, {}) if fact.name == "overlap"
    )


def test_prevalence_counts_positives_only() -> None:
    shares = {share.label: share for share in data_facts.prevalences(four())}
    assert shares["Edema"].train == pytest.approx(2 / 3) and shares["Edema"].validation == 0.0
    assert shares["Fracture"].train == 0.0
    assert data_facts.prevalences([sample(1)])[0].validation is None


def test_parts_and_words_choose_samples() -> None:
    assert data_facts.parts(four())[0] == (("", ""), 4)
    assert [one.id for one in data_facts.listed(four(), ("stage_a", "train"), "")] == ["s1-a", "s2-a"]
    assert [one.id for one in data_facts.listed(four(), ("", ""), "HEART")] == ["s3-b"]


def test_lengths_are_those_the_engine_trains_on() -> None:
    encoder = encoder_of(BUNDLED_BASE)
    assert encoder.image_tokens == 100
    ids, labels = encoder.training("Write the impression.", "Small effusion.")
    from cockpit.screens.data.token_counts import counted

    tokens = counted(encoder, "Write the impression.", "Small effusion.")
    assert tokens.prompt + tokens.answer == len(ids)
    assert tokens.answer == sum(label != -100 for label in labels)


def test_a_model_without_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        encoder_of(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="cannot be read as a model"):
        encoder_of(tmp_path)


@pytest.mark.parametrize("height", [1, 3])
def test_a_bar_above_zero_is_never_invisible(height: int) -> None:
    rows = bar_rows([0, 1, 1000], height, UNICODE)
    assert len(rows) == height and rows[-1][0] == " " and rows[-1][1] != " " and rows[0][2] == "█"
    assert bar_rows([0, 0], 2, ASCII) == ["  ", "  "]


def test_the_limit_is_drawn_into_the_histogram() -> None:
    lengths = Lengths(100, 16, ((2, 5), (7, 1)), 6, 6, 115, "s1", 1)
    frame = lengths_lines(lengths, 60, 6, UNICODE)
    assert "limit 100" in text(frame) and "1 over the limit of 100: refused" in text(frame)
    assert any(role == "bad" and part.strip() for line in frame[1:] for part, role in line)


def test_the_histogram_has_two_axes_and_begins_where_its_samples_do() -> None:
    lengths = Lengths(800, 16, ((40, 500), (41, 1000), (45, 20)), 1520, 1520, 730, "s1", 0)
    lines = text(lengths_lines(lengths, 60, 10, UNICODE)).splitlines()
    assert lines[0].startswith("samples by tokens")
    assert lines[1].startswith("1,000┤") and lines[-1].startswith("    0└640 ")
    assert "500┤" in "".join(lines[2:-1]), "a tick half way"
    assert "limit 800" in lines[-1]
    first = min(line.index("█") for line in lines[1:-1] if "█" in line)
    assert first == 6, "the first bar stands at the axis"


def test_missing_films_have_their_key_in_a_narrow_footer() -> None:
    state = DataState(RunSummary("n"), samples=tuple(four()), films=Films(5, 5, ("a.png",), True, 3, ()))
    shown = keys_line(keys_that_work(DATA_ACTIONS, DataView(state, listed=tuple(four()))), 80)
    assert ("m", "key") in shown


def test_bars_of_both_sides_have_one_scale() -> None:
    frame = shares_lines((Share("Edema", 0.5, 0.25),), 60, UNICODE)
    full, half = (part for part, role in frame[1] if role == "accent")
    assert len(full) == pytest.approx(2 * len(half), abs=1)


@pytest.mark.parametrize("size", [(60, 16), (80, 20), (120, 36), (200, 56), (8, 3)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_both_views_fit_and_obey_nothing(size: tuple[int, int], glyphs) -> None:
    bad = sample(9, id="s\x1b[2J", prompt="[red]\x1b]0;x\x07 " * 90, target="\x07boo\nICD: I50.9")
    state = DataState(
        RunSummary("n"),
        data_facts.inventory([*four(), bad], {"train": 10**9}),
        data_facts.prevalences(four()),
        Lengths(100, 16, ((2, 5),), 5, 6, 45),
        Films(5, 5, ("a.png",), True, 3, ()),
        (*four(), bad),
    )
    view = DataView(state, True, listed=(bad, *four()), film="no such image", counted=Counted(100, 150, 20))
    for frame in (
        overview_frame(state, *size, glyphs),
        browser_frame(view, *size, glyphs),
        data_text(bad, size[0], glyphs),
    ):
        assert "\x1b" not in text(frame) and "\x07" not in text(frame)
        if size[0] >= 60:
            assert all(width_of(line) <= size[0] for line in frame)


def test_masked_is_dim_and_supervised_is_bright() -> None:
    view = DataView(
        DataState(RunSummary("n"), samples=(sample(1),)), True, listed=(sample(1),), counted=Counted(7, 9, 3)
    )
    frame = browser_frame(view, 120, 36, UNICODE)
    roles = {part: role for line in frame for part, role in line}
    assert roles["[INST] <image> ×7 Write the impression. [/INST]"] == "dim"
    assert roles["Small effusion."] == "strong" and roles["CheXpert: Edema </s>"] == "strong"
    assert "12 tokens" in text(frame) and "9 masked, 3 supervised" in text(frame)


@pytest.fixture
def run(record, tmp_path: Path) -> RunPaths:
    paths: RunPaths = record()
    write_curriculum(tmp_path / "curriculum.jsonl", four())
    for number in (1, 2, 3):
        Image.linear_gradient("L").resize((40, 50)).save(tmp_path / "images" / f"{number}.png")
    (tmp_path / "images" / "2.png").write_bytes(b"no picture")
    config = {
        "data": {
            "curriculum": str(tmp_path / "curriculum.jsonl"),
            "image_root": str(tmp_path / "images"),
            "max_length": 512,
            "expected": {"train": 3, "validation": 2, "images": None},
        },
        "model": {"base": "bundled"},
    }
    paths.config.write_text(yaml.safe_dump(config))
    return paths


def finished(source: DataSource) -> DataState:
    for _ in range(100):
        state = source.read()
        if not source.unfinished:
            return state
    raise AssertionError("never finished")


def test_the_source_measures_all_and_finds_what_is_missing(run: RunPaths) -> None:
    source = DataSource(run)
    state = finished(source)
    assert state.lengths.measured == 4 and state.lengths.longest > 100 and state.lengths.over == 0
    assert state.films.missing == ("4.png",) and not state.films.decoding
    source.decode_films()
    films = finished(source).films
    assert films.decoded == 4 and [line.split(":")[0] for line in films.damaged] == ["2.png", "4.png"]


def test_work_is_done_in_slices(run: RunPaths) -> None:
    """A clock that runs away lets every look do little; the looks together do all."""
    ticks = itertools.count()
    source = DataSource(run, clock=lambda: float(next(ticks)))
    first = source.read()
    assert first.films.looked == 1 and source.unfinished


def test_another_curriculum_is_read_anew(run: RunPaths, tmp_path: Path) -> None:
    source = DataSource(run)
    first = finished(source)
    assert source.read().samples is first.samples
    write_curriculum(tmp_path / "curriculum.jsonl", four()[:3])
    assert len(finished(source).samples) == 3


@pytest.mark.parametrize("content", ["{}", "data: {}", "just words"])
def test_a_configuration_without_curriculum_is_told(run: RunPaths, content: str) -> None:
    run.config.write_text(content)
    assert "names no curriculum" in DataSource(run).read().trouble


def test_a_broken_line_is_named(run: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "curriculum.jsonl").write_text(json.dumps({"id": "x"}) + "\n")
    assert "curriculum.jsonl:1: lacks the field" in DataSource(run).read().trouble


def test_phantoms_not_made_yet_are_no_trouble_for_long(run: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "curriculum.jsonl").rename(tmp_path / "later")
    source = DataSource(run)
    assert "no curriculum yet" in source.read().trouble
    (tmp_path / "later").rename(tmp_path / "curriculum.jsonl")
    assert len(source.read().samples) == 4


def test_reasons() -> None:
    empty = DataView(DataState(RunSummary("n")))
    assert keys.BROWSE.reason(empty) and keys.CHECK.reason(empty)
    assert (
        keys.DOWN.reason(DataView(DataState(RunSummary("n"), samples=(sample(1),))))
        == "b opens the samples first"
    )


async def open_data(kit: ModuleType, pilot, app) -> Data:
    await pilot.press("4")
    await kit.until(pilot, lambda: isinstance(app.screen, Data) and "inventory" in kit.shown(app))
    return app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_the_overview_tells_what_is_wrong(kit: ModuleType, run: RunPaths, size) -> None:
    app = kit.app_on_run(run)
    async with app.run_test(size=size) as pilot:
        await open_data(kit, pilot, app)
        await kit.until(pilot, lambda: "1 missing, m lists them" in kit.shown(app))
        for words in ("✔ train", "✖ validation", "1, expected 2", "Edema", "67 %", "limit 512"):
            assert words in kit.shown(app)
        await pilot.press("m")
        await kit.until(pilot, lambda: "4.png" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape", "c")
        await kit.until(pilot, lambda: "4 of 4, 2 damaged" in kit.shown(app))


@pytest.mark.parametrize("size", SIZES)
async def test_the_browser_shows_samples_as_the_model_reads_them(
    kit: ModuleType, run: RunPaths, size
) -> None:
    app = kit.app_on_run(run)
    async with app.run_test(size=size) as pilot:
        screen = await open_data(kit, pilot, app)
        if size[1] < 46:
            await pilot.press("j")
            assert "b opens the samples first" in kit.said(app)
        await pilot.press("b")
        await kit.until(pilot, lambda: "[INST] <image> ×100" in kit.shown(app) and "▀" in kit.shown(app))
        assert "supervised" in kit.shown(app) and "</s>" in kit.shown(app)
        await pilot.press("j", "j", "enter")
        await kit.until(pilot, lambda: "answer (supervised)" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape", "slash", *"heart", "enter")
        await kit.until(pilot, lambda: [one.id for one in screen.view.listed] == ["s3-b"])
        app.clear_notifications()
        await pilot.press("escape", "t", "j", "enter")
        await kit.until(
            pilot, lambda: screen.view.part == ("stage_a", "train") and len(screen.view.listed) == 2
        )
        app.clear_notifications()
        await pilot.press("escape", "escape")
        await kit.until(pilot, lambda: "inventory" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: "newest report" in kit.shown(app))


async def test_a_long_read_does_not_block_the_screen(kit: ModuleType, run: RunPaths, monkeypatch) -> None:
    from cockpit.screens.data import source as data_source

    going_on = threading.Event()
    read = data_source.read_curriculum

    def slow(path: Path):
        going_on.wait(5)
        return read(path)

    monkeypatch.setattr(data_source, "read_curriculum", slow)
    app = kit.app_on_run(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await kit.until(pilot, lambda: "reading the curriculum" in kit.shown(app))
        await pilot.press("question_mark")
        await kit.until(pilot, lambda: "Keys" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("escape")
        going_on.set()
        await kit.until(pilot, lambda: "inventory" in kit.shown(app))
