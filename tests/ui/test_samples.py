"""The Samples screen on a recorded run, and the pure functions behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from cockpit.screens.samples.board import samples_frame
from cockpit.screens.samples.choice import (
    ORDERS,
    Choice,
    label_counts,
    listed,
    of_line,
    view_of,
    walked,
)
from cockpit.screens.samples.label_table import label_marks, titles_of
from cockpit.screens.samples.screen import Samples
from cockpit.screens.samples.source import SamplesSource, cases_of, with_blanks
from cockpit.screens.samples.state import SampleBook, writers_of
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.graphics.film import FilmView
from cockpit.toolkit.lines import Frame, width_of
from cockpit.toolkit.theme import DARK, LIGHT, blended_palette, sixteen_palette
from cockpit.views.films import desktop_command, open_film
from cockpit.views.run_summary import RunSummary
from cockpit.views.word_diff import invented_lines, marked_lines, missed_lines, shortened, word_difference
from engine.errors import UserError
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import GeneratedSample

SIZES = [(80, 24), (120, 40), (200, 60)]


def row(case: str, step: int, score: float, stage: str = "stage_a", **changes: object) -> GeneratedSample:
    stage_a = stage == "stage_a"
    made = GeneratedSample(
        stage=stage,
        step=step,
        checkpoint=f"{stage}-{step:06d}",
        split="val",
        purpose="case",
        case=case,
        image="one.png",
        prompt="Write the impression." if stage_a else "Record: creatinine 2.4\nReason.",
        reference="Small effusion.\nCheXpert: Edema" if stage_a else "Failure.\nICD: I50.9 Heart failure",
        generated=f"Large effusion {case}." + ("\nCheXpert: Fracture" if stage_a else "\nICD: J90 Effusion"),
        labels={"Fracture": 1, "Edema": 0} if stage_a else None,
        labels_reference={"Edema": 1, "Fracture": None, "Pneumonia": -1} if stage_a else None,
        icd=None if stage_a else ["10:J90"],
        icd_reference=None if stage_a else ["10:I509"],
        scores={"label_f1" if stage_a else "icd_f1": score, "rouge_l": 0.5},
    )
    return replace(made, **changes)


def book(rows: Iterable[GeneratedSample], blank: Iterable[GeneratedSample] = ()) -> SampleBook:
    cases = with_blanks(cases_of(rows), blank)
    return SampleBook(RunSummary("night"), cases, writers_of(cases))


@pytest.fixture
def three() -> SampleBook:
    return book(
        [row("s1", 10, 0.9), row("s2", 10, 0.1), row("s1", 20, 0.2), row("s2", 20, 0.8), row("s3", 20, 0.5)]
    )


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


def test_the_newest_weights_are_shown_worst_first(three: SampleBook) -> None:
    assert [one.case.case for one in listed(three, Choice())] == ["s1", "s3", "s2"]
    assert [one.case.case for one in listed(three, Choice(order=ORDERS[1]))] == ["s2", "s3", "s1"]


def test_walking_through_checkpoints_holds_the_case(three: SampleBook) -> None:
    view = view_of(three, Choice(case=("stage_a", "s2")))
    earlier = walked(view, -1)
    assert earlier is not None
    there = view_of(three, earlier)
    assert there.shown and (there.shown.case.case, there.shown.written.weights) == ("s2", ("stage_a", 10))
    assert [one.case.case for one in there.listed] == ["s2", "s1"]
    assert walked(there, -1) is None


def test_walking_a_list_does_not_list_anew(three: SampleBook) -> None:
    view = view_of(three, Choice())
    further = view_of(three, of_line(view, 1), view)
    assert further.listed is view.listed and further.selected == 1
    assert view_of(three, Choice(search="s3"), view).listed is not view.listed


def test_moving_stops_at_the_ends(three: SampleBook) -> None:
    view = view_of(three, Choice())
    assert of_line(view, -5).case == ("stage_a", "s1") and of_line(view, 50).case == ("stage_a", "s2")


def test_filters_and_search(three: SampleBook) -> None:
    assert listed(three, Choice(label="Pneumonia")) == ()
    assert len(listed(three, Choice(label="Fracture"))) == 3
    assert [one.case.case for one in listed(three, Choice(search="EFFUSION S3"))] == ["s3"]
    assert ("Edema", "0 hit, 3 missed, 0 invented") in label_counts(view_of(three, Choice()))


def test_the_same_weights_writing_twice_about_a_case_count_once() -> None:
    whole = book([row("s1", 10, 0.9), row("s1", 10, 0.8, purpose="evaluation")])
    assert [written.score for written in whole.cases[0].written] == [0.8]


def test_an_evaluation_of_stage_b_weights_on_a_stage_a_case_stands_after_its_own() -> None:
    whole = book([row("s1", 10, 0.9), row("s1", 5, 0.4, checkpoint="stage_b-000005")])
    assert [written.weights for written in whole.cases[0].written] == [("stage_a", 10), ("stage_b", 5)]


def test_word_differences_pass_over_case_and_punctuation() -> None:
    mine, other = word_difference("Small effusion, no edema.", "small effusion. Edema!")
    assert [word for word, differs in mine if differs] == ["no"]
    assert [word for word, differs in other if differs] == []


def test_every_word_that_differs_is_marked() -> None:
    ours, _ = word_difference("the left lower lobe is dark", "the lobe is dark")
    (line,) = marked_lines(ours, "+", "invented_word", 80)
    assert text([line]) == "the +left +lower lobe is dark"
    assert [part for part, role in line if role == "invented_word"] == ["+left", "+lower"]


@pytest.mark.parametrize("width", [1, 7, 20])
def test_marked_lines_keep_their_width(width: int) -> None:
    ours, _ = word_difference("pneumonoultramicroscopic effusion of 心臓 size", "nothing")
    assert all(width_of(line) <= width for line in marked_lines(ours, "+", "invented_word", width))


def test_what_is_cut_says_so() -> None:
    lines: Frame = [[("one", "text")], [("two", "text")]]
    assert text(shortened(lines, 1, 10, "…")) == "one…"


def test_labels_are_hit_missed_invented_or_neither() -> None:
    marks = label_marks(
        (("Edema", 1), ("Fracture", 0), ("Pneumonia", -1), ("Pleural Effusion", 1)), {"Edema", "Fracture"}
    )
    assert marks == [
        ("hit", "Edema"),
        ("invented", "Fracture"),
        ("neither", "Pneumonia ?"),
        ("missed", "Pleural Effusion"),
    ]


def test_titles_come_from_the_icd_lines() -> None:
    assert titles_of("Prose.\nICD: I50.9 Heart failure; J90 Effusion", "ICD: J90 Other") == {
        "I50.9": "Heart failure",
        "J90": "Effusion",
    }


@pytest.mark.parametrize("size", [(60, 16), (80, 20), (120, 36), (200, 56), (10, 3)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_board_fits_every_size(three: SampleBook, size: tuple[int, int], glyphs) -> None:
    for view in (view_of(three, Choice()), view_of(book([row("x", 1, 0.5, "stage_b")]), Choice())):
        frame = samples_frame(replace(view, film="no such image"), *size, glyphs)
        assert len(frame) <= max(size[1], 4)
        if size[0] >= 60:
            assert all(width_of(line) <= size[0] for line in frame)
        if glyphs is ASCII:
            assert all(ord(char) < 128 for char in text(frame))


def test_text_of_the_model_is_never_obeyed() -> None:
    bad = book([row("s\x1b[2J", 1, 0.1, generated="[red]\x1b[31m\x07 effusion", prompt="\x1b]0;x\x07")])
    frame = samples_frame(replace(view_of(bad, Choice()), film=None), 120, 36, UNICODE)
    assert "\x1b" not in text(frame) and "\x07" not in text(frame) and "[red]" in text(frame)


def test_the_window_spreads_greys_and_inverts() -> None:
    table = FilmView(window=64, level=128).greys()
    assert (table[0], table[96], table[128], table[160], table[255]) == (0, 0, 128, 255, 255)
    assert FilmView(inverted=True).greys()[0] == 255


def test_a_zoomed_view_stays_inside_the_film() -> None:
    assert FilmView(zoom=2, x=0.0, y=1.0).box(100, 80) == (0.0, 40.0, 50.0, 80.0)


def test_a_desktop_is_used_only_where_there_is_one() -> None:
    assert desktop_command({"SSH_CONNECTION": "x", "DISPLAY": ":0"}, "linux") is None
    assert desktop_command({}, "linux") is None and desktop_command({}, "darwin") == "open"
    assert desktop_command({"DISPLAY": ":0"}, "linux") == "xdg-open"


def test_the_desktop_is_handed_pictures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = tmp_path / "handed"
    os.mkfifo(handed)
    place, root = tmp_path / "bin", tmp_path / "films"
    place.mkdir()
    root.mkdir()
    (place / "xdg-open").write_text(f'#!/bin/sh\nprintf %s "$*" > {handed}\n')
    (place / "xdg-open").chmod(0o700)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    (root / "a.desktop").write_text("[Desktop Entry]\nExec=sh\n")
    (root / "b.jpg").write_text("<html><script>")
    (tmp_path / "outside.png").touch()
    (root / "c.png").symlink_to(tmp_path / "outside.png")
    Image.new("L", (8, 8)).save(root / "d.html", "GIF")  # a picture, and what a browser runs
    for name in ("a.desktop", "b.jpg", "c.png", "d.html", "none.png", "../outside.png", "/etc/passwd"):
        with pytest.raises(UserError):
            open_film(root, name)
    Image.new("L", (8, 8)).save(root / "e.PNG")
    assert open_film(root, "e.PNG") == f"opening {root / 'e.PNG'}"
    assert handed.read_text() == str(root / "e.PNG")  # waits for it, and nothing came before


@pytest.fixture
def recorded(record) -> RunPaths:
    paths: RunPaths = record(end=None)
    with open_writer(paths) as writer:
        for step, score in ((20, 0.2), (40, 0.9)):
            writer.sample(row("s1", step, score))
            writer.sample(row("s2", step, 1 - score))
        writer.sample(row("s2", 40, 0.3, purpose="baseline:blank_image", generated="Normal heart."))
        writer.sample(row("s9", 50, 0.0, "stage_b"))
        writer.state("finished")
    return paths


def test_the_source_rereads_only_when_samples_may_be_new(recorded: RunPaths) -> None:
    source = SamplesSource(recorded)
    source.read()
    first = source.read()
    assert [case.case for case in first.cases if case.blank] == ["s2"]
    assert source.read().cases is first.cases
    with EngineLock.take(recorded), open_writer(recorded) as writer:
        writer.state("training")
        source.read()
        trained = source.read()
        writer.scalars("stage_b", 51, {"train/loss": 1.0})
        assert source.read().cases is trained.cases
        writer.sample(row("s3", 41, 0.5))
        writer.event("sample", "sampled 1 case", stage="stage_a", step=41)
        assert len(source.read().cases) == len(trained.cases) + 1


async def open_samples(kit: ModuleType, pilot, app) -> Samples:
    await pilot.press("2")
    await kit.until(pilot, lambda: isinstance(app.screen, Samples) and "written by" in kit.shown(app))
    return app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_a_case_is_shown_with_texts_labels_and_route(kit, recorded, size) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=size) as pilot:
        await open_samples(kit, pilot, app)
        await pilot.press("t")
        await kit.until(pilot, lambda: "✖ Edema" in kit.shown(app) and "+ Fracture" in kit.shown(app))
        assert "uncertain (?) and blank count as negative" in kit.shown(app)
        assert "◂ A 40 ▸" in kit.shown(app) and "+Large" in kit.shown(app) and "−Small" in kit.shown(app)
        await kit.until(pilot, lambda: "▀" in kit.shown(app))
        await pilot.press("t")
        await kit.until(pilot, lambda: "J90" in kit.shown(app) and "Heart failure" in kit.shown(app))


async def test_keys_walk_cases_and_checkpoints(kit: ModuleType, recorded: RunPaths) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await open_samples(kit, pilot, app)
        await pilot.press("t", "j")
        case = screen.view.shown.key
        await pilot.press("left_square_bracket")
        assert screen.view.shown.key == case and screen.view.weights == ("stage_a", 20)
        await pilot.press("left_square_bracket")
        assert "this is the first checkpoint" in kit.said(app)
        await pilot.press("right_square_bracket", "home")
        assert screen.view.selected == 0


async def test_search_and_label_filter_and_backing_out(kit: ModuleType, recorded: RunPaths) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await open_samples(kit, pilot, app)
        await pilot.press("t", "slash", *"EFFUSION s2", "enter")
        await kit.until(pilot, lambda: [one.case.case for one in screen.view.listed] == ["s2"])
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: len(screen.view.listed) == 1 and not screen.view.choice.search)
        await pilot.press("t", "f")
        await kit.until(pilot, lambda: "Only cases with" in kit.shown(app))
        await pilot.press("enter")
        await kit.until(pilot, lambda: screen.view.choice.label == "Edema")
        app.clear_notifications()
        await pilot.press("escape", "escape")
        await kit.until(pilot, lambda: "newest report" in kit.shown(app))


async def test_the_text_without_the_image(kit: ModuleType, recorded: RunPaths) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_samples(kit, pilot, app)
        await pilot.press("t", "slash", *"s2", "enter")
        await kit.until(pilot, lambda: screen.view.choice.search == "s2")
        await kit.until(pilot, lambda: screen.view.blank_text is not None)
        await pilot.press("b")
        await kit.until(pilot, lambda: "Normal heart" in kit.shown(app).replace("−", ""))
        await pilot.press("left_square_bracket", "b")
        assert any("not evaluated yet with the image blanked" in words for words in kit.said(app))


async def test_the_film_over_the_screen(kit: ModuleType, recorded: RunPaths) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_samples(kit, pilot, app)
        await kit.until(pilot, lambda: "▀" in kit.shown(app))
        await pilot.press("i")
        assert "z opens the film first" in kit.said(app)
        await pilot.press("z", "plus", "i", "less_than_sign", "comma", "right")
        await kit.until(pilot, lambda: "zoom 1.5   window 224   level 112   inverted" in kit.shown(app))
        assert screen.view.look.x > 0.5
        app.clear_notifications()
        await pilot.press("escape")
        await kit.until(pilot, lambda: "written by" in kit.shown(app) and "zoom" not in kit.shown(app))


async def test_reading_in_full(kit: ModuleType, recorded: RunPaths) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_samples(kit, pilot, app)
        await pilot.press("t", "t", "enter")
        await kit.until(pilot, lambda: "Record: creatinine 2.4" in kit.shown(app))
        app.clear_notifications()
        await pilot.press("j", "space", "escape")
        await kit.until(pilot, lambda: isinstance(app.screen, Samples))


async def test_without_samples_it_says_how_to_get_some(kit: ModuleType, tmp_path: Path) -> None:
    from engine.runs.layout import create_run

    app = kit.app_on_run(create_run(tmp_path / "runs", "fresh"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await kit.until(pilot, lambda: "no samples yet" in kit.shown(app))
        await pilot.press("j")
        assert any("g on Flight asks" in words for words in kit.said(app))


def test_five_thousand_cases_are_listed() -> None:
    many = [row(f"s{number:05d}", 10, number % 100 / 100) for number in range(5000)]
    whole = book(many)
    view = view_of(whole, Choice())
    frame = samples_frame(view, 120, 36, UNICODE)
    assert "5,000 cases" in text(frame)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_record_of_stage_b_is_seen_at_every_size(size: tuple[int, int]) -> None:
    view = view_of(book([row("s1", 10, 0.5, "stage_b")]), Choice())
    assert "creatinine 2.4" in text(samples_frame(view, size[0], size[1] - 4, UNICODE))


def test_invented_and_missed_have_each_a_sign_and_a_hue() -> None:
    ours, theirs = word_difference("small left effusion", "small effusion, no edema")
    said, wanted = invented_lines(ours, 80, UNICODE), missed_lines(theirs, 80, UNICODE)
    assert text(said) == "small +left effusion"
    assert text(wanted) == "small effusion, −no −edema"
    for themed in (
        blended_palette(DARK),
        blended_palette(LIGHT),
        sixteen_palette(True),
        sixteen_palette(False),
    ):
        assert themed["invented_word"].color != themed["missed_word"].color
        assert themed["invented"].color != themed["missed"].color


async def test_the_reader_keeps_the_header_and_copies_the_report(kit: ModuleType, recorded: RunPaths) -> None:
    app = kit.app_on_run(recorded)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await kit.until(pilot, lambda: isinstance(app.screen, Samples) and app.screen.view.shown is not None)
        written = app.screen.view.shown.written.text
        await pilot.press("enter")
        await kit.until(pilot, lambda: "prompt, as the model read it" in kit.shown(app))
        header = kit.shown(app).splitlines()[0]
        assert recorded.name in header and "finished" in header
        with open_writer(recorded) as writer:  # what happens meanwhile is seen
            writer.state("parked")
        await kit.until(pilot, lambda: "parked" in kit.shown(app).splitlines()[0])
        await pilot.press("y")
        await kit.until(pilot, lambda: any("paste to see" in one for one in kit.said(app)))
        assert app.clipboard == written
