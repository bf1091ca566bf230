"""Symbolic links among the films: import, build and training follow one rule, and say the same of it."""

import json
import shutil
from pathlib import Path

import pytest

from engine.data.curriculum import read_curriculum
from engine.data.images import open_image
from engine.data.importing.importer import import_curriculum
from engine.data.mimic.build import build_curriculum
from engine.errors import UserError
from engine.phantom.dataset import write_dataset
from engine.training.prepare import check_images


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "tree", 6, 1, 64, 1)
    return tmp_path / "tree"


def test_films_on_another_disk(tree: Path, tmp_path: Path) -> None:
    root = tree / "mimic-cxr-jpg" / "2.1.0"
    build_curriculum(tree, tmp_path / "before")
    samples = read_curriculum(tmp_path / "before" / "curriculum.jsonl")
    disk = tmp_path / "disk"
    disk.mkdir()
    shutil.move(root / "files", disk / "files")
    (root / "files").symlink_to(disk / "files")
    rule = f"leads outside the image root through a symbolic link; give {disk} as the image root"

    with pytest.raises(UserError) as opened:
        open_image(root, samples[0].image)
    assert str(opened.value) == f"{root / samples[0].image}: {rule}"
    with pytest.raises(UserError) as checked:
        check_images(root, samples, 1, lambda _text: None, lambda: None)
    assert rule in str(checked.value)
    records = tmp_path / "in.json"
    records.write_text(json.dumps([{"image": samples[0].image, "report": "Clear."}]))
    with pytest.raises(UserError) as imported:
        import_curriculum([records], tmp_path / "out", image_root=root)
    assert rule in str(imported.value)
    with pytest.raises(UserError) as built:
        build_curriculum(tree, tmp_path / "after")
    assert rule in str(built.value)

    assert (
        import_curriculum([records], tmp_path / "out", image_root=disk).samples[0].image == samples[0].image
    )
    assert check_images(disk, samples, 1, lambda _text: None, lambda: None) == len(
        {one.image for one in samples}
    )


def test_films_that_show_nothing_are_told_before_training(tree: Path, tmp_path: Path) -> None:
    from PIL import Image

    build_curriculum(tree, tmp_path / "out")
    samples = read_curriculum(tmp_path / "out" / "curriculum.jsonl")
    root = tree / "mimic-cxr-jpg" / "2.1.0"
    Image.new("L", (64, 64)).save(root / samples[0].image)
    told: list[str] = []
    check_images(root, samples, 2, told.append, lambda: None)
    assert any(
        line.startswith("films that show nothing, learned from all the same: 1 ") and samples[0].image in line
        for line in told
    )
