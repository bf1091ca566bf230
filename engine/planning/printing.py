"""A plan as JSON and as lines for a person."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.planning.plan import Plan
from engine.planning.recipes import Recipe, best
from engine.runs.layout import command_line
from engine.words.durations import duration
from engine.words.sizes import in_memory

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


def describe(plan: Plan, runs: Path) -> str:
    """At most 80 columns, but for a path that is longer. runs: where measured rates are kept."""
    longest = plan.workload.longest
    here = "" if plan.here else " (not on this machine)"
    lines = [f"{plan.shapes.name}  {plan.config.model.precision} on {plan.device}{here}"]
    lines += [] if plan.shapes.fetched else ["  note: the model is not there yet; its shapes are known"]
    lines += _wrapped(f"  note: {plan.workload.note}") if plan.workload.note else []
    lines += [
        "",
        f"memory, at the longest micro-batch: {longest.samples} samples of {longest.length} tokens"
        if plan.peak.phase == "training"
        else f"memory, at its fullest moment: {plan.peak.phase}",
    ]
    lines += [f"  {name:<17}{in_memory(count):>10}" for name, count in plan.peak.parts.items() if count]
    verdict = {
        None: "",
        True: f"   fits in {in_memory(plan.limit or 0)}",
        False: f"   does NOT fit in {in_memory(plan.limit or 0)}",
    }
    lines.append(f"  {'peak':<17}{in_memory(plan.peak.total):>10}{verdict[plan.fits]}")
    others = ", ".join(f"{phase.phase} {in_memory(phase.total)}" for phase in plan.phases[1:])
    lines += [f"  elsewhere: {others}", "", *_time_lines(plan, runs)]
    return "\n".join([*lines, *_recipe_lines(plan)])


def _time_lines(plan: Plan, runs: Path) -> list[str]:
    if not plan.times:
        check = command_line("check", "--device", runs=runs)
        return [f"time: the speed of {plan.device} is not known; `{check}` measures it"]
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
    lines.append(f"  {flops / samples / 1e12:.3g} TFLOP a sample, at TFLOP/s: {rates}")
    return [*lines, f"  ({plan.speed.source})"]


def _recipe_lines(plan: Plan) -> list[str]:
    if not plan.recipes:
        return []
    lines = [
        "",
        "recipes with the same samples a step (recomputed: activation_checkpointing)",
        "    micro × acc.  precision  activations        peak  s a sample",
    ]
    order = sorted(plan.recipes, key=lambda one: (one.fits is False, not one.chosen))
    wins = best(plan.recipes)
    for one in order[:SHOWN]:
        mark = {None: "?", True: "✔", False: "✖"}[one.fits]
        words = f"{f'{one.micro_batch} × {one.accumulation}':<14}{one.precision:<11}"
        words += f"{'recomputed' if one.activation_checkpointing else 'kept':<11}"
        seconds = f"{one.seconds_per_sample:.2f}" if one.seconds_per_sample is not None else "?"
        tail = one.why or ("as configured" if one.chosen else "")
        lines.append(f"  {mark} {words}{in_memory(one.peak_bytes):>12}{seconds:>12}  {tail}".rstrip())
    if len(order) > SHOWN:
        lines.append(f"  … and {len(order) - SHOWN} more: --json")
    if wins and not plan.fits:
        lines += [
            "  what fits:",
            *_wrapped("    " + " ".join(f"--set {word}" for word in wins.settings), " \\"),
        ]
    elif plan.limit is not None and wins is None:
        lines += _wrapped(f"  none fits: {_way_out(plan)}, or take a larger machine")
    elif plan.limit is None:
        lines.append(f"  ?: how much {plan.device} offers is not known here; --memory GIB says it")
    return lines


def _way_out(plan: Plan) -> str:
    if plan.peak.phase in ("validation", "generation"):
        return "lower evaluation.batch_size"
    return "shorten data.max_length"


def _wrapped(text: str, end: str = "") -> list[str]:
    """The text on lines of 80 columns that begin as it begins; all but the last with `end`."""
    indent = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(
        text, 80 - len(end), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [*(line + end for line in lines[:-1]), lines[-1]]


def compared(before: Plan, after: Plan, what_if: Sequence[str]) -> str:
    """How the plan changed, in two lines."""
    lines = ["", f"what if {' '.join(what_if)}"]
    words = f"  peak {in_memory(before.peak.total)} → {in_memory(after.peak.total)}"
    was, now = total_seconds(before), total_seconds(after)
    if was is not None and now is not None:
        words += f", time {duration(was)} → {duration(now)}"
    return "\n".join([*lines, words])
