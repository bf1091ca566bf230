"""Findings about the machine: memory and disk against what the configuration needs, sleep, the asked device."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine.config import RunConfig
from engine.files.free_space import free_space, nearest_existing
from engine.files.json_file import read_json
from engine.setup_check.finding import SEEN, Finding
from engine.setup_check.probe.facts import Facts
from engine.setup_check.rules.model_files import weight_bytes
from engine.words.sizes import GIB, MIB, in_memory, on_disk

WORKING_SHARE = 0.25  # activations, optimizer and buffers on top of the weights, as a share of them
WORKING_BYTES = 2 * GIB
SPARE_DISK = 10**9  # beside the checkpoints: run.db and the log
WIRED_SHARE = 0.75  # of the memory, where macOS sets the limit
ADAPTER_AND_MOMENTS = 3 * 4  # bytes a trained number takes in a checkpoint: itself and two moments in float32


def machine_findings(config: RunConfig | None, runs: Path) -> Iterator[Finding]:
    """Memory, disk and sleep of the machine that this runs on."""
    yield from _memory(config)
    yield from _disk(config, runs)
    if platform.system() == "Darwin":
        yield from _sleep()
        yield from _wired_limit(config)


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
        title=f"{total / GIB:.0f} GiB memory" + ("" if enough else ": too little for this model"),
        found=f"{in_memory(total)}, {in_memory(psutil.virtual_memory().available)} free",
        expected=f"about {in_memory(need)}" if need else "",
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
    place = nearest_existing(runs)
    free = free_space(place)
    need = _checkpoint_bytes(config) if config else None
    enough = free > (need or 0) + SPARE_DISK
    yield Finding(
        id="disk",
        group="machine",
        status="ok" if enough else "fail",
        title=f"{on_disk(free)} free for runs" + ("" if enough else ": too little"),
        found=f"{on_disk(free)} at {place}",
        expected=on_disk((need or 0) + SPARE_DISK) + (" for the kept checkpoints" if need else ""),
        why=""
        if enough
        else "While no checkpoint can be written, a crash costs all steps since the last one.",
        source="estimate: shape of the model and lora.rank" if need else SEEN,
    )


def _checkpoint_bytes(config: RunConfig) -> float | None:
    """The kept checkpoints, of each stage the last and the best, and one being written."""
    try:
        about = read_json(config.base_directory / "config.json")
    except (OSError, ValueError):
        return None
    try:
        text = about.get("text_config", about)
        hidden, layers, inner = text["hidden_size"], text["num_hidden_layers"], text["intermediate_size"]
        heads = text["num_attention_heads"]
        narrow = hidden * text.get("num_key_value_heads", heads) // heads
        sides = 2 * (hidden + hidden) + 2 * (hidden + narrow) + 3 * (hidden + inner)
    except (AttributeError, LookupError, TypeError, ArithmeticError):
        return None
    return float(config.lora.rank * sides * layers * ADAPTER_AND_MOMENTS * (config.checkpoints.keep + 5))


def _sleep() -> Iterator[Finding]:
    """What puts this Mac, or its speed, to sleep."""
    said = _said("pmset", "-g")
    if said is None:
        return
    settings = {words[0]: words[1] for line in said.splitlines() if len(words := line.split()) > 1}
    minutes = settings.get("sleep", "0")
    sleeps = minutes.isdigit() and int(minutes) > 0
    yield Finding(
        id="sleep",
        group="machine",
        status="warn" if sleeps else "ok",
        title=f"This Mac sleeps after {minutes} minutes" if sleeps else "This Mac does not sleep by itself",
        found=f"pmset: sleep {minutes}, displaysleep {settings.get('displaysleep', 'unset')}",
        expected="awake while a run lives",
        why="A sleeping Mac trains nothing; a dark display costs nothing. "
        "`caffeinate -i -s` in front of a command keeps it awake."
        if sleeps
        else "",
        source="cited: man pmset, man caffeinate",
    )
    if settings.get("lowpowermode") == "1" or settings.get("powermode") == "1":
        yield Finding(
            id="low-power-mode",
            group="machine",
            status="warn",
            title="Low power mode is on",
            found="pmset: lowpowermode 1",
            expected="lowpowermode 0",
            why="It holds processor and GPU back: a run takes longer than planned.",
            fix=(("sudo", "pmset", "-a", "lowpowermode", "0"),),
            source="cited: man pmset",
        )


def _wired_limit(config: RunConfig | None) -> Iterator[Finding]:
    """What of the memory the GPU may hold, against what the model needs there."""
    import psutil

    said = _said("sysctl", "-n", "iogpu.wired_limit_mb")
    if said is None or not said.isdigit():
        return
    limit = float(said) * MIB or psutil.virtual_memory().total * WIRED_SHARE
    on_gpu = config is not None and config.model.device in ("auto", "mps")
    need = _memory_needed(config) if on_gpu else None
    enough = need is None or need <= limit
    yield Finding(
        id="wired-limit",
        group="machine",
        status="ok" if enough else "warn",
        title=f"The GPU may hold {limit / GIB:.0f} GiB of the memory"
        + ("" if enough else ": too little for this model"),
        found=f"iogpu.wired_limit_mb {said}"
        + (" (about three quarters of the memory)" if said == "0" else ""),
        expected=f"about {in_memory(need)}" if need else "0, or a limit above what the model needs",
        why="What does not fit is swapped and slow. "
        f"`sudo sysctl iogpu.wired_limit_mb={need / MIB:.0f}` raises the limit until the next start, "
        "if the memory allows it."
        if need and not enough
        else "",
        source="cited: sysctl iogpu",
    )


def _said(*command: str) -> str | None:
    path = shutil.which(command[0], path=os.pathsep.join((*os.get_exec_path(), "/usr/sbin", "/usr/bin")))
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
