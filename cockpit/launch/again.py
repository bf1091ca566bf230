"""Starting a new engine in a run that is there already."""

from __future__ import annotations

from cockpit.views.run_summary import place_of
from engine.runs.checkpoints import checkpoint_names
from engine.runs.layout import RunPaths
from engine.runs.store.opening import NotReady, open_reader


def start_again(paths: RunPaths) -> str:
    """Launch an engine that goes on where the last one ended; a sentence that says from where.

    After a stop it begins the next stage; where the last stage was stopped, there is only the rest of it to train.
    Raises UserError.
    """
    from engine.runs.process import engine_argv, launch

    names = checkpoint_names(paths)
    options = ["--same-stage"] if _stopped_in_the_last_stage(paths) else []
    launch(paths, engine_argv(paths, *options))
    return f"a new engine goes on from {names[-1]}" if names else "a new engine starts"


def _stopped_in_the_last_stage(paths: RunPaths) -> bool:
    try:
        reader = open_reader(paths)
    except NotReady:
        return False
    with reader:
        status = reader.status()
        stages = [str(entry["stage"]) for entry in reader.stages_plan()]
        last_steps = {stage: last for stage, _, last in reader.extents("train/loss")}
    at = place_of(stages, status.stage, last_steps)
    ahead = stages if at is None else stages[at + 1 :]
    return status.state == "stopped" and not ahead
