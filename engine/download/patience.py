"""Trying again: how often, and after what pause."""

from collections.abc import Callable
from typing import TypeVar

from engine.download.line import Lost

#: Tries in a row that bring no byte before the download ends: with the waits between them some ten minutes; and
#: those before the server has answered at all, when somebody is likely to be looking.
PATIENCE = 14
FIRST_PATIENCE = 4
LONGEST_WAIT = 60.0

#: A server that asks for a longer pause than this is told good-bye: somebody should know.
LONGEST_PAUSE = 15 * 60.0

#: Passes the time after a loss: why, and for how many seconds.
Pause = Callable[[Lost, float], None]
Answer = TypeVar("Answer")


def patiently(
    attempt: Callable[[], Answer],
    patience: int,
    pause: Pause,
    reached: Callable[[], int] = lambda: 0,
    jitter: Callable[[float], float] = lambda seconds: seconds,
) -> Answer:
    """The attempt's outcome; again and again while it is lost, unless `patience` tries in a row reach nothing.

    reached: how far the attempts have come, together. jitter: spreads the pauses that we choose, so that several who
    were refused at once do not come back at once; those that the server asks for are kept.
    """
    fruitless = 0
    while True:
        before = reached()
        try:
            return attempt()
        except Lost as lost:
            fruitless = 0 if reached() > before else fruitless + 1
            if fruitless > patience or (lost.after or 0) > LONGEST_PAUSE:
                raise
            own = jitter(min(2.0**fruitless / 2, LONGEST_WAIT))
            pause(lost, lost.after if lost.after is not None else own)
