"""The thread of the Flight screen: reads the run, and carries requests to its engine and answers back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cockpit.screens.flight.state import FlightState, Wanted
from cockpit.toolkit.background import Background, Post

PENDING_SECONDS = 0.25
"""Between two looks while an answer of the engine is awaited."""


class Source(Protocol):
    """A run as the feed sees it. Every method is called on the feed's thread and may raise."""

    def read(self) -> FlightState: ...
    def request(self, verb: str) -> int:
        """Ask the engine; the id under which it answers."""
        ...

    def look_at(self, wanted: Wanted | None) -> None:
        """Read this part of a series, too."""
        ...

    def outcome(self, request: int) -> tuple[bool, str] | None:
        """(done, text) once the engine has answered."""
        ...

    def launch(self) -> str:
        """Start an engine that goes on with the run; a sentence that says so."""
        ...

    def close(self) -> None: ...


class Feed(Background[Source]):
    """Looks more often while an answer is awaited, even if the screen is not seen."""

    def __init__(self, open_source: Callable[[], Source], post: Post, poll_seconds: float) -> None:
        super().__init__(open_source, post, poll_seconds)
        self._pending: dict[int, str] = {}

    def ask(self, verb: str) -> None:
        """Send a command to the engine; `Answered` follows."""
        self.do(lambda source: self._pending.update({source.request(verb): verb}))

    def launch(self) -> None:
        """Start an engine; `Answered` follows."""
        self.do(lambda source: self.answer(True, source.launch()))

    def look_at(self, wanted: Wanted | None) -> None:
        """Have a part of a series read, at once and at every later look."""
        self.do(lambda source: source.look_at(wanted))

    def busy(self) -> bool:
        return bool(self._pending)

    def beat(self) -> float:
        return PENDING_SECONDS if self._pending else super().beat()

    def look(self, source: Source) -> None:
        super().look(source)
        for request, verb in list(self._pending.items()):
            outcome = source.outcome(request)
            if outcome is not None:
                del self._pending[request]
                done, text = outcome
                self.answer(done, f"{verb}: {text}" if text else f"{verb}: {'done' if done else 'refused'}")
