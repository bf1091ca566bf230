"""A plan as JSON and as lines for a person."""

from collections.abc import Sequence
from typing import Any

from engine.planning.plan import Plan
from engine.planning.recipes import Recipe, best

SHOWN = 8


def as_json(plan: Plan) -> dict[str, Any]:
    """Bytes and seconds; null where unknown."""
    longest = plan.workload.longest
    return {
        "model": {
            "name": plan.shapes.name,
            "fetched": plan.shapes.fetched,
            "precision": plan.config.model.precision,
            "trainable": plan.trainable,
        },
        "device": plan.device,
        "device_here": plan.here,
        "note": plan.workload.note,
        "longest": {"samples": longest.samples, "tokens": longest.length, "supervised": longest.answer},
        "memory": {
            "peak_bytes": plan.peak.total,
            "peak_phase": plan.peak.phase,
            "limit_bytes": plan.limit,
            "fits": plan.fits,
            "parts": plan.peak.parts,
            "phases": {phase.phase: phase.total for phase in plan.phases},
        },
        "speed": {"flops": plan.speed.flops, "bandwidth": plan.speed.bandwidth, "source": plan.speed.source}
        if plan.speed
        else None,
        "stages": {work.name: _stage(plan, work.name) for work in plan.workload.stages},
        "seconds": total_seconds(plan),
        "recipes": [_recipe(one) for one in plan.recipes],
    }


def total_seconds(plan: Plan) -> float | None:
    return sum(time.total for time in plan.times.values()) if plan.times else None


def _stage(plan: Plan, name: str) -> dict[str, Any]:
    work = next(one for one in plan.workload.stages if one.name == name)
    time = plan.times.get(name)
    return {
        "steps": work.steps,
        "samples": work.samples,
        "tokens": work.tokens,
        "flops_per_sample": time.flops / work.samples if time else None,
        "seconds_per_step": time.training / work.steps if time else None,
        "training_seconds": time.training if time else None,
        "validation_seconds": time.validation if time else None,
        "generation_seconds": time.generation if time else None,
        "seconds": time.total if time else None,
    }


def _recipe(one: Recipe) -> dict[str, Any]:
    return {
        "micro_batch": one.micro_batch,
        "accumulation": one.accumulation,
        "precision": one.precision,
        "activation_checkpointing": one.activation_checkpointing,
        "peak_bytes": one.peak_bytes,
        "seconds_per_sample": one.seconds_per_sample,
        "fits": one.fits,
        "why": one.why,
        "chosen": one.chosen,
        "set": one.settings,
    }


def describe(plan: Plan) -> str:
    """At most 80 columns."""
    longest = plan.workload.longest
    lines = [
        f"{plan.shapes.name}  {plan.config.model.precision} on {plan.device}"
        + ("" if plan.here else " (not on this machine)")
        + ("" if plan.shapes.fetched else "  model not there yet, its shapes are known"),
    ]
    lines += [f"  note: {plan.workload.note}"] if plan.workload.note else []
    lines += [
        "",
        f"memory, at the longest micro-batch: {longest.samples} samples of {longest.length} tokens"
        if plan.peak.phase == "training"
        else f"memory, while {plan.peak.phase} (more than training takes)",
    ]
    lines += [f"  {name:<17}{size(count):>10}" for name, count in plan.peak.parts.items() if count]
    verdict = {
        None: "",
        True: f"   fits in {size(plan.limit or 0)}",
        False: f"   does NOT fit in {size(plan.limit or 0)}",
    }
    lines.append(f"  {'peak':<17}{size(plan.peak.total):>10}{verdict[plan.fits]}")
    others = ", ".join(f"{phase.phase} {size(phase.total)}" for phase in plan.phases[1:])
    lines += [f"  elsewhere: {others}", "", *_time_lines(plan)]
    return "\n".join([*lines, *_recipe_lines(plan)])


def _time_lines(plan: Plan) -> list[str]:
    if not plan.times:
        return [
            f"time: unknown, the speed of {plan.device} is not; measure it with `cxr-cockpit check --device`"
        ]
    assert plan.speed
    lines = ["time           steps   s a step   training  validation  answers     all"]
    for work in plan.workload.stages:
        time = plan.times[work.name]
        lines.append(
            f"  {work.name:<11}{work.steps:>7,}{time.training / work.steps:>11.2f}{duration(time.training):>11}"
            f"{duration(time.validation):>12}{duration(time.generation):>9}{duration(time.total):>8}"
        )
    total = total_seconds(plan) or 0.0
    flops = sum(time.flops for time in plan.times.values())
    rates = ", ".join(f"{name} {rate / 1e12:.3g}" for name, rate in plan.speed.flops.items())
    lines.append(f"  {'both' if len(plan.times) > 1 else 'all':<11}{duration(total):>58}")
    samples = sum(work.samples for work in plan.workload.stages)
    lines.append(f"  {flops / samples / 1e12:.3g} TFLOP a sample; {rates} TFLOP/s ({plan.speed.source})")
    return lines


def _recipe_lines(plan: Plan) -> list[str]:
    if not plan.recipes:
        return []
    lines = ["", "recipes with the same samples a step (micro-batch × accumulation)"]
    order = sorted(plan.recipes, key=lambda one: (one.fits is False, not one.chosen))
    wins = best(plan.recipes)
    for one in order[:SHOWN]:
        mark = {None: "?", True: "✔", False: "✖"}[one.fits]
        words = f"{one.micro_batch} × {one.accumulation}  {one.precision}"
        words += "  checkpointing" if one.activation_checkpointing else ""
        tail = one.why or ("the configuration's own" if one.chosen else "")
        seconds = f"{one.seconds_per_sample:.2f} s a sample" if one.seconds_per_sample is not None else ""
        lines.append(f"  {mark} {words:<32}{size(one.peak_bytes):>10}  {seconds:<17}{tail}".rstrip())
    if len(order) > SHOWN:
        lines.append(f"  … and {len(order) - SHOWN} more: --json")
    if wins and not plan.fits:
        lines.append("  what fits: " + " ".join(f"--set {word}" for word in wins.settings))
    elif plan.limit is not None and wins is None:
        lines.append("  none fits: shorten data.max_length or take a larger machine")
    return lines


def size(count: int) -> str:
    """`1.25 GB`, `740 MB`."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """`3 h 20`, `12 min`, `40 s`."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d}"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def compared(before: Plan, after: Plan, what_if: Sequence[str]) -> str:
    """How the plan changed, in two lines."""
    lines = ["", f"what if {' '.join(what_if)}"]
    words = f"  peak {size(before.peak.total)} → {size(after.peak.total)}"
    was, now = total_seconds(before), total_seconds(after)
    if was is not None and now is not None:
        words += f", time {duration(was)} → {duration(now)}"
    return "\n".join([*lines, words])
