"""A base model's download as lines: the whole and, under it, the file under way."""

from __future__ import annotations

from engine.download.model_download import Download
from engine.words.durations import duration
from engine.words.printable import one_line
from engine.words.sizes import on_disk


def progress_lines(download: Download) -> list[str]:
    """` 34 %  5.14 GB of 15.13 GB   42.1 MB/s   left 4 min`, then the same of the file under way."""
    if not download.files or download.state == "asking":
        return [f"asking {one_line(download.repo)} what there is" + _note(download)]
    lines = [_line("", download.done, download.total) + _speed(download) + _note(download)]
    under_way = download.under_way
    if under_way:
        lines.append(_line(one_line(under_way.path), under_way.done, under_way.bytes))
    return lines


def _line(what: str, done: int, total: int) -> str:
    """`model-00002-of-00004.safetensors  34 %  1.72 GB of 5.00 GB`"""
    share = done / total if total else 1.0
    return f"{what + '  ' if what else ''}{int(100 * share):3d} %  {on_disk(done)} of {on_disk(total)}"


def _speed(download: Download) -> str:
    if download.bytes_per_second is None:
        return ""
    left = f"   left {duration(download.seconds_left)}" if download.seconds_left is not None else ""
    return f"   {on_disk(download.bytes_per_second)}/s{left}"


def _note(download: Download) -> str:
    return {"fetching": "", "asking": ""}.get(download.state, f"   {download.state}") + (
        f" {one_line(download.message)}" if download.message else ""
    )
