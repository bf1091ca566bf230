"""pip's settings: what leads a fix astray is named and does not reach it, what it takes to reach packages does."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.setup_check.fix.apply import apply_plan
from engine.setup_check.fix.installer import Impossible, find_installer
from engine.setup_check.fix.pip_settings import (
    PipSettings,
    Setting,
    astray_finding,
    from_variables,
    read_settings,
    sorted_out,
)
from engine.setup_check.fix.plan import Change, Plan
from engine.setup_check.fix.snapshot import undo

PIP = (sys.executable, "-I", "-m", "pip")


def variables(**values: str) -> PipSettings:
    """What variables alone come to; the files, for which pip is asked, have tests of their own."""
    return sorted_out(from_variables(values))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_TARGET", "/elsewhere"), ("PIP_PREFIX", "/elsewhere"), ("PIP_ROOT", "/elsewhere"), ("PIP_USER", "1"),
        ("PIP_DRY_RUN", "1"), ("PIP_CONSTRAINT", "/c.txt"), ("PIP_NO_DEPS", "yes"), ("PIP_REQUIRE_VIRTUALENV", "true"),
        ("PIP_NO_INDEX", "1"), ("PIP_PYTHON", "/p"), ("PIP_REQUIREMENT", "/r.txt"), ("PIP_NO_BINARY", ":all:"),
        ("PIP_WHATEVER_COMES_NEXT", "on"),
    ],
)  # fmt: skip
def test_what_leads_astray_is_named_and_not_heard(name: str, value: str) -> None:
    settings = variables(**{name: value})
    told = astray_finding(settings)
    assert told is not None and name in told.title and f"{name}={value}" in told.found and name in told.why
    assert name not in settings.environment({name: value})
    assert settings.prefix({})[1:] == ("-u", name) and os.path.isabs(settings.prefix({})[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PIP_INDEX_URL", "https://me:secret@mirror/simple"), ("PIP_EXTRA_INDEX_URL", "https://a https://b"),
        ("PIP_FIND_LINKS", "/wheels"), ("PIP_CERT", "/cert.pem"), ("PIP_CLIENT_CERT", "/c.pem"),
        ("PIP_PROXY", "http://proxy:3128"), ("PIP_TRUSTED_HOST", "mirror"), ("PIP_DEFAULT_TIMEOUT", "99"),
    ],
)  # fmt: skip
def test_what_it_takes_to_reach_packages_is_kept(name: str, value: str) -> None:
    settings = variables(**{name: value})
    assert astray_finding(settings) is None and settings.prefix({}) == ()
    assert settings.environment({name: value})[name] == value


def test_what_is_switched_off_is_in_nobodys_way() -> None:
    assert astray_finding(variables(PIP_USER="0", PIP_NO_DEPS="false", PIP_TARGET="", PIP_QUIET="2")) is None


def test_no_index_beside_a_folder_of_wheels_is_how_packages_are_reached() -> None:
    settings = variables(PIP_NO_INDEX="1", PIP_FIND_LINKS="/wheels")
    assert astray_finding(settings) is None and settings.environment({})["PIP_NO_INDEX"] == "1"


def test_a_file_is_read_named_and_what_it_needs_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://me:secret@mirror/simple\nextra-index-url =\n  https://a\n  https://b\n"
        "target = /global\n[install]\ntarget = /elsewhere\nuser = false\n[download]\nno-deps = true\n"
    )
    settings = read_settings(PIP, {"PIP_CONFIG_FILE": str(file)})
    told = astray_finding(settings)
    assert told is not None and told.found == f"{file}, install.target: /elsewhere"
    heard = settings.environment({"PIP_CONFIG_FILE": str(file), "PYTHONPATH": "/x", "HOME": "/me"})
    assert heard["PIP_CONFIG_FILE"] == os.devnull and heard["PIP_INDEX_URL"].endswith("@mirror/simple")
    assert heard["PIP_EXTRA_INDEX_URL"].split() == ["https://a", "https://b"]
    assert "PYTHONPATH" not in heard and heard["HOME"] == "/me"
    shown = " ".join(settings.prefix({}))
    assert f"PIP_CONFIG_FILE={os.devnull}" in shown and "https://a" in shown and "secret" not in shown


def test_a_file_that_pip_cannot_read_is_what_is_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("no section = 1\n")
    told = astray_finding(read_settings(PIP, {"PIP_CONFIG_FILE": str(file)}))
    assert told is not None and str(file) in told.found


def test_no_password_is_shown() -> None:
    told = astray_finding(
        sorted_out([Setting("constraint", "https://me:secret@host/c.txt", "PIP_CONSTRAINT", True)])
    )
    assert told is not None and "secret" not in told.found and "//…@host" in told.found


@pytest.fixture
def wheels(environment: Any, make_wheel: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An environment whose tokenizers is too old, and the wheel that fixes it."""
    environment.install("tokenizers", "0.19.1")
    folder = environment.root.parent / "wheels"
    make_wheel(folder, "tokenizers", "0.22.2")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return environment


