"""Writes that found no room on the disk wait here, oldest first, within a bound."""

import heapq
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice

Work = Callable[[sqlite3.Connection], None]

#: Bytes, roughly, that may wait; hours of scalars.
BOUND_BYTES = 64 * 2**20

_PLURALS = {"scalars": "steps' scalars", "sample": "samples", "event": "events"}


@dataclass(frozen=True, slots=True)
class Write:
    """One transaction's worth. Done twice after a failure it must leave what it leaves done once."""

    kind: str
    work: Work
    bytes: int = 200
    vital: bool = False
    """Never given up: states, checkpoints, what became of commands."""
    durable: bool = False
    """On the platter when it is done, not in the system's cache."""
    replaces: bool = False
    """Only the last of these is worth storing."""


class PendingWrites:
    """The writes that wait. Past the bound the oldest that is not vital is given up, and counted."""

    def __init__(self) -> None:
        self._vital: deque[tuple[int, Write]] = deque()
        self._bulk: deque[tuple[int, Write]] = deque()
        self._latest: Write | None = None
        self._number = 0
        self._bytes = 0
        self.lost: Counter[str] = Counter()
        self.since = 0.0
        self.reason = ""

    def __len__(self) -> int:
        return len(self._vital) + len(self._bulk) + (self._latest is not None)

    def begin(self, reason: str) -> None:
        """From now on writes wait."""
        self.since, self.reason = time.time(), reason
        self.lost.clear()

    def put(self, write: Write) -> None:
        """Add a write behind the others; past the bound the oldest that may be lost are dropped and counted."""
        if write.replaces:
            self._latest = write
            return
        self._number += 1
        (self._vital if write.vital else self._bulk).append((self._number, write))
        self._bytes += write.bytes
        while self._bytes > BOUND_BYTES and self._bulk:
            _, given_up = self._bulk.popleft()
            self._bytes -= given_up.bytes
            self.lost[given_up.kind] += 1

    def first(self, count: int) -> list[Write]:
        """The oldest `count`; they stay until `remove`."""
        ordered = heapq.merge(self._vital, self._bulk, key=lambda entry: entry[0])
        latest = [self._latest] if self._latest else []
        return list(islice(chain((write for _, write in ordered), latest), count))

    def remove(self, count: int) -> None:
        """Take the oldest `count` away."""
        for _ in range(count):
            if not self._vital and not self._bulk:
                self._latest = None
                continue
            vital_first = self._vital and (not self._bulk or self._vital[0][0] < self._bulk[0][0])
            _, done = (self._vital if vital_first else self._bulk).popleft()
            self._bytes -= done.bytes

    def lost_words(self) -> str:
        """`12 steps' scalars, 3 samples`; empty if nothing was given up."""
        return ", ".join(f"{count:,} {_PLURALS.get(kind, kind)}" for kind, count in sorted(self.lost.items()))
