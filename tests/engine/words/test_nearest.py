"""What was probably meant."""

from pathlib import Path

from engine.words.nearest import did_you_mean, nearest, nearest_file


def test_the_nearest_word_whatever_its_case() -> None:
    assert nearest("TRIAN", ["train", "resume"]) == "train"
    assert nearest("xyzzy", ["train", "resume"]) == ""
    assert nearest("t" * 10**6, ["train"]) == ""


def test_without_a_near_one_all_are_named_but_no_more_than_are_read() -> None:
    assert did_you_mean("trian", ["train", "resume"]) == "did you mean train?"
    assert did_you_mean("xyzzy", ["train", "resume"]) == "choose from train, resume"
    assert did_you_mean("x", map(str, range(1000))).endswith("18, 19 and 980 more")
    assert did_you_mean("x", []) == ""


def test_the_nearest_file_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "night.yaml").touch()
    (tmp_path / "nihgt.txt").touch()
    assert nearest_file(tmp_path / "nihgt.yaml", ".yaml") == tmp_path / "night.yaml"
    assert nearest_file(tmp_path / "absent" / "night.yaml", ".yaml") is None
