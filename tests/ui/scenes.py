"""What is walked through: a recorded run with all that a screen can show, more runs beside it, a broken setup."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cockpit.screens.setup import checker as setup_checker
from engine.data.curriculum import Sample, complete_labels, write_curriculum
from engine.runs.layout import RunPaths
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import GeneratedSample
from engine.setup_check.finding import Finding
from engine.setup_check.fix import apply
from engine.setup_check.fix.plan import Change, Plan

FAILED = "2026-11-23 02:14:07 ERROR   the engine failed\nRuntimeError: out of memory\n"


def a_whole_run(record: Callable[..., RunPaths], directory: Path) -> RunPaths:
    """A finished run: 15 cases by several weights, a curriculum of 30 with one film gone, a log with two errors."""
    paths = record("first", end=None)
    with open_writer(paths) as writer:
        for number in range(1, 16):
            for stage, step in (("stage_a", 20), ("stage_a", 40), ("stage_b", 50)):
                writer.sample(a_text(number, stage, step))
        blanked = {"purpose": "baseline:blank_image", "generated": "Normal."}
        writer.sample(replace(a_text(1, "stage_b", 50), **blanked))
        writer.state("finished")
    write_curriculum(directory / "curriculum.jsonl", [a_sample(number) for number in range(30)])
    data = {
        "curriculum": str(directory / "curriculum.jsonl"),
        "image_root": str(directory / "images"),
        "max_length": 512,
    }
    paths.config.write_text(yaml.safe_dump({"data": data, "model": {"base": "bundled"}, "lora": {"rank": 8}}))
    steps = "".join(f"2026-11-23 02:00:{number:02d} INFO    step {number}\n" for number in range(60))
    paths.log.write_text(f"=== attempt 1 ===\n{FAILED}{steps}{FAILED}{steps}")
    return paths


def a_text(number: int, stage: str, step: int) -> GeneratedSample:
    """What some weights wrote about a case."""
    stage_a = stage == "stage_a"
    return GeneratedSample(
        stage=stage,
        step=step,
        checkpoint=f"{stage}-{step:06d}",
        split="val",
        purpose="case",
        case=f"s{number:02d}",
        image="one.png",
        prompt="Write the impression." if stage_a else "Creatinine 2.4\nReason.",
        reference="Small effusion.\nCheXpert: Edema" if stage_a else "Failure.\nICD: I50.9 Heart failure",
        generated=f"Large at {step}.\n" + ("CheXpert: Fracture" if stage_a else "ICD: J90 Effusion"),
        labels={"Fracture": 1} if stage_a else None,
        labels_reference={"Edema": 1} if stage_a else None,
        icd=None if stage_a else ["10:J90"],
        icd_reference=None if stage_a else ["10:I509"],
        scores={"label_f1" if stage_a else "icd_f1": number / 20, "rouge_l": 0.5},
    )


def a_sample(number: int) -> Sample:
    return Sample(
        id=f"s{number:02d}-a",
        subject_id=f"p{number:02d}",
        study_id=f"s{number:02d}",
        stage="stage_a",
        image="one.png" if number else "gone.png",
        prompt="Write the impression.",
        target="Small effusion.\nCheXpert: Edema",
        labels=complete_labels({"Edema": 1}),
        ehr=None,
        icd=(),
        split="val" if number % 5 == 0 else "train",
    )


def a_crowd(first: RunPaths, record: Callable[..., RunPaths]) -> list[RunPaths]:
    """More runs than a page, parked, the given one written last; `second` was told another rank."""
    others = [record("second"), *(record(f"other-{number:02d}", steps_b=0) for number in range(11))]
    config = yaml.safe_load(first.config.read_text()) | {"lora": {"rank": 32}}
    others[0].config.write_text(yaml.safe_dump(config))
    crowd = [first, *others]
    for place, paths in enumerate(crowd):
        os.utime(paths.db, (2e9 - place, 2e9 - place))
    return crowd


PEFT = Finding(
    "peft-old",
    "packages",
    "fail",
    "peft cannot be imported",
    why="it is too old",
    fix=(("pip", "install", "peft"),),
)
PLAN = Plan(PEFT.fix, (Change("peft", "1", "2"),), (), frozenset({PEFT.id}), "a dry run")
WELL = tuple(Finding(f"ok-{number}", "project", "ok", f"well {number:02d}") for number in range(14))


class GivenCheck:
    """Finds what fails and is well; where it tries the device, that too."""

    def __init__(self, *more: Finding) -> None:
        self.target = SimpleNamespace(executable="/env/bin/python")
        self.facts = SimpleNamespace(python="3.11.7", start={"prefix": "/env"}, broken_alone=set)
        self.findings = [PEFT, *WELL, *more]
        self.trial, self.trying = False, None
        self.plans, self.plan = {PEFT.id: PLAN}, PLAN

    def run(self) -> Iterator[Finding]:
        if self.trial:
            self.findings.append(Finding("trial", "device", "ok", "the device was tried"))
        yield from self.findings


def broken_setup(patch: pytest.MonkeyPatch, directory: Path) -> Callable[[object, object], Any]:
    """Checks of a setup that no mend mends; mends and undos are told of and not done."""

    def apply_plan(_plan: Plan, _facts: object, say: Callable[[str], None]) -> Any:
        say("Collecting peft")
        return True, SimpleNamespace(prefix="/env", kept=[])

    patch.chdir(directory)
    patch.setattr(apply, "apply_plan", apply_plan)
    patch.setattr(apply, "undo_last", lambda _prefix: (SimpleNamespace(), 7))
    patch.setattr(setup_checker, "_undoable", lambda _facts: ("peft",))
    asked: list[object] = []

    def make(config: object, _facts: object) -> Any:
        asked.append(config)
        return (
            GivenCheck(Finding("again", "project", "ok", "found at the second look"))
            if asked[1:]
            else GivenCheck()
        )

    return make
