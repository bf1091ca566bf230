"""The action registry: a key works or says why not, in every state."""

import pytest

from cockpit.actions.action import keys_that_work
from cockpit.actions.common import moved
from cockpit.screens.flight import actions
from cockpit.screens.flight.actions import FLIGHT_ACTIONS
from cockpit.screens.flight.state import FlightState, StageView
from cockpit.screens.start.actions import START_ACTIONS
from cockpit.screens.table import action_groups, ways_to
from cockpit.views.run_summary import LIVE

GROUPS = action_groups()
GO = ways_to()
ACTIONS = {action.id: action for group in (*GROUPS.values(), GO.values()) for action in group}

STATES = (*sorted(LIVE), "parked", "stopped", "finished", "failed", "crashed", "unread")


def run_in(state: str, last_status: str = "ahead") -> FlightState:
    stages = tuple(
        StageView(stage, "", 100, 50, 1, 0.5, None, status)
        for stage, status in (("stage_a", "stopped"), ("stage_b", last_status))
    )
    return FlightState("night", state, stages=stages)


def words(state: FlightState | None, group=FLIGHT_ACTIONS) -> dict[str, str]:
    return {key: label for key, label, _ in keys_that_work(group, state)}


def test_ids_and_keys_are_unique() -> None:
    for group in GROUPS.values():
        assert len({action.id for action in group}) == len(group)
        assert len({action.key for action in group}) == len(group)


def test_every_action_has_words_that_fit_the_help_at_eighty_columns() -> None:
    for action in (action for group in GROUPS.values() for action in group):
        assert action.help.endswith(".")
        assert len(action.help) <= 54
        assert len(action.label) <= 13


@pytest.mark.parametrize("state", STATES)
def test_a_reason_is_one_short_sentence(state: str) -> None:
    for action in FLIGHT_ACTIONS:
        reason = action.reason(run_in(state))
        assert len(reason) <= 60 and "\n" not in reason


@pytest.mark.parametrize("state", ["training", "evaluating", "holding"])
def test_an_engine_that_works_takes_every_command(state: str) -> None:
    for action in (actions.HOLD, actions.PARK, actions.STOP, actions.SAVE, actions.SAMPLE):
        assert action.reason(run_in(state)) == ""


@pytest.mark.parametrize("state", ["preparing", "starting", "loading", "stopping"])
def test_an_engine_on_its_way_can_be_ended_and_no_more(state: str) -> None:
    for action in (actions.HOLD, actions.SAVE, actions.SAMPLE, actions.RESUME):
        assert action.reason(run_in(state)) != ""
    for action in (actions.PARK, actions.STOP):
        assert (action.reason(run_in(state)) == "") == (state != "stopping")


@pytest.mark.parametrize("state", ["parked", "stopped", "crashed", "failed"])
def test_without_an_engine_only_s_works(state: str) -> None:
    assert actions.RESUME.reason(run_in(state)) == ""
    assert "s resumes" in actions.HOLD.reason(run_in(state))
    assert set(words(run_in(state))) == {"s", "a", "esc", "?", "q"}


def test_a_finished_run_says_that_it_is_finished() -> None:
    assert actions.RESUME.reason(run_in("finished")) == "finished: every stage of this run is done"
    assert "finished" in actions.PARK.reason(run_in("finished"))


def test_before_the_first_look_nothing_is_pretended() -> None:
    assert words(None) == {"a": "alerts", "esc": "back", "?": "help", "q": "leave"}


def test_labels_follow_the_state() -> None:
    assert words(run_in("holding"))["space"] == "continue"
    assert "s" not in words(run_in("holding"))
    assert words(run_in("training"))["space"] == "hold"
    assert words(run_in("stopped"))["s"] == "next stage"
    assert words(run_in("stopped", last_status="stopped"))["s"] == "resume"
    assert words(run_in("parked"))["s"] == "resume"


def test_what_ends_an_engine_is_dangerous_and_nothing_else() -> None:
    assert [action.id for action in FLIGHT_ACTIONS if action.dangerous] == ["park", "stop"]
    assert ACTIONS["park"].question and ACTIONS["stop"].question


def test_the_start_screen_offers_what_it_can() -> None:
    assert list(words(None, START_ACTIONS)) == ["d", "o", "?", "q"]


@pytest.mark.parametrize(
    ("id", "place"),
    [
        ("data.down", 6),
        ("data.up", 4),
        ("data.page_down", 15),
        ("data.page_up", 0),
        ("data.first", 0),
        ("data.last", 19),
        ("data.read", None),
        ("hold", None),
    ],
)
def test_where_a_key_leads_in_a_list(id: str, place: int | None) -> None:
    assert moved(ACTIONS[id], 5, 20) == place
