"""The thread between files and a screen.

One thread owns the reader of a screen. It reads on a beat while the screen is seen, never two reads at a time,
and posts the whole state as one immutable message, only when something changed. What a key asks for is done on
it, too: the screen itself never waits for a file.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from textual.message import Message

POLL_SECONDS = 1.0


class Readable(Protocol):
    """What a screen shows, as the thread sees it. Every method is called on the thread and may raise."""

    def read(self) -> object:
        """What there is to show now; equal to the last one if nothing has to be drawn."""
        ...

    def close(self) -> None: ...


S = TypeVar("S", bound=Readable)


class Arrived(Message):
    """This is how things are now."""

    def __init__(self, state: object) -> None:
        super().__init__()
        self.state = state

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Arrived)


class Answered(Message):
    """What became of a request."""

    def __init__(self, ok: bool, text: str) -> None:
        super().__init__()
        self.ok = ok
        self.text = text


class Trouble(Message):
    """It cannot be read; `text` is empty once it can be again."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


Post = Callable[[Message], object]
Job = Callable[[S], Message | None]
"""Something to do with the source; the message it returns is posted."""


class Background(threading.Thread, Generic[S]):
    """Reads `open_source()` and posts messages. A daemon: it never keeps the process from ending."""

    def __init__(self, open_source: Callable[[], S], post: Post, poll_seconds: float) -> None:
        super().__init__(name="background", daemon=True)
        self._open_source = open_source
        self._post = post
        self._poll_seconds = poll_seconds
        self._jobs: queue.SimpleQueue[Job[S] | None] = queue.SimpleQueue()
        self._seen = threading.Event()
        self._seen.set()
        self._last: object = None
        self._trouble = ""

    def do(self, job: Job[S]) -> None:
        """Have `job` done, then read again; an error is answered."""
        self._jobs.put(job)

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
        source: S | None = None
        while True:
            try:
                source = source or self._open_source()
                if self._seen.is_set() or self.busy():
                    self.look(source)
                self._say_trouble("")
            except Exception as error:  # whatever is wrong with the files is shown; the app lives on
                self._say_trouble(str(error) or type(error).__name__)
            if not self._work(source):
                break
        if source is not None:
            source.close()

    def busy(self) -> bool:
        """Whether to go on looking although nobody sees it."""
        return False

    def beat(self) -> float:
        """Seconds until the next look."""
        return self._poll_seconds

    def look(self, source: S) -> None:
        """Read once, and post what is new."""
        state = source.read()
        if state != self._last:
            self._last = state
            self._post(Arrived(state))

    def answer(self, ok: bool, text: str) -> None:
        self._post(Answered(ok, text))

    def _work(self, source: S | None) -> bool:
        """Do what is asked until the next look is due; False to end."""
        deadline = time.monotonic() + self.beat()
        while True:
            idle = not self._seen.is_set() and not self.busy()
            try:
                job = self._jobs.get(timeout=None if idle else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return True
            if job is None:
                return False
            if source is None:
                if self._trouble:
                    self.answer(False, self._trouble)
                return True
            try:
                message = job(source)
                if message is not None:
                    self._post(message)
            except Exception as error:
                self.answer(False, str(error) or type(error).__name__)
            if self._jobs.empty():
                return True

    def _say_trouble(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._post(Trouble(text))
