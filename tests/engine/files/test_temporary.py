"""What a killed process was making or removing is gone after the next start in the same place."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.files.temporary import PREFIX, holder, sweep, write_private

Killed = Callable[..., None]

MAKES = """
from pathlib import Path
from engine.files.temporary import holder
with holder(Path(sys.argv[1])) as made:
    (made.path / "rows").mkdir()
    (made.path / "rows" / "1").write_text("Mrs X")
    here()
"""

#: A holder whose lock a child of its maker has inherited; the child says so and lives on until a pipe ends.
HANDS_ON = """
import subprocess
from pathlib import Path
from engine.files.temporary import holder
with holder(Path(sys.argv[1])) as made:
    lives = f"open({sys.argv[2]!r}, 'w').close(); open({sys.argv[3]!r}).read()"
    subprocess.Popen([sys.executable, "-c", lives], pass_fds=(made.lock,), stdin=subprocess.DEVNULL)
    open(sys.argv[2]).read()
    here()
"""


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_it_goes_with_the_block_however_that_ends(tmp_path: Path) -> None:
    with holder(tmp_path) as made:
        assert made.path.stat().st_mode & 0o777 == 0o700
        (made.path / "content").write_text("Mrs X")
        (made.path / "content").rename(tmp_path / "kept")
        (made.path / "link").symlink_to(tmp_path)
    with pytest.raises(KeyboardInterrupt), holder(tmp_path) as made:
        (made.path / "deep" / "er").mkdir(parents=True)
        raise KeyboardInterrupt
    assert names(tmp_path) == ["kept"]


def test_what_a_killed_maker_left_is_swept(killed: Killed, tmp_path: Path) -> None:
    killed(MAKES, tmp_path)
    (left,) = names(tmp_path)
    assert (tmp_path / left / "rows" / "1").read_text() == "Mrs X"
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_living_maker_is_spared(tmp_path: Path) -> None:
    with holder(tmp_path) as made:
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, pathlib; from engine.files.temporary import sweep; sweep(pathlib.Path(sys.argv[1]))",
                str(tmp_path),
            ],
            check=True,
        )
        sweep(tmp_path)
        assert names(tmp_path) == [made.path.name]


def test_a_child_that_inherited_the_lock_is_a_maker_too(killed: Killed, tmp_path: Path) -> None:
    lives, ends, place = tmp_path / "lives", tmp_path / "ends", tmp_path / "place"
    os.mkfifo(lives)
    os.mkfifo(ends)
    place.mkdir()
    killed(HANDS_ON, place, lives, ends)
    with ends.open("w"):
        sweep(place)
        assert len(names(place)) == 1
    with (next(place.iterdir()) / "lock").open("r+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)  # returns when the child is gone
    sweep(place)
    assert names(place) == []


def test_a_maker_killed_before_its_lock_was_there(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}abc").mkdir()
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_links_in_it_are_not_followed(killed: Killed, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("stays")
    place = tmp_path / "place"
    place.mkdir()
    killed(
        MAKES.replace("here()", "(made.path / 'link').symlink_to(sys.argv[2]); here()"),
        place,
        tmp_path / "mine",
    )
    (place / f"{PREFIX}link").symlink_to(tmp_path / "mine")
    sweep(place)
    assert names(place) == [f"{PREFIX}link"] and names(tmp_path / "mine") == ["file"]


def test_what_cannot_be_removed_is_said(
    killed: Killed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    killed(MAKES, tmp_path)

    def refuse(path: object, *_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("engine.files.removal.shutil.rmtree", refuse)
        sweep(tmp_path)
    assert "left by a process that was killed" in caplog.text and "not permitted" in caplog.text
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_file_is_whole_or_as_it_was(killed: Killed, tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    write_private(path, ["old\n"])
    assert path.stat().st_mode & 0o777 == 0o600
    script = (
        "from pathlib import Path; import os; from engine.files.temporary import write_private\n"
        "os.fsync = here; write_private(Path(sys.argv[1]), ['Mrs X\\n'])"
    )
    killed(script, path)
    assert path.read_text() == "old\n" and len(names(tmp_path)) == 2
    write_private(path, ["new\n"])
    assert path.read_text() == "new\n" and names(tmp_path) == ["curriculum.jsonl"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file")
    with pytest.raises(OSError) as refused:
        write_private(tmp_path / "there" / "x", ["text"])
    assert refused.value.filename == str(tmp_path / "there" / "x")
