"""Work that park, stop and a signal end in its midst, since nothing of it has to be kept: reading, loading, encoding.

The main thread is interrupted between two lines of Python, whoever wrote them. A call into a library that does not
come back in time is not waited for: the process ends from the thread that watches, after the run has been told.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Made = TypeVar("Made")

#: Between two looks at what is asked, in seconds.
LOOK_SECONDS = 0.2

#: How long a library's call may go on after somebody asked for the end, in seconds.
PATIENCE = 3.0

ENDING = (signal.SIGTERM, signal.SIGINT)


class _Ended(BaseException):
    """Raised wherever the main thread happens to be. No `except Exception` of a library may keep it."""


class AtOnce:
    """Does work that can be ended at any instant.

    look: asked from another thread; what the work is to be ended with, None while it may go on. give_up: tells the
    run, where the work cannot be ended otherwise than with the process. note: hears the number of a signal, which
    Python's own handler does not while a library's call lasts.
    """

    def __init__(
        self,
        look: Callable[[], Exception | None],
        give_up: Callable[[Exception], None],
        note: Callable[[int], None],
    ) -> None:
        self._look, self._give_up, self._note = look, give_up, note
        self._inside = self._ending = False
        self._asked: Exception | None = None
        self._over = threading.Event()

    def __call__(self, work: Callable[[], Made]) -> Made:
        """What `work` makes. Raises what `look` returns. In another thread than the main one it is merely done.

        What writes to the run within `work` does it `undisturbed`.
        """
        if threading.current_thread() is not threading.main_thread():
            return work()
        self._over.clear()
        self._asked, self._ending = None, False
        heard, told = os.pipe()
        os.set_blocking(told, False)
        before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGUSR1, self._nudged)  # for good: a late one would otherwise kill the process
        watch = threading.Thread(target=self._watch, args=(heard,), name="at-once", daemon=True)
        watch.start()
        made: list[Made] = []
        try:
            self._do(work, made)
        finally:
            self._over.set()
            watch.join()
            signal.set_wakeup_fd(before)
            os.close(heard)
            os.close(told)
        if self._asked is not None:
            raise self._asked
        return made[0]

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Inside the `with` nothing is interrupted; what was asked meanwhile ends the work right after it."""
        before, self._inside = self._inside, False
        try:
            yield
        finally:
            self._inside = before

    def _do(self, work: Callable[[], Made], made: list[Made]) -> None:
        try:
            self._inside = True
            made.append(work())
            self._inside = False
        except _Ended:
            pass
        finally:
            self._inside = False

    def _nudged(self, _number: int, _frame: FrameType | None) -> None:
        if self._inside and not self._ending:
            self._ending = True  # once: what is cleaned up on the way out is not interrupted again
            raise _Ended

    def _watch(self, heard: int) -> None:
        signals, since = 0, 0.0
        while not self._over.is_set():
            if select.select([heard], [], [], LOOK_SECONDS)[0]:
                numbers = [number for number in os.read(heard, 1024) if number in ENDING]
                signals += len(numbers)
                for number in numbers:
                    self._note(number)
            if not self._inside:
                continue
            if self._asked is None:
                self._asked, since = self._look(), time.monotonic()
            if self._asked is not None:
                if signals > 1 or time.monotonic() - since > PATIENCE:
                    self._give_up(self._asked)
                    os._exit(1)
                if not self._ending:
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                self._over.wait(LOOK_SECONDS)
