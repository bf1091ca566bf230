"""Fixing for real: pip installs small wheels offline, and undoing restores every byte."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError
from engine.setup_check.fix import snapshot
from engine.setup_check.fix.apply import apply_plan, undo_last
from engine.setup_check.fix.plan import Change, Plan


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with mode, time and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            about = path.stat()
            found[str(path)] = (stat.S_IMODE(about.st_mode), about.st_mtime_ns, path.read_bytes())
    return found


def folders(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("*") if path.is_dir()}


@pytest.fixture
def broken(environment: Any, make_wheel: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    """transformers lacks what peft imports; wheels that fix it lie ready, and no network is needed."""
    environment.install("tokenizers", "0.19.1")
    environment.install("transformers", "4.41.0")
    init = environment.site / "transformers" / "__init__.py"
    init.write_text(
        "".join(x for x in init.read_text().splitlines(True) if "Cache: pass" not in x or "class Cache" in x)
    )
    check = environment.site / "transformers" / "dependency_versions_check.py"
    check.write_text("def check(): pass\n")
    wheels = environment.root.parent / "wheels"
    make_wheel(wheels, "transformers", "4.57.6", requires=["tokenizers>=0.22,<=0.23", "huggingface-hub<1"])
    make_wheel(wheels, "transformers", "5.23.0", requires=["tokenizers>=0.23.1", "brand-new"])
    make_wheel(wheels, "tokenizers", "0.22.2", files={"tokenizers/extra/data.py": "x = 1"})
    make_wheel(wheels, "tokenizers", "0.19.1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return environment


def test_from_finding_to_green_and_back(broken: Any) -> None:
    check = broken.check()
    assert [one.id for one in check.run() if one.status == "fail" and one.fix] == [
        "peft-016-017-old-transformers"
    ]
    assert check.plan is not None and check.plan.proof == "pip's dry run against the index"
    before, folders_before = tree(broken.root), folders(broken.root)
    said: list[str] = []
    well, kept = apply_plan(check.plan, check.facts, said.append)
    assert well and any("Successfully installed" in line for line in said)
    again = broken.check()
    list(again.run())
    assert again.ok, again.fails
    assert tree(broken.root) != before
    _, count = undo_last(kept.prefix)
    assert count == len(kept.kept) > 0
    assert tree(broken.root) == before
    assert folders(broken.root) == folders_before


def test_the_printed_command_fixes_by_itself(broken: Any) -> None:
    check = broken.check()
    list(check.run())
    (fail,) = [one for one in check.findings if one.status == "fail"]
    for command in fail.fix:
        assert os.path.isabs(command[0])
        subprocess.run(command, check=True, capture_output=True)
    again = broken.check()
    list(again.run())
    assert again.ok


@pytest.mark.parametrize(("place", "name"), [("work", "random.py"), ("site", "broken.pth")])
def test_a_file_in_the_way_is_moved_aside_and_back(environment: Any, place: str, name: str) -> None:
    path = getattr(environment, place) / name
    path.write_text("import os; os._exit(3)\n")
    before = tree(environment.root) | tree(environment.work)
    check = environment.check()
    list(check.run())
    assert check.plan is not None
    assert check.plan.commands == (("mv", "-n", "--", str(path), f"{path}.aside"),)
    well, kept = apply_plan(check.plan, check.facts, lambda _: None)
    again = environment.check()
    list(again.run())
    assert well and again.ok and not path.exists()
    last, _ = undo_last(kept.prefix)
    assert last.what == [name]
    assert tree(environment.root) | tree(environment.work) == before


def test_what_was_moved_aside_replaces_nothing_when_it_returns(environment: Any) -> None:
    path = environment.work / "random.py"
    path.write_text("x = 1\n")
    check = environment.check()
    list(check.run())
    assert check.plan is not None
    _, kept = apply_plan(check.plan, check.facts, lambda _: None)
    path.write_text("another\n")
    with pytest.raises(UserError, match="there is one again"):
        snapshot.undo(kept)
    assert path.read_text() == "another\n"


def plan(*commands: tuple[str, ...], changes: tuple[Change, ...]) -> Plan:
    return Plan(commands, changes, (), frozenset(), "nothing")


def test_a_fix_cut_off_in_the_middle_can_be_undone(environment: Any) -> None:
    facts = environment.facts()
    before = tree(environment.root)
    kept = snapshot.take(facts, ["tokenizers"], [], [])
    (environment.site / "tokenizers" / "models.py").unlink()
    (environment.site / "tokenizers" / "half_written.py").write_text("x")
    (environment.site / "tokenizers" / "__init__.py").write_text("changed")
    again = snapshot.newest(kept.prefix)
    assert again is not None and again.state == "started"
    snapshot.undo(again)
    assert tree(environment.root) == before


def test_a_failing_command_stops_the_plan_and_is_told(environment: Any) -> None:
    facts = environment.facts()
    mark = environment.work / "mark"
    well, kept = apply_plan(
        plan(("false",), ("touch", str(mark)), changes=(Change("numpy", "2.4.6", "3"),)),
        facts,
        lambda _: None,
    )
    assert not well and not mark.exists()
    assert snapshot.undo(kept) == len(kept.kept)


def test_undo_refuses_after_other_hands(broken: Any) -> None:
    check = broken.check()
    list(check.run())
    assert check.plan is not None
    _, kept = apply_plan(check.plan, check.facts, lambda _: None)
    broken.install("tokenizers", "0.23.3")
    before = tree(broken.root)
    with pytest.raises(UserError, match="changed again"):
        snapshot.undo(kept)
    assert tree(broken.root) == before


def test_undo_refuses_a_damaged_copy(environment: Any) -> None:
    kept = snapshot.take(environment.facts(), ["numpy"], [], [])
    (Path(kept.folder) / kept.kept[0].copy).write_text("other")
    with pytest.raises(UserError, match="damaged; nothing was changed"):
        snapshot.undo(kept)


def test_what_is_kept_is_private_and_links_return_as_links(environment: Any) -> None:
    (environment.site / "numpy" / "link.py").symlink_to("__init__.py")
    kept = snapshot.take(environment.facts(), ["numpy"], [], [])
    folder = Path(kept.folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir() if one.name != "manifest.json"} == {
        0o600
    }
    (environment.site / "numpy" / "link.py").unlink()
    snapshot.undo(kept)
    assert os.readlink(environment.site / "numpy" / "link.py") == "__init__.py"


def test_no_room_no_fix(environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="make room"):
        snapshot.take(environment.facts(), ["torch"], [], [])


def test_only_this_environment_is_kept(environment: Any, healthy: Path) -> None:
    """A .pth file shows another environment's packages; they are not ours to change or to restore."""
    site = next(healthy.glob("lib/python*/site-packages"))
    (environment.site / "other.pth").write_text(f"{site}\n")
    kept = snapshot.take(environment.facts(), ["numpy"], [], [])
    assert all(Path(one.path).is_relative_to(environment.root) for one in kept.kept)


