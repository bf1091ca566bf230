"""The thread between a run directory and the screen.

One thread owns the reader. It reads once a second while the screen is seen, never two reads at a time, and
posts the whole state as one immutable message, only when something changed. Requests to the engine go through
it too.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from textual.message import Message

from cockpit.screens.flight_state import FlightState

POLL_SECONDS = 1.0
PENDING_SECONDS = 0.25
"""Between two looks while an answer of the engine is awaited."""


class Source(Protocol):
    """A run as the feed sees it. Every method is called on the feed's thread and may raise."""

    def read(self) -> FlightState: ...
    def request(self, verb: str) -> int:
        """Ask the engine; the id under which it answers."""
        ...

    def outcome(self, request: int) -> tuple[bool, str] | None:
        """(done, text) once the engine has answered."""
        ...

    def launch(self) -> str:
        """Start an engine that goes on with the run; a sentence that says so."""
        ...

    def close(self) -> None: ...


class StateArrived(Message):
    """The run looks like this now."""

    def __init__(self, state: FlightState) -> None:
        super().__init__()
        self.state = state

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, StateArrived)


class Answered(Message):
    """What became of a request."""

    def __init__(self, ok: bool, text: str) -> None:
        super().__init__()
        self.ok = ok
        self.text = text


class Trouble(Message):
    """The run cannot be read; `text` is empty once it can be again."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


Post = Callable[[Message], object]


class Feed(threading.Thread):
    """Reads `open_source()` and posts messages. A daemon: it never keeps the process from ending."""

    def __init__(self, open_source: Callable[[], Source], post: Post, poll_seconds: float) -> None:
        super().__init__(name="run-feed", daemon=True)
        self._open_source = open_source
        self._post = post
        self._poll_seconds = poll_seconds
        self._jobs: queue.SimpleQueue[Callable[[Source], None] | None] = queue.SimpleQueue()
        self._seen = threading.Event()
        self._seen.set()
        self._last: FlightState | None = None
        self._trouble = ""
        self._pending: dict[int, str] = {}

    def ask(self, verb: str) -> None:
        """Send a command to the engine; `Answered` follows."""
        self._jobs.put(lambda source: self._pending.update({source.request(verb): verb}))

    def launch(self) -> None:
        """Start an engine; `Answered` follows."""
        self._jobs.put(lambda source: self._answer(True, source.launch()))

    def hide(self) -> None:
        """The screen is not seen: stop reading."""
        self._seen.clear()

    def show(self) -> None:
        """The screen is seen again: read at once."""
        self._seen.set()
        self._jobs.put(lambda _source: None)

    def close(self) -> None:
        """End the thread; it does not wait."""
        self._jobs.put(None)

    def run(self) -> None:
        source: Source | None = None
        while True:
            try:
                source = source or self._open_source()
                if self._seen.is_set() or self._pending:
                    self._look(source)
                self._say_trouble("")
            except Exception as error:  # whatever is wrong with the run is shown; the app lives on
                self._say_trouble(str(error) or type(error).__name__)
            if not self._work(source):
                break
        if source is not None:
            source.close()

    def _look(self, source: Source) -> None:
        state = source.read()
        if state != self._last:
            self._last = state
            self._post(StateArrived(state))
        for request, verb in list(self._pending.items()):
            outcome = source.outcome(request)
            if outcome is not None:
                del self._pending[request]
                done, text = outcome
                self._answer(done, f"{verb}: {text}" if text else f"{verb}: {'done' if done else 'refused'}")

    def _work(self, source: Source | None) -> bool:
        """Do what is asked until the next look is due; False to end."""
        deadline = time.monotonic() + (PENDING_SECONDS if self._pending else self._poll_seconds)
        while True:
            idle = not self._seen.is_set() and not self._pending
            try:
                job = self._jobs.get(timeout=None if idle else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return True
            if job is None:
                return False
            if source is None:
                self._answer(False, self._trouble)
                return True
            try:
                job(source)
            except Exception as error:
                self._answer(False, str(error) or type(error).__name__)
            if self._jobs.empty():
                return True

    def _answer(self, ok: bool, text: str) -> None:
        self._post(Answered(ok, text))

    def _say_trouble(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._post(Trouble(text))
