"""The base model's download as the Setup screen sees it: looked at, begun and ended on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cockpit.toolkit.background import Answered, Background, Post
from engine.download.model_download import (
    DEFAULT_REPO,
    Download,
    default_directory,
    read_download,
    start_download,
    stop_download,
)
from engine.errors import UserError


@dataclass(frozen=True, slots=True)
class BaseModel:
    """Where the base model belongs, and how its download stands.

    directory: None where it ships with the program, or where no configuration says.
    """

    directory: Path | None = None
    download: Download | None = None

    @property
    def live(self) -> bool:
        return self.download is not None and self.download.live

    @property
    def repo(self) -> str:
        return self.download.repo if self.download else DEFAULT_REPO


class BaseModelSource:
    """Reads the state file that a download keeps beside its bytes."""

    def __init__(self) -> None:
        self._directory: Path | None = None

    def aim(self, config: Path | None) -> None:
        """Look at the base model of a configuration; without one at where `model fetch` puts its own."""
        self._directory = base_directory(config)

    def read(self) -> BaseModel:
        return BaseModel(self._directory, read_download(self._directory) if self._directory else None)

    def begin(self) -> Answered:
        """Start a download, or go on with the one that ended early."""
        base = self.read()
        if base.directory is None:
            return Answered(False, "there is no base model to download")
        revision = base.download.revision if base.download else "main"
        try:
            start_download(base.repo, revision, base.directory)
        except UserError as error:
            return Answered(False, str(error))
        return Answered(True, "the download goes on by itself, also without the app")

    def end(self) -> None:
        """Ask it to end; what is here stays, and its own last word says so."""
        download = self.read().download
        if download is not None:
            stop_download(download)

    def close(self) -> None: ...


class DownloadWatch(Background[BaseModelSource]):
    """Goes on looking at a living download while another screen is seen: its end is told wherever one is."""

    def __init__(self, post: Post, poll_seconds: float, open_source: Callable[[], BaseModelSource]) -> None:
        super().__init__(open_source, post, poll_seconds)
        self._live = False

    def busy(self) -> bool:
        return self._live

    def look(self, source: BaseModelSource) -> None:
        self._live = source.read().live
        super().look(source)


def base_directory(config: Path | None) -> Path | None:
    """The directory of a configuration's base model; None where that ships with the program or cannot be read."""
    if config is None:
        return default_directory(DEFAULT_REPO)
    from engine.config import load_config

    try:
        known = load_config(config)
    except UserError:
        return None  # the check says what is wrong with it
    return None if known.model.base == "bundled" else known.base_directory
