"""The panels as text: what they say, and that they say it in the room they have."""

import time
from dataclasses import replace
from types import ModuleType

import pytest

from cockpit.screens.flight.events import events_frame
from cockpit.screens.flight.gauges import gauges_frame, memory_line_frame
from cockpit.screens.flight.report import report_frame
from cockpit.screens.flight.route import route_frame
from cockpit.screens.flight.state import FlightState, Memory, Pace
from cockpit.screens.table import ways_to
from cockpit.toolkit import figures
from cockpit.toolkit.glyphs import ASCII, UNICODE
from cockpit.toolkit.graphics.half_cells import fitted, picture_frame
from cockpit.toolkit.key_bar import keys_line
from cockpit.toolkit.lines import Frame, width_of
from cockpit.views.header import header_of

GIB = 1024**3
header_frame = header_of("flight", ways_to())
PANELS = (header_frame, route_frame, gauges_frame, memory_line_frame, report_frame, events_frame)


def text(frame: Frame) -> str:
    return "\n".join("".join(part for part, _ in line) for line in frame)


def roles(frame: Frame, word: str) -> set[object]:
    return {role for line in frame for part, role in line if word in part}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.__name__)
@pytest.mark.parametrize("size", [(1, 1), (6, 3), (60, 20), (80, 5), (120, 13), (200, 22)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_panel_draws_at_every_size(kit: ModuleType, panel, size, glyphs) -> None:
    for state in (kit.a_state(), FlightState("new", "preparing")):
        frame = panel(state, *size, glyphs)
        if glyphs is ASCII:
            assert all(ord(char) < 128 for char in text(frame))


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("panel", [header_frame, route_frame, memory_line_frame, report_frame, events_frame])
def test_panels_fit_their_width(kit: ModuleType, panel, width: int) -> None:
    frame = panel(kit.a_state(error="x" * 300, trouble="y" * 300), width, 13, UNICODE)
    assert all(width_of(line) <= width for line in frame)


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("training", "● training"),
        ("holding", "◐ holding"),
        ("parked", "◌ parked"),
        ("stopped", "■ stopped"),
        ("finished", "✔ finished"),
        ("crashed", "✖ crashed"),
        ("failed", "✖ failed"),
        ("preparing", "… preparing"),
        ("evaluating", "… evaluating"),
    ],
)
def test_a_state_is_a_glyph_and_a_word(kit: ModuleType, state: str, shown: str) -> None:
    assert shown in text(header_frame(kit.a_state(state=state), 80, 2, UNICODE))


def test_a_stalled_run_says_so_beside_its_state(kit: ModuleType) -> None:
    shown = text(header_frame(kit.a_state(stalled=True, alerts=2), 100, 2, UNICODE))
    assert "● training  ▲ stalled" in shown
    assert "2 alerts" in shown


def test_the_route_tells_step_epoch_and_time_left(kit: ModuleType) -> None:
    shown = text(route_frame(kit.a_state(300), 120, 2, UNICODE))
    assert "step 300 / 618" in shown
    assert "epoch 2/3" in shown
    assert "left 4-5 min" in shown
    assert "val loss 1.41 < 2.0" in shown and "F1 0.72" in shown


def test_time_left_is_told_of_a_run_that_rests_and_not_of_one_that_is_gone(kit: ModuleType) -> None:
    for state in ("holding", "parked", "evaluating"):
        assert "left 4-5 min" in text(route_frame(kit.a_state(state=state), 120, 2, UNICODE))
    assert "left" not in text(route_frame(kit.a_state(state="crashed"), 120, 2, UNICODE))


def test_a_pace_far_from_the_plan_is_told_at_every_size(kit: ModuleType) -> None:
    state = kit.a_state()
    stages = (state.stages[0], replace(state.stages[1], planned_bytes=1e9, planned_samples_per_second=7.0))
    slow = replace(state, stages=stages, pace=replace(state.pace, slower=34.8))
    told = "35 times slower than planned"
    assert told in text(gauges_frame(slow, 60, 12, UNICODE))
    assert told in text(memory_line_frame(replace(slow, memory=Memory()), 80, 1, UNICODE))
    assert (
        figures.slower(1.4) == "" and figures.slower(None) == "" and figures.slower(2.44).startswith("2.4 ")
    )


def test_a_missed_bar_stands_out(kit: ModuleType) -> None:
    state = kit.a_state()
    missed = replace(state, stages=(replace(state.stages[0], loss=2.3), state.stages[1]))
    frame = route_frame(missed, 120, 2, UNICODE)
    assert "2.30 >= 2.0" in text(frame)
    assert roles(frame, ">=") == {"warn"}


def test_numbers_do_not_move_their_neighbours(kit: ModuleType) -> None:
    """The same columns for step 9 and step 301."""
    early, late = (text(route_frame(kit.a_state(step), 120, 2, UNICODE)) for step in (9, 301))
    assert early.split("\n")[1].index("epoch") == late.split("\n")[1].index("epoch")


