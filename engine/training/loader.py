"""The micro-batches of a stage, step by step: decoded ahead of need, with other samples in the place of lost films."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from engine.training.batches import Batch, Collator, Encoded
from engine.training.quarantine import FilmsFail, LostFilm, Quarantine, substitutes
from engine.training.schedule import StageSchedule

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(kw_only=True)
class StageLoader:
    """Makes what the schedule asks for. pool: the samples that its indices mean. workers: threads that decode."""

    schedule: StageSchedule
    pool: Sequence[Encoded]
    collator: Collator
    quarantine: Quarantine
    workers: int

    def steps(self, after: int) -> Iterator[tuple[int, list[Batch]]]:
        """Every optimizer step behind `after` with its micro-batches.

        A film that cannot be read is told to the quarantine, and another sample takes its place. Raises `FilmsFail`
        where that is more than the run bears.
        """
        micro_batches: list[Batch] = []
        for asked, made in prefetched(
            self._wanted(after), lambda asked: (asked, self._make(asked)), self.workers
        ):
            micro_batches.append(self._settle(asked, made))
            if asked.last:
                yield asked.step, micro_batches
                micro_batches = []

    def _wanted(self, after: int) -> Iterator["_MicroBatch"]:
        per_epoch = self.schedule.steps_per_epoch
        for epoch in range(after // per_epoch, self.schedule.section.epochs):
            for within, indices_of in enumerate(self.schedule.epoch(epoch), 1):
                step = epoch * per_epoch + within
                if step <= after:
                    continue
                for number, indices in enumerate(indices_of, 1):
                    samples = [self.pool[index] for index in indices]
                    yield _MicroBatch(step=step, epoch=epoch, last=number == len(indices_of), samples=samples)

    def _make(self, asked: "_MicroBatch") -> "_Made":
        """The batch of what is asked for, with substitutes for lost films. Runs ahead, in threads."""
        samples = [self._readable(one, asked) for one in asked.samples]
        try:
            return samples, self.collator.training(samples)
        except LostFilm as lost:
            return samples, lost

    def _settle(self, asked: "_MicroBatch", made: "_Made") -> Batch:
        """`made`, once it is what it would be had every batch been made after the one before it.

        The threads look ahead: one may have met a film that the batch before it was about to lose.
        """
        stage = self.schedule.stage
        while True:
            samples, outcome = made
            if isinstance(outcome, LostFilm):
                self.quarantine.add(outcome, stage, asked.step, [one.sample for one in self.pool])
            elif not any(self.quarantine.holds(one.sample, stage, asked.step) for one in samples):
                return outcome
            made = self._make(asked)

    def _readable(self, one: Encoded, asked: "_MicroBatch") -> Encoded:
        """The sample itself, or its substitute: of the same stage, drawn by its id."""
        stage, step = self.schedule.stage, asked.step
        if not self.quarantine.holds(one.sample, stage, step):
            return one
        alike = [other for other in self.pool if other.sample.stage == one.sample.stage]
        for index in substitutes(
            self.schedule.seed, stage, asked.epoch, one.sample, [other.sample for other in alike]
        ):
            if not self.quarantine.holds(alike[index].sample, stage, step):
                return alike[index]
        raise FilmsFail(f"every film of {one.sample.stage} has failed")


@dataclass(frozen=True, kw_only=True)
class _MicroBatch:
    """What is asked for. last: whether it is the last one of its step."""

    step: int
    epoch: int
    last: bool
    samples: list[Encoded]


#: The samples that were taken, and their batch or the film that failed.
_Made = tuple[list[Encoded], Batch | LostFilm]


def prefetched(items: Iterable[Item], make: Callable[[Item], Made], workers: int) -> Iterator[Made]:
    """`make` of every item in order, made in `workers` threads a few items ahead of need.

    Threads suffice: Pillow and numpy let the interpreter go while they work. Closing the iterator ends them.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    pending: deque[Future[Made]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(make, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
