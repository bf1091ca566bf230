"""What can be said of checkpoints without loading them."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.runs.checkpoints import (
    CheckpointMeta,
    best_names,
    checkpoint_names,
    copy_checkpoint,
    flaw,
    newest_checkpoint,
    read_meta,
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
    assert read_meta(place) == CheckpointMeta("stage_a", 9, 9, "finished")
    (place / "progress.json").write_text("[")
    assert read_meta(place) is None


PROGRESS = {"stage": "stage_a", "step": 9, "steps": 9, "ended": "", "val_loss": 1.5, "skipped": 0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stage", 1),
        ("step", "9"),
        ("step", 9.0),
        ("step", True),
        ("steps", None),
        ("steps", -1),
        ("ended", "crashed"),
        ("ended", []),
        ("val_loss", "1.5"),
        ("val_loss", False),
        ("skipped", {}),
        ("colour", "red"),
    ],
)
def test_a_standing_of_another_kind_is_none(paths: RunPaths, key: str, value: object) -> None:
    place = paths.checkpoints / "stage_a-000009"
    place.mkdir()
    (place / "progress.json").write_text(json.dumps(PROGRESS))
    assert read_meta(place) == CheckpointMeta("stage_a", 9, 9, "", 1.5)
    (place / "progress.json").write_text(json.dumps(PROGRESS | {key: value}))
    assert read_meta(place) is None


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(
    st.one_of(
        ANYTHING,
        st.fixed_dictionaries({}, optional=dict.fromkeys(PROGRESS, ANYTHING)),
        st.dictionaries(st.sampled_from(sorted(PROGRESS)), ANYTHING).map(lambda some: PROGRESS | some),
    ),
    st.dictionaries(st.text(), st.one_of(ANYTHING, st.just({"bytes": 0, "blake2b": ""})), max_size=3),
)
def test_whatever_stands_in_its_files_is_judged(
    tmp_path_factory: pytest.TempPathFactory, progress: object, manifest: object
) -> None:
    place = tmp_path_factory.mktemp("checkpoint")
    (place / "progress.json").write_text(json.dumps(progress))
    (place / "manifest.json").write_text(json.dumps(manifest))
    assert isinstance(flaw(place), str)
    found = read_meta(place)
    if found is not None:  # fit for all that is done with one
        assert f"{found.stage} {found.step:,} of {found.steps:,} {found.skipped_steps:d} {found.ended}"
        best_names({"one": found, "other": found})


def test_files_nested_without_end_are_judged(paths: RunPaths) -> None:
    put(paths, "stage_a-000009")
    place = paths.checkpoints / "stage_a-000009"
    for name in ("progress.json", "manifest.json"):
        (place / name).write_text("[" * 200_000)
    assert read_meta(place) is None
    assert flaw(place) == "manifest.json is damaged"


def test_no_link_is_copied(paths: RunPaths, tmp_path: Path) -> None:
    put(paths, "stage_a-000001")
    place, secret = paths.checkpoints / "stage_a-000001", tmp_path / "curriculum.jsonl"
    secret.write_bytes(b"weights")
    target = create_run(paths.root.parent, "target")
    for name in ("adapter.bin", "notes.txt"):
        kept = (place / name).read_bytes() if (place / name).exists() else None
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(secret)
        with pytest.raises(UserError, match=f"{name}: is a link, not a plain file"):
            copy_checkpoint(paths, None, create_run(paths.root.parent, f"target-{name}"))
        (place / name).unlink()
        if kept is not None:
            (place / name).write_bytes(kept)
    assert copy_checkpoint(paths, None, target) == "stage_a-000001"


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
