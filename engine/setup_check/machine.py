"""Findings about the machine: memory and disk against what the configuration needs, sleep, the asked device."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine.config import RunConfig
from engine.setup_check.facts import Facts
from engine.setup_check.finding import Finding
from engine.setup_check.metadata import SEEN
from engine.setup_check.model_files import weight_bytes

GIB = 1024**3
WORKING_SHARE = 0.25  # activations, optimizer and buffers on top of the weights, as a share of them
WORKING_BYTES = 2 * GIB
ADAPTER_AND_MOMENTS = 3 * 4  # bytes a trained number takes in a checkpoint: itself and two moments in float32


def machine_findings(config: RunConfig | None, runs: Path) -> Iterator[Finding]:
    """Memory, disk and sleep of the machine that this runs on."""
    yield from _memory(config)
    yield from _disk(config, runs)
    if platform.system() == "Darwin":
        yield from _mac()


def device_findings(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Whether the configured device is there, as the torch of the interpreter says."""
    torch = facts.imports.get("torch")
    device = config.model.device
    if torch is None or not torch.ok or device not in ("mps", "cuda"):
        return
    there = bool(torch.notes.get(f"{device}_available"))
    yield Finding(
        id=f"device-{device}",
        group="machine",
        status="ok" if there else "fail",
        title=f"model.device {device} is there" if there else f"model.device is {device}, and torch has none",
        found=f"torch {torch.version}: {device} {'available' if there else 'not available'}",
        expected=f"{device} available, or model.device: auto",
        why="" if there else "The run would end when it loads the model.",
        source=SEEN,
    )


def _memory(config: RunConfig | None) -> Iterator[Finding]:
    import psutil

    total = psutil.virtual_memory().total
    need = _memory_needed(config)
    enough = need is None or need <= total
    yield Finding(
        id="memory",
        group="machine",
        status="ok" if enough else "fail",
        title=f"{total / GIB:.0f} GB memory" + ("" if enough else ": too little for this model"),
        found=f"{total / GIB:.1f} GB, {psutil.virtual_memory().available / GIB:.1f} free",
        expected=f"about {need / GIB:.1f} GB" if need else "",
        why=""
        if enough
        else "The weights alone, in model.precision, and a quarter on top for the work. "
        "With model.precision: bfloat16 it is half of float32.",
        source="estimate: sizes of the model's files" if need else SEEN,
    )


def _memory_needed(config: RunConfig | None) -> float | None:
    if config is None:
        return None
    weights = weight_bytes(config.base_directory, 4 if config.model.precision == "float32" else 2)
    return weights * (1 + WORKING_SHARE) + WORKING_BYTES if weights else None


def _disk(config: RunConfig | None, runs: Path) -> Iterator[Finding]:
    place = runs.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    need = _checkpoint_bytes(config) if config else None
    enough = free > (need or 0) + GIB
    yield Finding(
        id="disk",
        group="machine",
        status="ok" if enough else "fail",
        title=f"{free / GIB:.0f} GB free for runs" + ("" if enough else ": too little"),
        found=f"{free / GIB:.1f} GB at {place}",
        expected=f"{(need or 0) / GIB + 1:.1f} GB" + (" for the kept checkpoints" if need else ""),
        why=""
        if enough
        else "While no checkpoint can be written, a crash costs all steps since the last one.",
        source="estimate: shape of the model and lora.rank" if need else SEEN,
    )


def _checkpoint_bytes(config: RunConfig) -> float | None:
    """The kept checkpoints, of each stage the last and the best, and one being written."""
    try:
        about = json.loads((config.base_directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    text = about.get("text_config", about)
    try:
        hidden, layers, inner = text["hidden_size"], text["num_hidden_layers"], text["intermediate_size"]
        heads = text["num_attention_heads"]
    except KeyError:
        return None
    narrow = hidden * text.get("num_key_value_heads", heads) // heads
    sides = 2 * (hidden + hidden) + 2 * (hidden + narrow) + 3 * (hidden + inner)
    return float(config.lora.rank * sides * layers * ADAPTER_AND_MOMENTS * (config.checkpoints.keep + 5))


def _mac() -> Iterator[Finding]:
    settings = _said("pmset", "-g")
    if settings is not None:
        minutes = next(
            (line.split()[1] for line in settings.splitlines() if line.split()[:1] == ["sleep"]), "0"
        )
        sleeps = minutes.isdigit() and int(minutes) > 0
        yield Finding(
            id="sleep",
            group="machine",
            status="warn" if sleeps else "ok",
            title=f"This Mac sleeps after {minutes} minutes"
            if sleeps
            else "This Mac does not sleep by itself",
            found=f"pmset: sleep {minutes}",
            expected="awake while a run lives",
            why="A sleeping Mac trains nothing. `caffeinate -i -s` in front of a command keeps it awake."
            if sleeps
            else "",
            source="cited: man pmset, man caffeinate",
        )
    limit = _said("sysctl", "-n", "iogpu.wired_limit_mb")
    if limit is not None:
        yield Finding(
            id="wired-limit",
            group="machine",
            status="ok",
            title="The GPU's share of memory is the system's"
            if limit == "0"
            else f"GPU memory limit {limit} MB",
            found=f"iogpu.wired_limit_mb {limit}",
            expected="0 (about three quarters of the memory), or a limit above what the model needs",
            source="cited: sysctl iogpu",
        )


def _said(*command: str) -> str | None:
    path = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")
    if path is None:
        return None
    try:
        ended = subprocess.run(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None