def test_gauges_name_what_was_measured_only(kit: ModuleType) -> None:
    on_cpu = text(gauges_frame(kit.a_state(), 40, 12, UNICODE))
    assert "process" in on_cpu and "system" in on_cpu and "device" not in on_cpu
    on_mps = Memory(90 * GIB, 71.2 * GIB, 88 * GIB, 384 * GIB, 121.4 * GIB, 512 * GIB)
    shown = text(gauges_frame(kit.a_state(memory=on_mps), 40, 12, UNICODE))
    assert "device" in shown and "of   384 GiB" in shown and "of   512 GiB" in shown


def test_a_figure_that_was_asked_for_in_vain_is_a_dash(kit: ModuleType) -> None:
    memory = Memory(90 * GIB, None, 88 * GIB, 384 * GIB, total=512 * GIB, silent=("device", "utilization"))
    lines = text(gauges_frame(kit.a_state(memory=memory), 40, 12, UNICODE)).split("\n")
    device, gpu = (next(line for line in lines if line.startswith(name)) for name in ("device", "gpu"))
    assert device.split()[1] == "-" and "of   384 GiB" in device
    assert gpu.split()[1:] == ["-", "%"]
    (line,) = memory_line_frame(kit.a_state(memory=memory), 80, 1, UNICODE)
    assert "device     -/384" in text([line])


def test_a_limit_that_somebody_set_is_the_devices_limit(kit: ModuleType) -> None:
    memory = Memory(device=71 * GIB, limit=384 * GIB, wired=448 * GIB)
    assert "of   384 GiB" in text(gauges_frame(kit.a_state(memory=memory), 40, 12, UNICODE))
    lowered = replace(memory, wired=100 * GIB)
    assert "of   100 GiB" in text(gauges_frame(kit.a_state(memory=lowered), 40, 12, UNICODE))


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (Memory(swap=0.0, pressure=0.05), ""),
        (Memory(swap=3.5 * GIB), "swap        3.5 GiB"),
        (Memory(swap=0.0, pressure=0.2), "swap        0.0 GiB   pressure some"),
        (Memory(swap=0.0, pressure=1.0), "swap        0.0 GiB   pressure high"),
        (Memory(swap=0.0, silent=("pressure",)), "swap        0.0 GiB   pressure -"),
    ],
)
def test_swap_and_pressure_show_when_they_matter(kit: ModuleType, memory: Memory, words: str) -> None:
    shown = text(gauges_frame(kit.a_state(memory=memory), 40, 12, UNICODE))
    assert words in shown and ("swap" in shown) == bool(words)


def planned(state: FlightState, memory: float, pace: float | None) -> FlightState:
    done, now = state.stages
    return replace(state, stages=(done, replace(now, planned_bytes=memory, planned_samples_per_second=pace)))


def test_what_was_planned_stands_beside_what_is(kit: ModuleType) -> None:
    state = kit.a_state(memory=Memory(process=2 * GIB, used=3 * GIB, total=7.8 * GIB))
    assert "plan" not in text(gauges_frame(state, 40, 12, UNICODE))
    lines = text(gauges_frame(planned(state, 2.5 * GIB, 10.0), 40, 12, UNICODE)).split("\n")
    assert lines[-2:] == ["plan        2.5 GiB, 80 % in use", "pace       12.3 samples/s, 10.0 planned"]
    assert max(map(len, lines)) <= 40
    unpaced = text(gauges_frame(planned(state, 2.5 * GIB, None), 40, 12, UNICODE))
    assert "80 % in use" in unpaced and "pace" not in unpaced


def test_more_than_planned_is_a_warning_and_a_devices_memory_is_what_counts(kit: ModuleType) -> None:
    over = planned(kit.a_state(memory=Memory(process=3 * GIB)), 2 * GIB, None)
    assert roles(gauges_frame(over, 40, 12, UNICODE), "150 %") == {"warn"}
    on_device = kit.a_state(memory=Memory(process=3 * GIB, device=GIB, reserved=2 * GIB))
    assert roles(gauges_frame(planned(on_device, 2 * GIB, None), 40, 12, UNICODE), "100 %") == {"dim"}


def test_a_full_gauge_asks_for_a_hand(kit: ModuleType) -> None:
    full = kit.a_state(memory=Memory(process=GIB, used=7.7 * GIB, total=7.8 * GIB))
    assert roles(gauges_frame(full, 40, 12, UNICODE), "7.7") == {"bad"}
    calm = kit.a_state(memory=Memory(process=GIB, used=3 * GIB, total=7.8 * GIB))
    assert roles(gauges_frame(calm, 40, 12, UNICODE), "3.0") == {"text"}


def test_the_memory_line_fits_eighty_columns_on_mps(kit: ModuleType) -> None:
    memory = Memory(90 * GIB, 71.2 * GIB, 88 * GIB, 384 * GIB, 121.4 * GIB, 512 * GIB)
    (line,) = memory_line_frame(kit.a_state(memory=memory), 80, 1, UNICODE)
    assert width_of(line) <= 80
    assert "71.2/384" in text([line]) and "121.4/512" in text([line])


