"""Opening a run's database: one writer, any number of readers."""

from engine.runs.layout import RunPaths
from engine.runs.reader import NoEngine, RunReader, status_of
from engine.runs.schema import NotReady
from engine.runs.writer import RunWriter

__all__ = ["NoEngine", "NotReady", "RunReader", "RunWriter", "open_reader", "open_writer", "status_of"]


def open_writer(paths: RunPaths, thorough: bool = False) -> RunWriter:
    """The writer; only for the process that holds the run's lock. `thorough` looks for damage in every page."""
    return RunWriter(paths, thorough)


def open_reader(paths: RunPaths) -> RunReader:
    """A reader. NotReady (a UserError) while there is no database, UserError if it cannot be read."""
    return RunReader(paths)
