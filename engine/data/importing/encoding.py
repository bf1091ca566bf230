"""In which encoding a foreign text file is written: UTF-8, UTF-16, or Windows-1252 where it can be nothing else."""

import codecs
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import UserError
from engine.files.plain_file import open_plain

_CHUNK = 2**20
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ESCAPED = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f\udc80-\udcff]")


@contextmanager
def open_text(path: Path) -> Iterator[tuple[IO[str], str]]:
    """The file's text, unpacked if its name ends in .gz, and a remark on its encoding where that is a guess.

    Line ends stay as they are. Raises UserError where the bytes are no text, OSError, EOFError or zlib.error where
    they cannot be read.
    """
    encoding, remark = _encoding(path)
    with _open_bytes(path) as file:
        yield io.TextIOWrapper(file, encoding=encoding, newline=""), remark


@contextmanager
def _open_bytes(path: Path) -> Iterator[IO[bytes]]:
    with open_plain(path, "rb") as file:
        if path.suffix.lower() == ".gz":
            with gzip.open(file, "rb") as unpacked:
                yield unpacked
        else:
            yield file


def _encoding(path: Path) -> tuple[str, str]:
    """The codec's name, and what to say of it.

    A byte that UTF-8 does not know makes the file Windows-1252, but only where none of its other characters are
    UTF-8: else it is a UTF-8 file with a damaged place, and every name in it would be misread.
    """
    with _open_bytes(path) as file:
        head = file.read(4096)
        if head[:2] in _UTF16:
            return "utf-16", ""
        if codec := _utf16_without_mark(head):
            return codec, "read as UTF-16 without a byte order mark"
        decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        strange: int | None = None
        known, place, chunk = False, 0, head
        while chunk:
            text = decoder.decode(chunk)
            known = known or (_BEYOND_ASCII.search(text.lstrip("\ufeff")) is not None)
            if strange is None and (match := _ESCAPED.search(text)):
                strange = place + len(text[: match.start()].encode("utf-8"))
            place += len(text.encode("utf-8", "surrogateescape"))
            chunk = file.read(_CHUNK)
        tail = decoder.decode(b"", final=True)
    if tail and strange is None:
        strange = place
    if strange is None:
        return "utf-8-sig", ""
    if known:
        raise UserError(f"{path}: is not UTF-8 (byte {strange}), but the rest of it is; the place is damaged")
    _refuse_what_windows_does_not_know(path)
    return "cp1252", "the file is not UTF-8: read as Windows-1252"


def _utf16_without_mark(head: bytes) -> str | None:
    """The codec of text most of whose characters are ASCII, and so have a zero byte on the same side."""
    for codec, zeros, letters in (
        ("utf-16-le", head[1::2], head[::2]),
        ("utf-16-be", head[::2], head[1::2]),
    ):
        if len(head) >= 4 and zeros.count(0) > 0.8 * len(zeros) and not letters.count(0):
            return codec
    return None


def _refuse_what_windows_does_not_know(path: Path) -> None:
    place = 0
    with _open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            try:
                chunk.decode("cp1252")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{path}: is neither UTF-8 nor Windows-1252 (byte {place + error.start}); save it as UTF-8"
                ) from None
            place += len(chunk)