def test_the_report_stands_beside_its_reference(kit: ModuleType) -> None:
    frame = report_frame(kit.a_state(), 120, 13, UNICODE)
    shown = text(frame)
    assert "generated" in shown and "reference" in shown
    assert "✔ Pleural Effusion" in shown and "✖ Cardiomegaly" in shown and "+ Edema" in shown
    assert "✔ I50.9" in shown and "✖ N17.9" in shown
    assert "▀" in shown


def test_a_short_report_keeps_the_marks(kit: ModuleType) -> None:
    shown = text(report_frame(kit.a_state(), 80, 5, UNICODE))
    assert "said" in shown and "truth" in shown and "✔ Pleural Effusion" in shown and "▀" not in shown


def test_an_unreadable_label_line_is_told(kit: ModuleType) -> None:
    case = replace(kit.a_case(), labels=None)
    assert "line not readable" in text(report_frame(kit.a_state(cases=(case,)), 120, 13, UNICODE))


def test_no_report_yet_says_how_to_get_one(kit: ModuleType) -> None:
    assert "g asks for one" in text(report_frame(kit.a_state(cases=()), 80, 5, UNICODE))


def test_text_of_the_model_is_never_obeyed(kit: ModuleType) -> None:
    case = replace(kit.a_case(), generated="[red]\x1b[2J\x07effusion[/red]")
    shown = text(report_frame(kit.a_state(cases=(case,)), 120, 13, UNICODE))
    assert "[red]\ufffd[2J\ufffdeffusion[/red]" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "crashed", "error": "killed"}, "crashed   s goes on from stage_b-000200"),
        ({"state": "holding"}, "space continues"),
        ({"state": "parked"}, "s goes on from stage_b-000200"),
        ({"stalled": True}, "no step for much longer than usual"),
        ({"trouble": "run.db is damaged"}, "the run cannot be read: run.db is damaged"),
        ({"pending": "hold asked"}, "hold asked"),
    ],
)
def test_what_waits_for_a_hand_is_said(kit: ModuleType, changes: dict[str, object], words: str) -> None:
    assert words in text(events_frame(kit.a_state(**changes), 120, 1, UNICODE))


def test_a_calm_run_has_no_notice(kit: ModuleType) -> None:
    assert text(events_frame(kit.a_state(), 120, 2, UNICODE)) == " 02:14:51  validation loss 0.96"


def test_keys_give_way_by_rank() -> None:
    keys = [("space", "hold", 0), ("z", "zoom", 7), ("q", "leave", 4)]
    assert text([keys_line(keys, 80)]) == " space hold  z zoom  q leave"
    assert text([keys_line(keys, 24)]) == " space hold  q leave"
    assert text([keys_line(keys, 3)]) == ""


def test_a_picture_keeps_its_proportions(kit: ModuleType) -> None:
    tall = replace(kit.a_case().picture, width=8, height=32)
    assert fitted(tall, 40, 10) == (5, 10)
    assert fitted(tall, 40, 0) == (0, 0)
    frame = picture_frame(tall, 40, 10, UNICODE)
    assert (len(frame), {len(line) for line in frame}) == (10, {5})


def test_a_picture_has_24_greys(kit: ModuleType) -> None:
    frame = picture_frame(kit.a_case().picture, 16, 8, UNICODE)
    greys = {style.color.triplet for line in frame for _, style in line}
    assert {triplet.red for triplet in greys} <= {8 + 10 * step for step in range(24)}


def test_figures_keep_their_width() -> None:
    nan, inf = float("nan"), float("inf")
    assert {len(figures.gigabytes(value)) for value in (None, 0, 3.4e9, 5e11, nan)} == {6}
    assert {len(figures.loss(value)) for value in (None, 0.0, 1.234, 99.99, 5432.1, nan, inf, 1e9)} == {5}
    assert {len(figures.rate(value)) for value in (None, 0.0, 9.99, 12.3, 999.0, nan)} == {4}
    assert figures.time_left(None, 3.0, 4.0, None) == ""
    assert figures.time_left(600, None, None, None) == "left 10 min"
    assert figures.time_left(20_000, 19_000, 25_000, None) == "left 5 h 17 - 6 h 57"
    told = time.strftime("%H:%M", time.localtime(1e9))
    assert figures.time_left(4000, 3000, 5100, 1e9) == f"left 50-85 min, ~{told}"


def test_a_rate_that_is_unknown_takes_no_line(kit: ModuleType) -> None:
    assert "samples/s" not in text(memory_line_frame(kit.a_state(pace=Pace()), 80, 1, UNICODE))


@pytest.mark.parametrize(("width", "height"), [(120, 13), (80, 13), (80, 5)])
def test_the_report_marks_what_was_invented_and_missed(kit: ModuleType, width: int, height: int) -> None:
    case = replace(kit.a_state().case, generated="small left effusion", reference="small effusion, no edema")
    frame = report_frame(kit.a_state(cases=(case,)), width, height, UNICODE)
    roles = {part: role for line in frame for part, role in line}
    assert roles["+left"] == "invented_word" and roles["−no"] == roles["−edema"] == "missed_word"
    assert roles["small"] == "text"
