"""After an engine has ended badly: why, in plain words, what it said last, what is safe, and what goes on."""

import time
from dataclasses import dataclass
from typing import Any

from engine.files.plain_file import open_plain
from engine.runs import machine
from engine.runs.checkpoints import newest_checkpoint, read_meta
from engine.runs.failures import known_failure
from engine.runs.layout import RunPaths
from engine.runs.status import ATTEMPT_MARK, Status
from engine.runs.store.opening import NotReady, open_reader
from engine.words.plural import counted
from engine.words.sizes import in_memory

LAST_LINES = 5
_BOOT_SLACK = 60.0  # seconds by which two looks at the time of the start may differ
_NEARLY_ALL = 0.95


@dataclass(frozen=True, slots=True)
class Aftermath:
    """reason and hint are one line each, the hint empty where none is known; command is what to type."""

    reason: str
    hint: str
    last_lines: tuple[str, ...]
    safe: str
    command: str


def aftermath(paths: RunPaths, status: Status) -> Aftermath | None:
    """What there is to say of a run that crashed or failed; None for any other. UserError as `open_reader`."""
    if status.state not in ("crashed", "failed"):
        return None
    last_lines = _last_lines(paths)
    failure = known_failure(status.error or "")
    if not failure.means and status.state == "crashed":
        failure = known_failure("\n".join(line for line in last_lines if " INFO " not in line))
    reason = failure.means or (_silent_end(paths, status) if status.state == "crashed" else "")
    return Aftermath(
        reason=reason or status.error or "",
        hint=failure.hint,
        last_lines=last_lines,
        safe=_safe(paths, status),
        command=paths.resume_command,
    )


def _silent_end(paths: RunPaths, status: Status) -> str:
    """What the machine tells of an engine that left no word."""
    before, memory = _kept(paths, status.attempt)
    booted = before.get("booted")
    if booted and abs(machine.booted() - booted) > _BOOT_SLACK:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(machine.booted()))
        return f"the machine restarted ({when}) while the engine was at work"
    kills = machine.oom_kills()
    if kills is not None and kills > before.get("oom_kills", kills):
        return "memory ran out while the engine was at work and the system killed processes, most likely this one too"
    used, total = memory
    if total and used / total > _NEARLY_ALL:
        return f"memory was nearly full ({in_memory(used)} of {in_memory(total)}): the system killed it"
    if not status.error or "last line of" not in status.error:
        return (
            "it ended without a message, so it was killed: by the system because memory ran out, or by hand"
        )
    return ""


def _kept(paths: RunPaths, attempt: int) -> tuple[dict[str, Any], tuple[float, float]]:
    """The machine's marks at the attempt's start, and the memory (used, total) in bytes that it told last."""
    try:
        with open_reader(paths) as reader:
            info = reader.attempt_info(attempt)
            last = reader.latest(["memory/system_used", "memory/system_total"])
    except NotReady:
        return {}, (0.0, 0.0)
    used, total = last.get("memory/system_used"), last.get("memory/system_total")
    return info, (used.value if used else 0.0, total.value if total else 0.0)


def _safe(paths: RunPaths, status: Status) -> str:
    newest = newest_checkpoint(paths)
    reached = read_meta(newest) if newest else None
    if newest is None or reached is None:
        return "no checkpoint was written yet: it starts again from the beginning; the data are kept"
    place = f"checkpoint {newest.name}, step {reached.step:,} of {reached.steps:,}"
    if status.stage != reached.stage or status.step is None or status.step <= reached.step:
        return f"all of it: {place}"
    after = status.step - reached.step
    return f"{place}; the {counted(after, 'step')} after it {'is' if after == 1 else 'are'} trained again"


def _last_lines(paths: RunPaths) -> tuple[str, ...]:
    """The last lines that the last engine wrote, fit to be printed."""
    try:
        with open_plain(paths.log, "rb", links=False) as log:
            log.seek(max(0, log.seek(0, 2) - 8192))
            said = log.read().decode(errors="replace").rpartition(ATTEMPT_MARK)[2]
    except OSError:
        return ()
    lines = [line for line in said.splitlines() if line.strip() and not line.endswith(" ===")]
    return tuple(
        "".join(one if one.isprintable() else " " for one in line)[:300] for line in lines[-LAST_LINES:]
    )
