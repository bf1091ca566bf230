"""Opening a run's database: one writer, any number of readers."""

from engine.runs.layout import RunPaths
from engine.runs.store.reader import NoEngine, RunReader, status_of
from engine.runs.store.schema import NotReady
from engine.runs.store.writer import RunWriter
from engine.runs.story import Story

__all__ = [
    "NoEngine",
    "NotReady",
    "RunReader",
    "RunWriter",
    "Story",
    "open_reader",
    "open_writer",
    "status_of",
]


def open_writer(paths: RunPaths, thorough: bool = False, story: Story | None = None) -> RunWriter:
    """The writer; only for the process that holds the run's lock. `thorough` looks for damage in every page.

    An engine has a `story`, which is told to its log.
    """
    return RunWriter(paths, thorough, story)


def open_reader(paths: RunPaths) -> RunReader:
    """A reader. NotReady (a UserError) while there is no database, UserError if it cannot be read."""
    return RunReader(paths)
