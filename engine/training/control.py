"""What people ask of a running engine, taken between optimizer steps and between generation batches."""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from engine.errors import UserError
from engine.runs.lock import TakenOver
from engine.runs.pinned_paths import RunRemoved
from engine.runs.store.opening import RunWriter
from engine.runs.store.rows import Command
from engine.training.at_once import AtOnce

#: Carries out a command that does not end anything; returns its outcome in words.
Action = Callable[[Command], str]

#: How often a holding engine looks for commands, in seconds.
HOLD_POLL = 0.2


class Interrupt(Exception):
    """Park or stop was asked for: ends whatever is under way; the step done last is the one that counts.

    command: None where a signal asked. by_signal: whether the run was put to rest by that alone; one that holds
    rests already, and goes on when a person says so.
    """

    def __init__(self, verb: str, command: Command | None, reason: str, by_signal: bool = False) -> None:
        super().__init__(verb)
        self.verb, self.command, self.reason, self.by_signal = verb, command, reason, by_signal


def ended_early(writer: RunWriter, interrupt: Interrupt) -> None:
    """The run rests before there was a stage to make safe."""
    state = "stopped" if interrupt.verb == "stop" else "parked"
    writer.state(state, interrupt.reason, by_signal=interrupt.by_signal)
    if interrupt.command:
        writer.finish_command(interrupt.command.id, f"{state}, nothing was trained yet", ok=True)


class Signals:
    """What the system asks of the engine: SIGTERM and SIGINT are a wish to park.

    SIGHUP means that a terminal went away, which is none of the engine's business. asked: the signal's name, "" while
    there was none. wake: set by a signal.
    """

    def __init__(self) -> None:
        self.asked = ""
        self.wake = threading.Event()

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.note)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def note(self, number: int, frame: FrameType | None = None) -> None:
        self.asked = signal.Signals(number).name
        self.wake.set()


class Control:
    """Takes commands from the run directory, and says there what state the engine is in.

    at_once: does work that park, stop and signals end in its midst. look_after: done at every look for commands; what
    it raises ends whatever is under way.
    """

    def __init__(
        self, writer: RunWriter, signals: Signals, look_after: Callable[[], None] = lambda: None
    ) -> None:
        self._writer = writer
        self._signals = signals
        self._look_after = look_after
        self._busy = False
        self._state = ""
        self._waiting: deque[Command] = deque()
        self._taking = threading.Lock()
        self.at_once = AtOnce(self._look_aside, self._give_up, signals.note)
        self._action: Action | None = None
        self._held = 0.0

    def working(self) -> float:
        """A steady clock, in seconds, that stands while the engine holds."""
        return time.monotonic() - self._held

    @property
    def state(self) -> str:
        """The state written last."""
        return self._state

    def enter(self, state: str, message: str = "") -> str:
        """Write the state, if it is another one; returns the one before."""
        before = self._state
        if state != before:
            self._state = state
            self._writer.state(state, message)
        return before

    @contextmanager
    def answering(self, action: Action) -> Iterator[None]:
        """Inside the `with`, `action` carries out what is asked for besides hold, continue, park and stop."""
        before, self._action = self._action, action
        try:
            yield
        finally:
            self._action = before

    def poll(self) -> None:
        """Carry out what is asked, in the order it was asked in. Raises `Interrupt` for park and stop."""
        with self.at_once.undisturbed():
            for command in self._commands():
                self._carry_out(command)

    def hold(self, reason: str, seconds: float | None = None) -> None:
        """Wait, the model in memory, until somebody continues or `seconds` are over. Raises `Interrupt`."""
        self._hold(reason, None if seconds is None else time.monotonic() + seconds)

    def _commands(self) -> Iterator[Command]:
        """What waits, one at a time: a hold that one of them begins can take those behind it.

        What was asked behind a park or stop is refused, lest somebody waits for its outcome for ever.
        """
        self._look_after()
        self._heed_signal()
        self._take()
        while self._waiting:
            yield self._waiting.popleft()

    def refuse_all(self, reason: str) -> None:
        """Answer every command that was not begun, taken or not."""
        self._take()
        self.refuse_waiting(reason)

    def _take(self) -> None:
        with self._taking:
            self._waiting += self._writer.take_commands()

    def _look_aside(self) -> Exception | None:
        """What ends the work: park or stop, if somebody asked for it, or that the run is not the engine's any more.

        Meanwhile all but a hold and what came behind it is answered.
        """
        try:
            self._look_after()
            self._heed_signal()
            self._take()
            ending = next((one for one in self._waiting if one.verb in ("park", "stop")), None)
            if ending:
                self._waiting.remove(ending)
                self._carry_out(ending)
            while self._waiting and self._waiting[0].verb != "hold":
                self._carry_out(self._waiting.popleft())
        except (Interrupt, RunRemoved, TakenOver) as ended:
            return ended
        return None

    def _give_up(self, ended: Exception) -> None:
        if isinstance(ended, Interrupt):  # else there is no run to tell
            ended_early(self._writer, ended)

    def refuse_waiting(self, reason: str) -> None:
        """Answer every command that was taken and not begun."""
        while self._waiting:
            self._writer.finish_command(self._waiting.popleft().id, reason, ok=False)

    def _heed_signal(self) -> None:
        if self._signals.asked:
            reason = f"signal {self._signals.asked}"
            raise Interrupt("park", None, reason, by_signal=self._state != "holding")

    def _carry_out(self, command: Command) -> None:
        if command.verb in ("park", "stop"):
            self.refuse_waiting(f"{command.verb} was asked for as well")
            raise Interrupt(command.verb, command, f"asked by {command.who or 'someone'}")
        if command.verb == "hold":
            self._writer.finish_command(command.id, "holding; the model stays in memory", ok=True)
            self._hold(f"asked by {command.who or 'someone'}", None)
        elif command.verb == "continue":
            self._writer.finish_command(command.id, "not holding: nothing to continue", ok=True)
        elif self._busy:
            self._writer.finish_command(
                command.id, f"busy with another command; ask for {command.verb} again", ok=False
            )
        elif self._action:
            self._act(command, self._action)
        else:
            self._writer.finish_command(
                command.id, f"cannot {command.verb} yet: training has not begun", ok=False
            )

    def _act(self, command: Command, action: Action) -> None:
        """An action polls as well, so that a long one can be held or parked; a second action is refused."""
        self._busy = True
        try:
            outcome = action(command)
        except Interrupt:
            self._writer.finish_command(command.id, "interrupted", ok=False)
            raise
        except (UserError, OSError) as error:
            self._writer.finish_command(command.id, str(error), ok=False)
        else:
            self._writer.finish_command(command.id, outcome, ok=True)
        finally:
            self._busy = False

    def _hold(self, reason: str, deadline: float | None) -> None:
        began = time.monotonic()
        try:
            self._wait(reason, deadline)
        finally:
            self._held += time.monotonic() - began

    def _wait(self, reason: str, deadline: float | None) -> None:
        before = self.enter("holding", reason)
        while deadline is None or time.monotonic() < deadline:
            for asked in self._commands():
                if asked.verb == "continue":
                    self.enter(before)
                    self._writer.finish_command(asked.id, "going on", ok=True)
                    return
                if asked.verb == "hold":
                    self._writer.finish_command(asked.id, "holding already", ok=True)
                else:
                    self._carry_out(asked)
                    self.enter("holding", reason)
            self._signals.wake.wait(HOLD_POLL)
        self.enter(before)
