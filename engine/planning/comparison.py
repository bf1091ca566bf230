"""`train --dry-run`: what a trial of the run has measured, held against what the plan says."""

import json
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import torch

from engine.config import load_config
from engine.planning.memory import on_device
from engine.planning.plan import Plan, make_plan
from engine.planning.step import Shape
from engine.planning.workload import Lengths, lengths_of
from engine.training.device import device as devices
from engine.training.dry_run import StageTrial, Trial, try_run, without_traces
from engine.training.out_of_memory import is_out_of_memory
from engine.training.train import NonFinite
from engine.words.durations import duration
from engine.words.sizes import in_memory


def dry_run(place: Path, runs: Path, stages: tuple[str, ...], as_json: bool = False) -> int:
    """Try the configuration frozen in `place`, a directory of its own that the caller removes; print what it found.

    Exit code 1 if the run would not fit by what was measured.
    """
    signal.signal(signal.SIGTERM, _interrupted)
    asked = load_config(place / "config.yaml")
    config = without_traces(asked, place)
    torch.set_num_threads(config.model.threads or torch.get_num_threads())
    device = devices.choose_device(config.model.device)
    try:
        trial, encoded = try_run(config, device, place, stages)
    except NonFinite as found:
        _say(f"the run would not train: {found}")
        return 1
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        _say("out of memory: the run would not fit; `cxr-cockpit plan CONFIG` tells which recipes do")
        return 1
    lengths = lengths_of(encoded)
    plan = make_plan(config, runs, stages, compare=False, lengths=lengths)
    whole = plan
    if asked.data.phantom and config.data.phantom and config is not asked:
        share = asked.data.phantom.patients / config.data.phantom.patients
        whole = make_plan(asked, runs, stages, compare=False, lengths=stretched(lengths, share))
    if as_json:
        print(json.dumps(trial_as_json(plan, trial, whole)))
    else:
        print("\n".join(summary(plan, trial, whole)), flush=True)
    return 1 if plan.limit is not None and trial.peak > plan.limit else 0


def stretched(lengths: Lengths, share: float) -> Lengths:
    """The lengths of `share` times as many samples, as like them as can be."""
    return {
        of: [own[index % len(own)] for index in range(round(share * len(own)))] for of, own in lengths.items()
    }


def trial_as_json(plan: Plan, trial: Trial, whole: Plan) -> dict[str, Any]:
    """Bytes and seconds, planned and measured; those of the whole run planned and corrected, null where unknown."""
    planned, corrected = whole_run(whole, trial)
    return {
        "whole_run_planned_seconds": planned or None,
        "whole_run_seconds": corrected or None,
        "planned_bytes": on_device(plan.peak, plan.device),
        "planned_parts": plan.peak.parts,
        "measured_bytes": trial.peak,
        "stages": {
            name: {
                "samples": stage.samples,
                "length": stage.length,
                "planned_seconds": _planned_step(plan, name, stage),
                "measured_seconds": stage.settled,
            }
            for name, stage in trial.stages.items()
        },
        "loading_seconds": trial.loading,
        "generation_seconds": trial.generation,
        "checkpoint_seconds": trial.checkpoint,
    }


def _planned_step(plan: Plan, name: str, stage: StageTrial) -> float | None:
    """Seconds of an optimizer step whose micro-batches all have the trial's shape."""
    if plan.micro_batch_seconds is None:
        return None
    once = plan.micro_batch_seconds(Shape(stage.samples, stage.length, 0))
    return plan.config.stage(name).accumulation * once


def whole_run(whole: Plan, trial: Trial) -> tuple[float, float]:
    """Seconds of the run as planned, and with each stage's steps as long as they were measured; 0 where unknown."""
    planned = corrected = 0.0
    for name, stage in trial.stages.items():
        per_step = _planned_step(whole, name, stage)
        if per_step and (time := whole.times.get(name)):
            planned += time.total
            corrected += time.total + time.training * (stage.settled / per_step - 1)
    return planned, corrected


def summary(plan: Plan, trial: Trial, whole: Plan) -> list[str]:
    """Planned against measured, and the hours of the `whole` run corrected by it."""
    planned = on_device(plan.peak, plan.device)
    lines = [
        "",
        "                      planned    measured",
        f"  peak memory      {in_memory(planned):>10}  {in_memory(trial.peak):>10}{_ratio(trial.peak, planned)}",
    ]
    for name, stage in trial.stages.items():
        per_step = _planned_step(plan, name, stage)
        told = f"{per_step:.2f} s" if per_step else "—"
        lines.append(
            f"  {name}, a step  {told:>12}  {stage.settled:>8.2f} s{_ratio(stage.settled, per_step)}"
        )
    known, corrected = whole_run(whole, trial)
    if known:
        lines.append(f"  the whole run  {duration(known):>12}  {duration(corrected):>10}")
    lines.append(
        f"  loading {trial.loading:.1f} s, {plan.config.evaluation.batch_size} answers {trial.generation:.1f} s, "
        f"a checkpoint {trial.checkpoint:.1f} s; nothing was left behind"
    )
    if plan.limit is not None and trial.peak > plan.limit:
        lines.append(
            f"  ✖ more than the {in_memory(plan.limit)} there are: see `cxr-cockpit plan CONFIG` for what fits"
        )
    return lines


def _ratio(measured: float, planned: float | None) -> str:
    return f"   {measured / planned - 1:+.0%}" if planned else ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
