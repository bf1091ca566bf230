"""Opening a run's database: one writer, any number of readers."""

from engine.runs.layout import RunPaths
from engine.runs.store.reader import NoEngine, RunReader, status_of
from engine.runs.store.schema import NotReady
from engine.runs.store.writer import RunWriter
from engine.runs.training_log import TrainingLog

__all__ = [
    "NoEngine",
    "NotReady",
    "RunReader",
    "RunWriter",
    "TrainingLog",
    "open_reader",
    "open_writer",
    "status_of",
]


def open_writer(
    paths: RunPaths, thorough: bool = False, training_log: TrainingLog | None = None
) -> RunWriter:
    """The writer; only for the process that holds the run's lock. `thorough` looks for damage in every page.

    An engine has a `training_log`, which is told what happens.
    """
    return RunWriter(paths, thorough, training_log)


def open_reader(paths: RunPaths) -> RunReader:
    """A reader. NotReady (a UserError) while there is no database, UserError if it cannot be read."""
    return RunReader(paths)
