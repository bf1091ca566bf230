"""The message by which a screen asks the app to show another run."""

from __future__ import annotations

from textual.message import Message

from engine.runs.layout import RunPaths


class Chosen(Message):
    """A run was chosen to be shown."""

    def __init__(self, paths: RunPaths) -> None:
        super().__init__()
        self.paths = paths
