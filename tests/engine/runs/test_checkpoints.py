"""What can be said of checkpoints without loading them."""

import hashlib
import json

import pytest

from engine.errors import UserError
from engine.runs.checkpoints import (
    Standing,
    checkpoint_names,
    copy_checkpoint,
    newest_checkpoint,
    standing,
)
from engine.runs.layout import RunPaths, create_run


def put(paths: RunPaths, name: str, ended: str = "", content: bytes = b"weights") -> None:
    place = paths.checkpoints / name
    place.mkdir(mode=0o700)
    stage, step = name.rsplit("-", 1)
    progress = {"stage": stage, "step": int(step), "steps": 9, "ended": ended}
    (place / "progress.json").write_text(json.dumps(progress))
    (place / "adapter.bin").write_bytes(content)
    digest = hashlib.blake2b(b"weights", digest_size=32).hexdigest()
    (place / "manifest.json").write_text(json.dumps({"adapter.bin": {"bytes": 7, "blake2b": digest}}))


def test_newest_by_stage_and_step_and_nothing_half_written(paths: RunPaths) -> None:
    assert newest_checkpoint(paths) is None
    for name in ("stage_b-000001", "stage_a-1000000", "stage_a-000200"):
        put(paths, name)
    (paths.checkpoints / ".stage_b-000009.partial").mkdir()
    assert checkpoint_names(paths) == ["stage_a-000200", "stage_a-1000000", "stage_b-000001"]
    newest = newest_checkpoint(paths)
    assert newest is not None and newest.name == "stage_b-000001"


def test_standing(paths: RunPaths) -> None:
    put(paths, "stage_a-000009", "finished")
    place = paths.checkpoints / "stage_a-000009"
    assert standing(place) == Standing("stage_a", 9, 9, "finished")
    (place / "progress.json").write_text("[")
    assert standing(place) is None


def test_copy_is_whole_or_not_there(paths: RunPaths) -> None:
    target = create_run(paths.root.parent, "other")
    with pytest.raises(UserError, match="no checkpoint yet"):
        copy_checkpoint(paths, None, target)
    put(paths, "stage_a-000001")
    put(paths, "stage_a-000002", content=b"weighty")
    with pytest.raises(UserError, match="not a whole checkpoint"):
        copy_checkpoint(paths, None, target)
    assert checkpoint_names(target) == []
    assert copy_checkpoint(paths, "stage_a-000001", target) == "stage_a-000001"
    assert (target.checkpoints / "stage_a-000001" / "adapter.bin").read_bytes() == b"weights"
    with pytest.raises(UserError, match="there are: stage_a-000001, stage_a-000002"):
        copy_checkpoint(paths, "stage_b-000001", target)