@pytest.mark.parametrize("way", ["variables", "pip.conf"])
def test_a_fix_goes_where_it_belongs(
    wheels: Any, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the variables by itself would lead it elsewhere or keep it from being done."""
    elsewhere = tmp_path / "elsewhere"
    constraint = tmp_path / "constraint.txt"
    constraint.write_text("tokenizers==0.19.1\n")
    if way == "pip.conf":
        places = [str(tmp_path / "pip.conf")]
        (tmp_path / "pip.conf").write_text(f"[install]\ntarget = {elsewhere}\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", places[0])
    else:
        in_the_way = {
            "PIP_TARGET": str(elsewhere), "PIP_PREFIX": str(elsewhere), "PIP_DRY_RUN": "1", "PIP_USER": "1",
            "PIP_CONSTRAINT": str(constraint),
        }  # fmt: skip
        places = list(in_the_way)
        for name, value in in_the_way.items():
            monkeypatch.setenv(name, value)
    check = wheels.check()
    list(check.run())
    told = {one.id: one for one in check.findings}["pip-settings"]
    assert told.status == "warn" and all(place in told.found for place in places)
    assert check.plan is not None
    well, kept = apply_plan(check.plan, check.facts, lambda _: None)
    again = wheels.check()
    list(again.run())
    assert well and again.ok and not elsewhere.exists()
    assert again.facts.versions()["tokenizers"] == "0.22.2"
    undo(kept)
    assert wheels.facts().versions()["tokenizers"] == "0.19.1"


def test_what_pythonpath_shows_is_not_installed_for_pip(
    wheels: Any, monkeypatch: pytest.MonkeyPatch, make_files: Callable[..., dict[str, str]]
) -> None:
    """Else pip would say that the requirement is satisfied already, and install nothing."""
    place = wheels.work / "shown"
    for file, text in make_files("tokenizers", "0.22.2").items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(place))
    installer = find_installer(wheels.facts())
    assert installer is not None
    found = installer.heard(os.environ).dry_run(["tokenizers>=0.22"])
    assert found.versions == {"tokenizers": "0.22.2"}


def test_where_pip_refuses_its_own_words_are_told(wheels: Any) -> None:
    installer = find_installer(wheels.facts())
    assert installer is not None
    with pytest.raises(Impossible, match="ERROR: No matching distribution found for tokenizers>=99"):
        installer.heard(os.environ).dry_run(["tokenizers>=99"])
    said: list[str] = []
    command = (*installer.command, "install", "tokenizers>=99")
    plan = Plan((command,), (Change("tokenizers", "0.19.1", "99"),), (), frozenset(), "nothing")
    well, _ = apply_plan(plan, wheels.facts(), said.append)
    assert not well and said[-1] == "it ended with: ERROR: No matching distribution found for tokenizers>=99"


def test_a_finding_that_pip_has_no_fix_for_says_why(wheels: Any) -> None:
    wheels.install("tokenizers")
    wheels.install("transformers", requires=["regex>=9999", "tokenizers", "filelock"])
    with (wheels.site / "transformers" / "__init__.py").open("a") as file:
        file.write("raise ImportError('regex>=9999 is required for a normal functioning of this module')\n")
    check = wheels.check()
    list(check.run())
    told = {one.id: one for one in check.findings}["requires-transformers-regex"]
    assert "pip refuses: ERROR: No matching distribution found for regex>=9999" in told.why
