"""A run's status in words, for `status` and for the headless line."""

from __future__ import annotations

from cockpit.commands.common.console import table
from cockpit.toolkit.figures import count, slower, time_left
from cockpit.toolkit.glyphs import UNICODE
from engine.runs.aftermath import Aftermath
from engine.runs.layout import RunPaths
from engine.runs.status import Status
from engine.stages import find_stage
from engine.words.durations import duration
from engine.words.printable import one_line
from engine.words.sizes import in_memory


def state_words(status: Status) -> str:
    """`● training`, `▲ stalled`."""
    return UNICODE.state("stalled" if status.stalled else status.state)


def stage_name(stage: str) -> str:
    known = find_stage(stage)
    return f"stage {known.letter}" if known else stage


def progress_words(status: Status) -> list[str]:
    """What is known of where the run is, a part each: stage and step, loss, rate, time left."""
    parts = []
    if status.stage is not None and status.step is not None:
        of = f"/{count(status.steps)}" if status.steps is not None else ""
        parts.append(f"{stage_name(status.stage)}  step {count(status.step)}{of}")
    if status.loss is not None:
        parts.append(f"raw loss {status.loss:.3f}")
    if status.samples_per_second is not None:
        parts.append(f"{status.samples_per_second:.1f} samples/s")
    return [*parts, *(words for words in (left_words(status), slower(status.slower_than_planned)) if words)]


def left_words(status: Status) -> str:
    """The time left; of a run that rests, that it counts from when it goes on."""
    left = time_left(status.eta_seconds, status.eta_low_seconds, status.eta_high_seconds, status.done_at)
    rests = status.state in ("holding", "parked")
    return f"{left} once it goes on" if left and rests else left


def progress_line(status: Status) -> str:
    """One line: state, note, progress."""
    parts = [state_words(status), *progress_words(status)]
    if status.note:
        parts.insert(1, one_line(status.note))
    return "  ".join(parts)


def status_lines(status: Status, after: Aftermath | None = None) -> list[str]:
    """A run on a few lines; one that ended badly with all there is to say of that."""
    epoch = f"   epoch {status.epoch:.2f}" if status.epoch is not None else ""
    where = "   ".join(progress_words(status)) + epoch
    since = f"   {one_line(status.message)}" if status.message else ""
    pid = f"pid {status.pid}" if status.pid is not None else ""
    memory = in_memory(status.memory_bytes) if status.memory_bytes is not None else ""
    rows = [
        ("state", state_words(status) + since),
        ("progress", where),
        ("note", one_line(status.note)),
        ("memory", memory),
        ("checkpoint", status.checkpoint or ""),
        ("engine", pid),
        ("error", one_line(status.error or "")),
        *(_aftermath_rows(status, after) if after else ()),
    ]
    return [f"{status.run}", *(f"  {line}" for line in table(row for row in rows if row[1]))]


def _aftermath_rows(status: Status, after: Aftermath) -> list[tuple[str, str]]:
    reason = "" if after.reason == status.error else one_line(after.reason)
    return [
        ("why", reason),
        ("hint", one_line(after.hint)),
        ("safe", one_line(after.safe)),
        ("go on", f"{after.command}"),
        *(("log" if number == 0 else " ", one_line(line)) for number, line in enumerate(after.last_lines)),
    ]


def overview(statuses: list[Status]) -> list[str]:
    """Runs on a line each."""
    rows = [("RUN", "STATE", "STAGE", "STEP", "RAW LOSS", "LEFT")]
    for status in statuses:
        steps = f"/{count(status.steps)}" if status.steps is not None else ""
        rows.append(
            (
                status.run,
                state_words(status),
                stage_name(status.stage) if status.stage else "",
                f"{count(status.step)}{steps}" if status.step is not None else "",
                f"{status.loss:.3f}" if status.loss is not None else "",
                duration(status.eta_seconds) if status.eta_seconds is not None else "",
            )
        )
    return table(rows, right=(3, 4, 5))


def how_to_go_on(status: Status, paths: RunPaths) -> str:
    """What a person can do next with a run that has ended."""
    command = f"`{paths.resume_command}`"
    return {
        "parked": f"go on with {command}",
        "stopped": f"the next stage: {command}; the same one: add --same-stage",
        "crashed": f"go on from the last checkpoint with {command}",
        "failed": f"when it is fixed, go on with {command}",
    }.get(status.state, "")
