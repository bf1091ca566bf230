"""A model directory appears whole or not at all, whatever becomes of its maker."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.files.new_directory import new_directory

MAKES = """
from pathlib import Path
from engine.files.new_directory import new_directory
with new_directory(Path(sys.argv[1]), 0) as out:
    (out / "model.safetensors").write_text("weights")
    here()
"""


def test_what_a_killed_maker_left_goes_with_the_next(killed: Callable[..., None], tmp_path: Path) -> None:
    killed(MAKES, tmp_path / "first")
    assert len(list(tmp_path.rglob("model.safetensors"))) == 1 and not (tmp_path / "first").exists()
    with new_directory(tmp_path / "second", 0) as out:
        (out / "config.json").write_text("{}")
    assert [path.name for path in tmp_path.rglob("*")] == ["second", "config.json"]
    assert (tmp_path / "second").stat().st_mode & 0o777 == 0o700


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be made"), new_directory(tmp_path / "new", 0) as out:
        (out / "config.json").write_text("{}")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
