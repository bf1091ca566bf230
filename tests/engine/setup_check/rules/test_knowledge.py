"""The knowledge file holds to its schema, and says what is known."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.errors import UserError
from engine.setup_check.finding import worst_first
from engine.setup_check.probe.facts import Distribution, Facts
from engine.setup_check.probe.stack import STACK
from engine.setup_check.rules.diagnose import package_findings
from engine.setup_check.rules.knowledge import (
    FILE,
    World,
    applies,
    described,
    in_range,
    knowledge,
    read_knowledge,
)


def world(python: str = "3.11.7", **versions: str) -> World:
    return World({name.replace("_", "-"): version for name, version in versions.items()}, python)


def applying(given: World) -> set[str]:
    return {one.id for one in knowledge().applying(given)}


def test_there_is_enough_of_it_and_each_entry_says_what_it_rests_on() -> None:
    entries = knowledge().entries
    assert len(entries) >= 40
    assert {one.basis for one in entries} == {"verified", "wheel", "cited"}
    trials = {trial.id for trial in STACK}
    assert all(one.imports is None or one.imports in trials for one in entries)


def test_every_entry_can_be_shown() -> None:
    for entry in knowledge().entries:
        finding = described(entry, world())
        assert finding.title and finding.expected and finding.source.startswith(entry.basis)


def test_symptoms_match_their_own_pattern() -> None:
    """Where the symptom quotes an error in full, the pattern must find it."""
    for entry in knowledge().entries:
        if entry.match and re.match(r"(ImportError|ModuleNotFoundError): ", entry.symptom):
            assert re.search(entry.match, entry.symptom), entry.id


def test_a_fix_of_packages_leads_out_of_the_entry() -> None:
    """The lower bound of what a fix installs is not itself what the entry warns of."""
    for entry in knowledge().entries:
        for fix in entry.fix:
            for text in fix.install:
                name, _, bounds = text.partition(">=")
                wanted = entry.when.packages.get(name)
                if bounds and wanted and wanted not in ("any", "absent") and len(entry.when.packages) == 1:
                    assert not in_range(bounds.split(",")[0], wanted), entry.id


@pytest.mark.parametrize(
    ("versions", "entry", "holds"),
    [
        ({"peft": "0.17.1", "transformers": "4.41.0"}, "peft-016-017-old-transformers", True),
        ({"peft": "0.17.1", "transformers": "4.43.4"}, "peft-016-017-old-transformers", True),
        ({"peft": "0.17.1", "transformers": "4.44.0"}, "peft-016-017-old-transformers", False),
        ({"peft": "0.17.1", "transformers": "4.57.6"}, "peft-hybridcache-gone", False),
        ({"peft": "0.17.1", "transformers": "5.0.0"}, "peft-hybridcache-gone", True),
        ({"peft": "0.15.2", "transformers": "4.42.4"}, "peft-encoderdecodercache", True),
        ({"peft": "0.13.2", "transformers": "4.41.0"}, "peft-encoderdecodercache", False),
        ({"peft": "0.18.0", "transformers": "4.51.3"}, "peft-0180-modeling-layers", True),
        ({"peft": "0.18.1", "transformers": "4.51.3"}, "peft-0180-modeling-layers", False),
        ({"transformers": "4.57.6", "tokenizers": "0.23.3"}, "tokenizers-for-457-515", True),
        ({"transformers": "4.57.6", "tokenizers": "0.22.2"}, "tokenizers-for-457-515", False),
        ({"transformers": "5.23.0", "huggingface_hub": "0.36.2"}, "hub-0-on-transformers-5", True),
        ({"transformers": "5.15.1", "huggingface_hub": "2.4.0"}, "hub-2-on-transformers-50", True),
        ({"torch": "2.13.0+cpu", "transformers": "4.46.3"}, "trainer-resume-weights-only", True),
        ({"torch": "2.5.1", "transformers": "4.46.3"}, "trainer-resume-weights-only", False),
        ({"transformers": "5.15.1", "accelerate": "1.1.1"}, "transformers5-old-accelerate", True),
        ({"transformers": "5.4.0", "accelerate": "1.2.1"}, "transformers5-old-accelerate", True),
        ({"transformers": "5.0.0", "accelerate": "1.3.0"}, "transformers5-old-accelerate", False),
        ({"transformers": "4.57.6", "accelerate": "1.1.1"}, "transformers452-old-accelerate", True),
        ({"transformers": "4.51.3", "accelerate": "1.1.1"}, "transformers452-old-accelerate", False),
        ({"transformers": "4.56.0", "accelerate": "1.9.0"}, "transformers4560-old-accelerate", True),
        ({"transformers": "4.38.2", "accelerate": "1.10.1"}, "transformers-before-440-accelerate-1", True),
        ({"peft": "0.15.0", "accelerate": "0.31.0"}, "peft-accelerate-clear-device-cache", True),
        ({"transformers": "4.56.2", "tokenizers": "0.21.4"}, "tokenizers-for-457-515", True),
        ({"transformers": "4.47.1", "tokenizers": "0.20.3"}, "tokenizers-for-448-455", True),
        ({"transformers": "5.16.0", "tokenizers": "0.22.2"}, "tokenizers-for-520", True),
        ({"transformers": "5.18.0", "huggingface_hub": "1.30.0"}, "hub-0-on-transformers-5", True),
        ({"transformers": "5.4.0", "huggingface_hub": "1.4.1"}, "hub-0-on-transformers-54", True),
        ({"transformers": "5.13.0", "safetensors": "0.7.0"}, "safetensors-old", True),
        ({"transformers": "5.4.0", "regex": "2025.9.18"}, "regex-old", True),
        ({"transformers": "5.1.0", "torch": "2.3.1"}, "torch-too-old-for-transformers-52", True),
        ({"peft": "0.18.1", "torchao": "0.18.0"}, "peft-torchao-018", True),
    ],
)
def test_borders(versions: dict[str, str], entry: str, holds: bool) -> None:
    assert (entry in applying(world(**versions))) is holds


def test_what_fails_in_training_is_a_fail() -> None:
    for entry in knowledge().entries:
        if entry.tried and entry.tried.by != "use":
            assert entry.status == "fail", entry.id


def test_bounds_of_packages_say_how_they_were_come_by() -> None:
    """Where neither another system nor an error beside the versions is asked for, both sides were tried."""
    for entry in knowledge().entries:
        ranges = set(entry.when.packages.values()) - {"any", "absent"}
        if entry.status == "fail" and len(ranges) > 1 and entry.group == "packages" and not entry.when.env:
            assert entry.tried or entry.basis == "cited", entry.id


def test_a_person_is_told_what_a_range_rests_on() -> None:
    versions = {"transformers": "5.20.0", "torch": "2.5.1"}
    (entry,) = [one for one in knowledge().applying(World(versions, "3.11.7")) if one.status == "fail"]
    assert described(entry, World(versions, "3.11.7")).source == (
        "verified by importing, torch by the recorded version: transformers/utils/import_utils.py"
    )


def test_the_tested_sets_have_no_known_fault() -> None:
    for versions in (
        {"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2", "accelerate": "1.15.0",
         "tokenizers": "0.23.3", "huggingface_hub": "2.4.0", "safetensors": "0.8.0", "regex": "2026.11.15",
         "numpy": "2.4.6", "sentencepiece": "0.2.3", "protobuf": "7.36.2", "setuptools": "84.2.1"},
        {"torch": "2.13.0", "transformers": "4.57.6", "peft": "0.17.1", "accelerate": "1.10.1",
         "tokenizers": "0.22.2", "huggingface_hub": "0.36.2", "safetensors": "0.8.0", "numpy": "2.4.6"},
    ):  # fmt: skip
        given = world(**versions)
        found = [e.id for e in knowledge().applying(given) if e.status != "info" and not e.by_symptom]
        assert found == []


def mac(**versions: str) -> Facts:
    facts = Facts()
    facts.interpreter = {
        "executable": "/usr/bin/python3", "version": "3.9.6", "system": "Darwin", "machine": "arm64",
        "macos": "15.1", "platform": "macOS-15.1-arm64-arm-64bit", "ssl": "LibreSSL 2.8.3",
        "markers": {"python_version": "3.9", "sys_platform": "darwin"},
    }  # fmt: skip
    facts.distributions = [Distribution(name, version) for name, version in versions.items()]
    return facts


def test_the_users_mac_from_its_table_of_versions_alone() -> None:
    facts = mac(
        torch="2.8.0", transformers="4.41.0", peft="0.17.1", accelerate="1.10.1", bitsandbytes="0.42.0",
        tokenizers="0.19.1", numpy="2.0.2",
    )  # fmt: skip
    findings = worst_first(package_findings(facts, knowledge(), ["transformers>=5.23,<5.24"]))
    (fail,) = [one for one in findings if one.status == "fail"]
    assert fail.id == "peft-016-017-old-transformers"
    assert "peft 0.17.1" in fail.title and "transformers 4.41.0" in fail.title
    assert fail.why.startswith("The interpreter comes first: Python 3.9.6.")
    warned = [one.id for one in findings if one.status == "warn"]
    assert warned[:2] == ["python-39", "apple-system-python"]
    assert {"bitsandbytes-cuda-only-on-mac", "torch-28-wrong-linear"} <= set(warned)


def test_a_table_without_torch_says_so() -> None:
    facts = mac(transformers="4.57.6", peft="0.17.1", accelerate="1.10.1")
    assert "missing-torch" in {one.id for one in package_findings(facts, knowledge()) if one.status == "fail"}


def entry(**changes: Any) -> dict[str, Any]:
    good = {
        "id": "one", "title": "One {peft}", "status": "warn", "when": {"packages": {"peft": ">=1"}},
        "symptom": "it breaks", "cause": "because", "works": "peft <1", "fix": [{"install": ["peft<1"]}],
        "basis": "cited", "source": ["somewhere"],
    }  # fmt: skip
    return good | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"when": {"packages": {"peft": "newer"}}}, "no range of versions"),
        ({"match": "(unclosed"}, "no regular expression"),
        ({"fix": [{"install": ["peft >< 1"]}]}, "no requirement"),
        ({"basis": "heard"}, "basis"),
        ({"colour": "red"}, "colour"),
        ({"id": "Not This"}, "id"),
        ({"source": []}, "source"),
        ({"tried": {"by": "imports", "fails": ["peft 1.0"], "works": ["peft 0.9"]}}, None),
        ({"tried": {"by": "imports", "fails": ["peft 0.9"], "works": ["peft 0.8"]}}, "'peft 0.9' failed"),
        ({"tried": {"by": "imports", "fails": ["peft 1.0"], "works": ["peft 1.1"]}}, "'peft 1.1' worked"),
        ({"tried": {"by": "imports", "fails": ["peft"], "works": ["peft 1.1"]}}, "are no versions"),
        ({"tried": {"by": "hearsay", "fails": ["peft 1.0"], "works": ["peft 0.9"]}}, "tried.by"),
        ({"when": {"pakages": {}}}, "pakages"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], words: str | None) -> None:
    raw = yaml.safe_load(FILE.read_text()) | {"entries": [entry(**changes)]}
    path = tmp_path / "knowledge.yaml"
    path.write_text(yaml.safe_dump(raw))
    if words is None:
        assert read_knowledge(path).entries[0].id == "one"
    else:
        with pytest.raises(UserError, match=re.escape(words)):
            read_knowledge(path)


def test_an_entry_twice_is_refused(tmp_path: Path) -> None:
    raw = yaml.safe_load(FILE.read_text()) | {"entries": [entry(), entry()]}
    path = tmp_path / "knowledge.yaml"
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(UserError, match="one is there twice"):
        read_knowledge(path)


@pytest.mark.parametrize(
    ("value", "off"), [("0", True), ("OFF", True), ("", True), ("1", False), ("yes", False), ("Auto", False)]
)
def test_torch_that_is_switched_off(value: str, off: bool) -> None:
    versions = {"transformers": "4.57.6", "torch": "2.13.0"}
    given = World(versions, "3.11.7", env={"USE_TORCH": value})
    assert ("use-torch-off" in applying(given)) is off


def test_conditions_of_every_kind() -> None:
    base = World(
        {}, "3.11.7", "Darwin", "arm64", "14.6", env={"PYTHONHOME": "/x"}, reports={"mps_built": False}
    )
    found = applying(base)
    assert "pythonhome-set" in found
    assert "mps-not-built" not in found  # torch is not there
    assert not applies(next(e for e in knowledge().entries if e.id == "torch-215-on-macos-14"), base)
