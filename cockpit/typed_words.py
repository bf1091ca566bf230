"""Keys and words: letters typed or pasted where nothing takes words are no keys, least of all ones that steer a run."""

from __future__ import annotations

ALONE_SECONDS = 0.25
"""A letter that steers a run acts once it has stood alone for so long: words are typed more quickly."""
PACE_SECONDS = 0.5
"""Letters that follow each other within this belong to one word."""


class TypedWords:
    """The word that is being typed, if one is. Times are those of the keys, in seconds of one steady clock."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def begin(self, at: float) -> None:
        """A letter at this time was none of a key: what follows at the pace of typing is of the same word."""
        self._last = at

    def takes(self, at: float) -> bool:
        """Whether the letter or line end at this time goes on with the word; then the word goes on from it."""
        if at - self._last >= PACE_SECONDS:
            return False
        self._last = at
        return True

    def end(self) -> None:
        """What comes next is a key again."""
        self._last = float("-inf")
