import os
import socket
from pathlib import Path

import pytest

from engine.files.plain_file import NotPlain, is_plain, open_descriptor, open_plain, read_text


def test_a_plain_file_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open_plain(path, "w") as file:
        file.write("ä\n")
    assert read_text(path) == "ä\n"
    assert path.stat().st_mode & 0o777 == 0o600
    with open_plain(path, "w") as file:
        file.write("b")
    assert read_text(path) == "b"


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for mode in ("r", "rb", "w", "a"):
        with pytest.raises(NotPlain, match="named pipe") as caught:
            open_plain(path, mode)
        assert caught.value.filename == str(path)
    assert not is_plain(path)


def test_sockets_devices_and_directories_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(NotPlain, match="a socket"):
            read_text(tmp_path / "socket")
    with pytest.raises(NotPlain, match="a device"):
        read_text("/dev/zero")
    with pytest.raises(NotPlain, match="a directory"):
        read_text(tmp_path)


def test_a_link_is_followed_only_where_it_may_be(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("secret")
    link.symlink_to(target)
    assert read_text(link) == "secret" and is_plain(link)
    with pytest.raises(NotPlain, match="a link"):
        open_plain(link, "w", links=False)
    assert target.read_text() == "secret" and not is_plain(link, links=False)


def test_nothing_is_cut_before_it_is_known_to_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("whole")
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(NotPlain):
        open_descriptor(link, os.O_WRONLY | os.O_TRUNC, links=False)
    assert path.read_text() == "whole"


def test_what_is_not_there_or_not_allowed_says_so_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="symbolic links"):
        read_text(tmp_path / "loop")
