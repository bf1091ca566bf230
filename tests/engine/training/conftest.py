"""A curriculum of phantoms and the bundled base, small enough to train in a second."""

import json
import random
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.config import RunConfig, demo_config_path, load_config
from engine.data.curriculum import Sample, write_curriculum
from engine.data.labels import LABELS
from engine.planning import plan as planning
from engine.planning.plan import Plan, make_plan
from engine.runs.device_rates import read_device_rates
from engine.runs.layout import RunPaths
from engine.training.device.device import Mps

from .living import live, prepare

TARGETS = {
    "No Finding": "No acute cardiopulmonary process.",
    "Pleural Effusion": "Moderate left pleural effusion obscuring the hemidiaphragm.",
    "Cardiomegaly": "Moderate cardiomegaly is noted. The lungs are clear, and there is no pneumothorax at all.",
}


def make_sample(number: int, stage: str, split: str) -> Sample:
    label = sorted(TARGETS)[number % 3]
    ehr = {"text": f"{40 + number} F. Sodium 1{number % 10}9 (low)."} if stage == "stage_b" else None
    line = (
        f"CheXpert: {label}" if stage == "stage_a" else "ICD: J90 Pleural effusion, not elsewhere classified"
    )
    return Sample(
        id=f"s{number}-{stage[-1]}",
        subject_id=f"p{number}",
        study_id=f"s{number}",
        stage=stage,
        image=f"films/{number}.png",
        prompt="List the labels." if ehr is None else f"Clinical context: {ehr['text']}\nGive the diagnoses.",
        target=f"{TARGETS[label]}\n{line}",
        labels={name: 1 if name == label else None for name in LABELS},
        ehr=ehr,
        icd=() if stage == "stage_a" else ("10:J90",),
        split=split,
    )


@pytest.fixture(scope="session")
def curriculum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with curriculum.jsonl and its films: 12 training and 4 validation samples a stage."""
    home = tmp_path_factory.mktemp("curriculum")
    (home / "films").mkdir()
    samples = []
    for number in range(16):
        noise = random.Random(number).randbytes(48 * 56)
        Image.fromarray(np.frombuffer(noise, np.uint8).reshape(56, 48)).save(home / "films" / f"{number}.png")
        split = "train" if number < 12 else "val"
        samples += [make_sample(number, stage, split) for stage in ("stage_a", "stage_b")]
    write_curriculum(home / "curriculum.jsonl", samples)
    return home


@pytest.fixture(scope="session")
def config(curriculum: Path) -> RunConfig:
    """Six steps in all; something is due after almost each."""
    settings = {
        "data.curriculum": str(curriculum / "curriculum.jsonl"),
        "data.image_root": str(curriculum),
        "data.phantom": None,
        "model.threads": 1,
        "lora.rank": 4,
        "lora.dropout": 0.2,
        "stages.stage_a.epochs": 2,
        "stages.stage_b.epochs": 1,
        "stages.stage_a.batch_size": 3,
        "stages.stage_b.batch_size": 3,
        "stages.stage_a.accumulation": 2,
        "stages.stage_b.accumulation": 2,
        "cadence.checkpoint": "1 step",
        "cadence.validation": "2 steps",
        "cadence.sample": "3 steps",
        "evaluation.cases": 2,
        "evaluation.max_new_tokens": 6,
        "checkpoints.keep": 2,
    }
    return load_config(demo_config_path(), [f"{key}={json.dumps(value)}" for key, value in settings.items()])


@pytest.fixture(scope="session")
def short(config: RunConfig) -> RunConfig:
    """Few words generated."""
    evaluation = config.evaluation.model_copy(update={"cases": 1, "max_new_tokens": 2})
    return config.model_copy(update={"evaluation": evaluation})


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory, short: RunConfig) -> RunPaths:
    """Stage A of a run that nothing happened to."""
    paths = prepare(tmp_path_factory.mktemp("runs") / "unbroken", short)
    assert live(paths, "stage_a") == 0
    return paths


@pytest.fixture(scope="session")
def plans() -> dict[str, Plan]:
    """The plans made so far, by all that they are made of."""
    return {}


@pytest.fixture(autouse=True)
def _planned_once(plans: dict[str, Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines of one configuration share its plan: to trace the model anew takes as long as to train it here."""

    def plan_of(config: RunConfig, runs: Path, *given: object, **named: object) -> Plan:
        key = repr((config, read_device_rates(runs), given, named))
        if key not in plans:
            plans[key] = make_plan(config, runs, *given, **named)  # type: ignore[arg-type]
        return plans[key]

    monkeypatch.setattr(planning, "make_plan", plan_of)


class StandInMps:
    """A stand-in for torch.mps: its documented interface, over tensors that lie on the CPU.

    No Apple GPU runs these tests. What they show is that the engine asks for the right things at the right time;
    whether the answers are right on a real one is for `cxr-cockpit check --device` there.
    """

    limit = 384 * 2**30

    def __init__(self) -> None:
        self.emptied = self.synchronized = self.live = self.held = 0

    def let_go(self, count: int) -> None:
        self.live -= count

    def current_allocated_memory(self) -> int:
        return self.live

    def driver_allocated_memory(self) -> int:
        self.held = max(self.held, self.live)
        return self.held

    def recommended_max_memory(self) -> int:
        return self.limit

    def empty_cache(self) -> None:
        self.emptied += 1
        self.held = self.live

    def synchronize(self) -> None:
        self.synchronized += 1

    def get_rng_state(self) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor) -> None:
        torch.set_rng_state(state)


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> StandInMps:
    """The stand-in in the place of torch.mps. It sees what `torch.ones` makes come and go."""
    there = StandInMps()
    ones = torch.ones

    def counted(*shape: Any, **options: Any) -> torch.Tensor:
        made = ones(*shape, **options)
        there.live += made.nbytes
        weakref.finalize(made, there.let_go, made.nbytes)
        return made

    monkeypatch.setattr(torch, "ones", counted)
    for name in vars(StandInMps):
        if callable(getattr(there, name)) and hasattr(torch.mps, name):
            monkeypatch.setattr(torch.mps, name, getattr(there, name))
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M3 Ultra", raising=False)
    return there


@pytest.fixture
def mps(standin: StandInMps) -> Mps:
    """The MPS device on the stand-in, its tensors on the CPU."""
    return Mps(torch.device("cpu"))
