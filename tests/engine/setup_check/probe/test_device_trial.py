"""The child that tries the device: what it says, and how its end is told."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.setup_check import check as check_module
from engine.setup_check.check import Check
from engine.setup_check.finding import Finding
from engine.setup_check.probe.device_trial import Part, as_line, listen, said_by
from engine.setup_check.probe.target import find_target

PART = Part("bfloat16: 3 optimizer steps", 8, 9)
FINDING = Finding(
    "device-x", "device", "warn", "t", "f", "e", "w", ("c",), (("/bin/echo", "a b"),), "seen here"
)


def child(code: str, silence: float = 60.0) -> list[Finding | Part]:
    said = f"print({as_line(PART)!r}, flush=True)\n"
    return list(listen([sys.executable, "-c", said + code], silence))


@pytest.mark.parametrize("said", [PART, FINDING])
def test_what_is_said_is_heard(said: Finding | Part) -> None:
    assert said_by(as_line(said)) == said


def test_what_libraries_print_is_not_heard() -> None:
    assert child("print('hello'); print(3); print('[1]'); print('{}')") == [PART]


def test_a_finding_is_heard_behind_what_was_printed_on_its_line() -> None:
    assert child(f"print('loading', end=''); print({as_line(FINDING)!r}); print('bye')") == [PART, FINDING]


def test_a_crash_is_a_finding_that_says_where() -> None:
    part, finding = child("import os; os.abort()")
    assert part == PART and isinstance(finding, Finding)
    assert finding.status == "fail" and "SIGABRT" in finding.title and PART.text in finding.found


def test_an_error_is_a_finding_with_its_last_line() -> None:
    _, finding = child("raise ValueError('no such kernel')")
    assert isinstance(finding, Finding)
    assert "exit code 1" in finding.title and "ValueError: no such kernel" in finding.found


def test_a_hang_is_a_finding_and_an_end() -> None:
    _, finding = child("import threading; threading.Event().wait()", silence=0.5)
    assert isinstance(finding, Finding)
    assert "no answer" in finding.title and PART.text in finding.found


def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: Finding) -> dict[str, Finding]:
    """A check of which only `before` and the trial are left."""

    def nothing(*_: object) -> Iterator[tuple[str, object]]:
        return iter(())

    monkeypatch.setattr(check_module, "ask", nothing)
    monkeypatch.setattr(check_module, "package_findings", lambda *_: [before])
    monkeypatch.setattr(check_module, "try_device", lambda runs, device: iter([PART, FINDING]))
    parts: list[Part] = []
    check = Check(find_target(None), None, tmp_path, trial=True, trying=parts.append)
    found = {one.id: one for one in check.run()}
    assert parts == ([PART] if FINDING.id in found else [])
    return found


def test_the_trial_comes_after_all_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = checked(monkeypatch, tmp_path, Finding("colours", "terminal", "fail", "t"))
    assert list(found) == ["colours", "device-x"]


def test_no_trial_without_packages_that_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = checked(monkeypatch, tmp_path, Finding("missing-torch", "packages", "fail", "t"))
    assert list(found) == ["missing-torch", "device-trial"]
    assert found["device-trial"].status == "info" and "not tried" in found["device-trial"].title
