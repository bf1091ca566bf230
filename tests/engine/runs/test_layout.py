"""Finding and naming runs."""

import os
import stat
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runs import layout


def test_create_run_is_private(tmp_path: Path) -> None:
    paths = layout.create_run(tmp_path / "runs", "night")
    for directory in (paths.root.parent, paths.root, paths.checkpoints):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_create_run_refuses_a_taken_name(tmp_path: Path) -> None:
    layout.create_run(tmp_path, "night")
    with pytest.raises(UserError, match="resume night"):
        layout.create_run(tmp_path, "night")


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "-x", "a b", "é", "x" * 101, "..", "a\n"])
def test_unfit_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        layout.create_run(tmp_path, name)


def test_next_free_name(tmp_path: Path) -> None:
    assert layout.next_free_name(tmp_path, "demo") == "demo"
    layout.create_run(tmp_path, "demo")
    layout.create_run(tmp_path, "demo-2")
    assert layout.next_free_name(tmp_path, "demo") == "demo-3"


def test_runs_dir_prefers_option_then_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CXR_RUNS", raising=False)
    assert layout.runs_dir() == tmp_path / "runs"
    monkeypatch.setenv("CXR_RUNS", "/elsewhere")
    assert layout.runs_dir() == Path("/elsewhere")
    assert layout.runs_dir("mine") == tmp_path / "mine"


def test_resolve_run_by_name_and_path(tmp_path: Path) -> None:
    paths = layout.create_run(tmp_path, "night")
    paths.config.touch()
    assert layout.resolve_run("night", tmp_path) == paths
    assert layout.resolve_run(str(paths.root), Path("/nowhere")).root == paths.root


def test_unknown_run_names_near_ones(tmp_path: Path) -> None:
    layout.create_run(tmp_path, "night-run").config.touch()
    with pytest.raises(UserError, match="did you mean night-run"):
        layout.resolve_run("nihgt-run", tmp_path)
    with pytest.raises(UserError, match="there are night-run"):
        layout.resolve_run("zzz", tmp_path)
    with pytest.raises(UserError, match="no runs there"):
        layout.resolve_run("zzz", tmp_path / "empty")


def test_directory_without_a_run_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run at"):
        layout.resolve_run(str(tmp_path), tmp_path)


def test_list_runs_newest_first_and_nothing_hidden(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "old"]):
        paths = layout.create_run(tmp_path, name)
        paths.config.touch()
        os.utime(paths.root, (1000 - age, 1000 - age))
    (tmp_path / ".phantom-1").mkdir()
    (tmp_path / ".phantom-1" / "config.yaml").touch()
    (tmp_path / "no-run").mkdir()
    assert [paths.name for paths in layout.list_runs(tmp_path)] == ["new", "old"]
    assert layout.list_runs(tmp_path / "absent") == []


def test_checkpoint_names() -> None:
    assert layout.checkpoint_name("stage_a", 400) == "stage_a-000400"
    assert layout.parse_checkpoint_name("stage_a-000400") == ("stage_a", 400)
    assert layout.parse_checkpoint_name("stage_b-1234567") == ("stage_b", 1234567)
    assert layout.parse_checkpoint_name("tmp-stage") is None


def test_the_command_to_go_on_works_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CXR_RUNS", raising=False)
    usual = layout.RunPaths(tmp_path / "runs" / "night")
    assert usual.resume_command == "cxr-cockpit resume night"
    assert usual.command("status", "--watch") == "cxr-cockpit status night --watch"
    elsewhere = layout.RunPaths(tmp_path / "two words" / "night")
    assert elsewhere.resume_command == f"cxr-cockpit resume night --runs '{tmp_path}/two words'"
    # whoever pastes it may have no such variable, or another one
    monkeypatch.setenv("CXR_RUNS", str(tmp_path / "other"))
    for name in ("runs", "other"):
        run = layout.RunPaths(tmp_path / name / "night")
        assert run.resume_command == f"cxr-cockpit resume night --runs {tmp_path}/{name}"


def test_a_directory_that_somebody_renamed_is_found_as_it_is_listed(tmp_path: Path) -> None:
    for name in ("bad night", "nuit d'été"):
        layout.create_run(tmp_path, "x").root.rename(tmp_path / name)
        (tmp_path / name / "run.db").touch()
        assert layout.resolve_run(name, tmp_path).root == tmp_path / name
    assert {paths.name for paths in layout.list_runs(tmp_path)} == {"bad night", "nuit d'été"}


@pytest.mark.parametrize("name", ["x" * 300, "/" + "x/" * 3000, "~nobody-of-that-name/x", "", ".", "a\0b"])
def test_what_can_be_no_path_is_no_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        layout.resolve_run(name, tmp_path)


def test_a_home_that_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="~nobody-of-that-name/runs: no home directory is known"):
        layout.runs_dir("~nobody-of-that-name/runs")
