"""What comes from the terminal: bytes that are no text must not end the app."""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from functools import partial

from textual.drivers import linux_driver


def forgive_bytes() -> None:
    """From now on bytes that are no UTF-8 are read as U+FFFD, which is no key.

    Textual's driver decodes strictly and ends the app at the first one, as a line with noise may send them.
    """
    setattr(linux_driver, "getincrementaldecoder", _forgiving)  # noqa: B010


def _forgiving(encoding: str) -> partial[IncrementalDecoder]:
    return partial(getincrementaldecoder(encoding), errors="replace")
