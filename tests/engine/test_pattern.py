"""A regular expression that goes back and forth for ever is given up in time, wherever it is matched."""

import threading
import time

import pytest

from engine.pattern import MAX_CHARACTERS, matched, refuse_unreadable

NAMES = [f"model.language_model.layers.{n}.self_attn.{one}_proj" for n in range(32) for one in "qkvo"]
ENDLESS = [
    r"(.|[a-z])*\d",
    r"(?:(?:[a-z.]{1,65535}){1,65535}){1,65535}\d",
    r"((.|\w)+|x)+\d",
]


@pytest.mark.parametrize("pattern", ENDLESS)
def test_it_is_given_up_in_time_in_any_thread(pattern: str) -> None:
    told: list[object] = []

    def match() -> None:
        try:
            told.append(matched(pattern, ["a" * 80, *NAMES], seconds=0.3))
        except TimeoutError as error:
            told.append(error)

    begun = time.monotonic()
    thread = threading.Thread(target=match, daemon=True)
    thread.start()
    thread.join(30)
    assert isinstance(told[0], TimeoutError)
    assert time.monotonic() - begun < 15


def test_an_honest_one_matches_as_ever() -> None:
    assert matched(r".*language_model.*\.(q_proj|v_proj)", NAMES) == [n for n in NAMES if n[-6] in "qv"]
    assert matched(r"model", NAMES) == []


@pytest.mark.parametrize(
    "pattern", ["(", "(" * 490 + ")" * 490, "a{1,99999999999}", "x" * (MAX_CHARACTERS + 1)]
)
def test_one_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"not a regular|more than"):
        refuse_unreadable(pattern)
    with pytest.raises(ValueError, match=r"not a regular|more than"):
        matched(pattern, NAMES)
