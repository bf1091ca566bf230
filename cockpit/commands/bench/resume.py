"""`bench resume`: a pair of stages killed again and again, held against the same pair left alone."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.commands.common.arguments import seed_number, whole_number
from cockpit.commands.common.console import print_json
from cockpit.launch.start import start_run
from engine.errors import UserError
from engine.files.temporary import holder
from engine.progress import Progress
from engine.runs.exactness import Evidence, counted, differences, evidence
from engine.runs.layout import RunPaths, create_run
from engine.runs.lock import lock_holder
from engine.runs.process import engine_argv, launch
from engine.runs.status import Status
from engine.runs.store.opening import RunReader, open_reader, status_of

if TYPE_CHECKING:
    from engine.config import RunConfig

#: What is set otherwise than in the demo. An epoch a stage shows what five would.
SIZES = {
    "demo": ["stages.stage_a.epochs=1", "stages.stage_b.epochs=1"],
    "small": [
        "stages.stage_a.epochs=1",
        "stages.stage_b.epochs=1",
        "stages.stage_a.batch_size=4",
        "stages.stage_b.batch_size=4",
        "data.phantom.patients=60",
        "data.phantom.size=64",
        "cadence.checkpoint=2 steps",
        "cadence.validation=4 steps",
        "cadence.sample=stage end",
        "evaluation.validation_limit=4",
        "evaluation.cases=1",
        "evaluation.max_new_tokens=4",
    ],
}
POLL_SECONDS = 0.005
LEFTOVERS = (".partial", ".replaced", ".rotated")
"""Endings of what is in a checkpoint directory only while something is written or removed there."""

#: How a death is aimed, and how often: at a moment of training, into a write, at an engine that has not begun yet.
AIMS = {"instant": 5, "write": 3, "start": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen. differences: lines, empty if the killed run ended as the unbroken one did."""

    compared: str
    kills: dict[str, int]
    resumes: int
    state: str
    differences: list[str]
    another_seed: list[str]
    skipped_batch: list[str]

    @property
    def ok(self) -> bool:
        controls = bool(self.another_seed) and bool(self.skipped_batch)
        return self.state == "finished" and not self.differences and controls


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kills", metavar="N", type=whole_number(), default=50, help="deaths by SIGKILL (default: 50)"
    )
    parser.add_argument(
        "--size", choices=SIZES, default="demo", help="the demo's pair of stages, or a small one"
    )
    parser.add_argument(
        "--seed", metavar="S", type=seed_number, default=0, help="of the run and of the instants"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.epilog = "example:\n  cxr-cockpit bench resume --kills 50"


def run(options: argparse.Namespace) -> int:
    with (
        holder() as directory,
        closing(Progress()) as progress,
    ):
        found = measure(directory.path, options.kills, options.size, options.seed, progress)
    print_json(as_json(found)) if options.json else print("\n".join(lines(found)))
    return 0 if found.ok else 1


def measure(
    directory: Path, kills: int, size: str, seed: int, tell: Callable[[str, int, int], None]
) -> Finding:
    """Train the pair unbroken, then killed, then the two controls; `tell(what, done, total)` hears how far it is."""
    tell("the unbroken run", 0, kills)
    config = _config(directory, size, seed, seed)
    whole = start_run(config, directory, "unbroken")
    startup = _seconds_until(whole, lambda status: status.state == "training")
    _end_well(whole)
    unbroken = evidence(whole)

    killed = create_run(directory, "killed")
    deaths = _kill(killed, config, kills, _steps(whole), startup, random.Random(seed), tell)

    tell("the controls", kills, kills)
    other = start_run(_config(directory, size, seed, seed + 1), directory, "seed", ["--stage", "stage_a"])
    _end_well(other)
    skipping = create_run(directory, "skipping")
    _freeze(config, skipping)
    control = [sys.executable, "-P", "-m", "engine.bench.negative_control", "run", str(skipping.root)]
    launch(skipping, [*control, "--stage", "stage_a"])
    _end_well(skipping)
    return Finding(
        counted(unbroken),
        dict(deaths),
        sum(deaths.values()),
        status_of(killed).state,
        differences(evidence(killed), unbroken),
        _differences_in_stage_a(other, whole),
        _differences_in_stage_a(skipping, whole),
    )


def lines(found: Finding) -> list[str]:
    """The finding as it is printed."""
    kinds = {"instant": "at any instant", "write": "within a write", "start": "while starting"}
    aimed = ", ".join(f"{found.kills.get(aim, 0)} {words}" for aim, words in kinds.items())
    return [
        f"compared   {found.compared}",
        f"kills      {sum(found.kills.values())} by SIGKILL: {aimed}",
        f"resumes    {found.resumes}; the run is {found.state}",
        f"identical  {'no' if found.differences else 'yes, to the bit'}",
        *(f"           {line}" for line in found.differences[:10]),
        f"control    another seed differs: {_noticed(found.another_seed)}",
        f"control    a skipped batch is noticed: {_noticed(found.skipped_batch)}",
    ]


def as_json(found: Finding) -> dict[str, object]:
    return {
        "compared": found.compared,
        "kills": found.kills,
        "resumes": found.resumes,
        "state": found.state,
        "identical": not found.differences,
        "differences": found.differences,
        "another_seed_differs": bool(found.another_seed),
        "skipped_batch_noticed": bool(found.skipped_batch),
        "ok": found.ok,
    }


def _noticed(differing: list[str]) -> str:
    return f"yes, {len(differing):,} times, first in {differing[0]}" if differing else "no"


def _config(directory: Path, size: str, data_seed: int, seed: int) -> RunConfig:
    from engine.config import demo_config_path, load_config

    home = directory / ".phantom"
    return load_config(
        demo_config_path(),
        [
            f"seed={seed}",
            f"data.phantom.seed={data_seed}",
            f"data.curriculum={home / 'curriculum' / 'curriculum.jsonl'}",
            f"data.image_root={home / 'mimic-cxr-jpg' / '2.1.0'}",
            *SIZES[size],
        ],
    )


def _freeze(config: RunConfig, paths: RunPaths) -> None:
    from engine.config import freeze

    freeze(config, paths.config)


def _kill(
    paths: RunPaths,
    config: RunConfig,
    kills: int,
    steps: dict[str, int],
    startup: float,
    draw: random.Random,
    tell: Callable[[str, int, int], None],
) -> Counter[str]:
    """Start and kill, each time further on, then let it end. Returns how often it died of what aim."""
    _freeze(config, paths)
    died: Counter[str] = Counter()
    total = sum(steps.values())
    for done, place in enumerate(sorted(draw.uniform(0, 0.95 * total) for _ in range(kills))):
        tell("deaths", done, kills)
        aim = draw.choices(list(AIMS), list(AIMS.values()))[0]
        pid = launch(paths, engine_argv(paths))
        with open_reader(paths) as reader:
            if not _arrived(reader, aim, place, steps, startup, draw):
                break
        os.kill(pid, signal.SIGKILL)
        died[aim] += 1
        while lock_holder(paths):
            time.sleep(POLL_SECONDS)
    tell("the end", kills, kills)
    if status_of(paths).state == "crashed":
        launch(paths, engine_argv(paths))
    _end_well(paths)
    return died


def _arrived(
    reader: RunReader, aim: str, place: float, steps: dict[str, int], startup: float, draw: random.Random
) -> bool:
    """Wait for the moment to kill in. False if the engine ended before it came."""
    if aim == "start":
        time.sleep(draw.uniform(0, startup))
        return reader.status().live
    for status in _statuses(reader):
        if _position(status, steps) >= place:
            break
    else:
        return False
    if aim == "instant":
        time.sleep(draw.uniform(0, 0.2))
        return reader.status().live
    for _ in _statuses(reader):
        if any(path.name.endswith(LEFTOVERS) for path in reader.paths.checkpoints.glob(".stage_*")):
            time.sleep(draw.uniform(0, 0.02))
            return True
    return False


def _statuses(reader: RunReader) -> Iterator[Status]:
    """What the run is, again and again, until its engine has ended."""
    while (status := reader.status()).live:
        yield status
        time.sleep(POLL_SECONDS)


def _position(status: Status, steps: dict[str, int]) -> float:
    """Steps done in all stages. While an engine starts, its status still tells of the one before: nothing yet."""
    if status.state not in ("training", "evaluating", "stopping"):
        return -1
    before = 0
    for stage, count in steps.items():
        if stage == status.stage:
            return before + (status.step or 0)
        before += count
    return -1


def _steps(paths: RunPaths) -> dict[str, int]:
    with open_reader(paths) as reader:
        return {str(stage["stage"]): int(stage["steps"]) for stage in reader.stages_plan()}


def _seconds_until(paths: RunPaths, condition: Callable[[Status], bool]) -> float:
    begun = time.monotonic()
    with open_reader(paths) as reader:
        for status in _statuses(reader):
            if condition(status):
                break
    return time.monotonic() - begun


def _end_well(paths: RunPaths) -> None:
    """Wait until the engine has ended. UserError unless the run is finished."""
    _seconds_until(paths, lambda status: False)
    status = status_of(paths)
    if status.state != "finished":
        raise UserError(f"run {paths.name!r} ended {status.state}: {status.error or status.message}")


def _differences_in_stage_a(one: RunPaths, other: RunPaths) -> list[str]:
    def of_stage_a(paths: RunPaths) -> Evidence:
        return evidence(paths, ("stage_a",))

    return differences(of_stage_a(one), of_stage_a(other))