def test_nothing_to_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="no fix"):
        undo_last("/nowhere")


def test_output_comes_line_by_line_and_is_kept(environment: Any) -> None:
    said: list[str] = []
    command = ("sh", "-c", "echo one; printf 'tw\\303\\266'")
    _, kept = apply_plan(
        plan(command, changes=(Change("numpy", "2.4.6", "3"),)), environment.facts(), said.append
    )
    assert said == ["one", "twö"]
    log = Path(kept.folder) / "output.log"
    assert log.read_text(encoding="utf-8") == "one\ntwö" and stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_fix_comes_to_its_end_though_nobody_listens_any_more(environment: Any) -> None:
    """The app may be cut off in the middle; half an installation is the one thing that must not stay."""
    mark, gate = environment.work / "mark", environment.work / "gate"
    os.mkfifo(gate)
    code = (
        "import sys, os\nfrom pathlib import Path\nfrom engine.setup_check.fix.apply import _run\n"
        "_run(('sh', '-c', 'echo begun; read x < \"$0\"; echo more; touch \"$1\"', sys.argv[1], sys.argv[2]),\n"
        "     lambda line: os._exit(9), Path('log'))"
    )
    command = [sys.executable, "-c", code, str(gate), str(mark)]
    project = str(Path(snapshot.__file__).parents[3])
    ended = subprocess.run(command, cwd=environment.work, env=os.environ | {"PYTHONPATH": project})
    assert ended.returncode == 9 and not mark.exists()
    gate.write_text("go\n")
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert mark.exists()


def test_what_nobody_foresaw_is_taken_back_too(environment: Any, make_wheel: Callable[..., Path]) -> None:
    """A fix without a dry run brings what its packages rest on; undoing takes that along."""
    before, folders_before = tree(environment.root), folders(environment.root)
    facts = environment.facts()
    kept = snapshot.take(facts, ["numpy"], [], [])
    environment.install("numpy", "9.9")
    environment.install("brand_new", "1", files={"brand_new/__init__.py": ""})
    snapshot.finish(kept)
    assert kept.names == ["brand-new", "numpy"]
    snapshot.undo(kept)
    assert tree(environment.root) == before and folders(environment.root) == folders_before


def test_undoing_a_fix_that_changed_nothing_writes_nothing(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be one that nobody can write."""
    _, kept = apply_plan(
        plan(("false",), changes=(Change("numpy", "2.4.6", "3"),)), environment.facts(), lambda _: None
    )

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("chmod", "utime", "replace", "unlink", "rename"):
        monkeypatch.setattr(os, name, read_only)
    monkeypatch.setattr(Path, "write_text", read_only)
    assert snapshot.undo(kept) == len(kept.kept) > 0
