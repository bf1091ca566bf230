from pathlib import Path

from engine.files.removal import remove


def test_directories_go_with_all_that_is_in_them_and_links_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("kept")
    going = tmp_path / "going"
    (going / "inner").mkdir(parents=True)
    (going / "inner" / "link").symlink_to(other)
    (tmp_path / "link").symlink_to(other)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for name in ("going", "link", "dangling", "file", "never there"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert (other / "kept").read_text() == "kept"
