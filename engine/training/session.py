"""One engine's life: prepare, load, audit, train what is left of the asked stages, and say truly how it ended."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch

from engine.config import RunConfig, left_to_defaults
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.runs.checkpoints import Ended, behind_the_record
from engine.runs.directory_watch import DirectoryWatch
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock, TakenOver
from engine.runs.pinned_paths import PinnedPaths, RunRemoved
from engine.runs.store.opening import RunReader, RunWriter, TrainingLog, open_reader, open_writer
from engine.stages import STAGE_NAMES, stage_of
from engine.training import audit
from engine.training import checkpoint as checkpoints
from engine.training.batches import Collator, Encoded, encode_all
from engine.training.checkpoint import NotWritten
from engine.training.control import Control, Interrupt, Signals, ended_early
from engine.training.device import device
from engine.training.device.faults import known_faults, largest_tensors
from engine.training.device.samplers import Gauges
from engine.training.loaded import Loaded, frozen_config, load
from engine.training.out_of_memory import OutOfMemory, is_out_of_memory, loading_words, training_words
from engine.training.position import (
    Position,
    refuse_if_there_were_some,
    store_loss,
    stored_losses,
    where_to_go_on,
)
from engine.training.prepare import check_images, prepare_curriculum
from engine.training.quarantine import Quarantine
from engine.training.stage import Stage, make_stage, schedule_stage
from engine.training.train import train_stage

log = logging.getLogger("engine")

#: Called with the configuration, the directory of runs, the asked stages, the encoded samples by split and the bytes
#: that the process had before anything was loaded; returns the planned figures by stage.
Planner = Callable[
    [RunConfig, Path, Sequence[str], dict[str, list[Encoded]], int], dict[str, dict[str, float]]
]


def run(paths: RunPaths, asked: str | None, same_stage: bool, signals: Signals, plan_stages: Planner) -> int:
    """Live as the run's engine until it ends; returns the exit code: 0 when every asked stage is finished.

    plan_stages: what the run is going to be held against.
    """
    with (
        closing(PinnedPaths(paths.root)) as paths,
        EngineLock.acquire(paths) as lock,
        open_writer(paths, training_log=TrainingLog()) as writer,
        open_reader(paths) as reader,
    ):
        watch = DirectoryWatch(paths, lock, partial(writer.event, "alert", level="warn"))
        control = Control(writer, signals, watch.look)
        try:
            config = frozen_config(paths)
            place = device.choose_device(config.model.device)
            with Gauges(device.device_of(place)) as gauges:
                session = Session(
                    paths=paths,
                    config=config,
                    place=place,
                    writer=writer,
                    reader=reader,
                    control=control,
                    gauges=gauges,
                    quarantine=Quarantine(
                        limit=config.tolerance.lost_films,
                        root=config.data.image_root,
                        tell=partial(store_loss, writer),
                    ),
                    plan_stages=plan_stages,
                    bytes_before=psutil.Process().memory_info().rss,
                )
                return live(session, asked, same_stage)
        except Interrupt as interrupt:  # before there was a stage to make safe
            ended_early(writer, interrupt)
            return 1
        except TakenOver as error:
            log.error("%s: this engine ends", error)
            return 1
        except RunRemoved as gone:
            control.refuse_all(_gone_words(gone))
            writer.state("failed", _gone_words(gone))
            log.error("%s", _gone_words(gone))
            return 1
        except UserError as error:
            writer.event("error", str(error), level="error", usage=True)
            writer.state("failed", str(error))
            log.error("%s", error)
            return 2
        except Exception as error:
            message = str(error) if isinstance(error, OutOfMemory) else f"{type(error).__name__}: {error}"
            writer.event("error", message, level="error", traceback=traceback.format_exc())
            writer.state("failed", message)
            log.exception("the engine failed")
            return 1


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the phases of one engine share. bytes_before: what the process had before anything was loaded."""

    paths: RunPaths
    config: RunConfig
    place: torch.device
    writer: RunWriter
    reader: RunReader
    control: Control
    gauges: Gauges
    quarantine: Quarantine
    plan_stages: Planner
    bytes_before: int

    def tell(self, message: str, level: str = "info") -> None:
        """Store a note, or an alert where the level is no mere information."""
        self.writer.event("note" if level == "info" else "alert", message, level=level)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was made before the first step. encoded: by split."""

    samples: list[Sample]
    loaded: Loaded
    encoded: dict[str, list[Encoded]]
    collator: Collator


def live(session: Session, asked: str | None, same_stage: bool) -> int:
    """The phases of an engine, one after the other; returns the exit code."""
    control = session.control
    stages = asked_stages(session, asked)
    position = begin_attempt(session, asked, stages, same_stage)

    control.enter("preparing")
    samples = prepare_samples(session, position)

    control.enter("loading")
    prepared = load_model(session, position, samples)
    audit_first_batch(session, prepared)
    write_route(session, stages, prepared)

    for name in stages[stages.index(position.stage) :]:
        # a later stage warms up afresh
        goes_on = name == position.stage and position.step > 0
        stage = make_stage(
            name,
            config=session.config,
            loaded=prepared.loaded,
            collator=prepared.collator,
            samples=samples,
            encoded=prepared.encoded,
            resume_from=position.checkpoint if goes_on else None,
            quarantine=session.quarantine,
            gauges=session.gauges,
            control=control,
            writer=session.writer,
            reader=session.reader,
        )
        with control.answering(stage.carry_out):
            if not train_or_rest(session, stage):
                return 1
        stage.tell("note", f"{name} finished")
    control.enter("finished", "all requested stages are done")
    return 0


def asked_stages(session: Session, asked: str | None) -> list[str]:
    """What the command line asks for, else what the attempt before was asked for, else all."""
    if asked is None:
        planned = [str(stage["stage"]) for stage in session.reader.stages_plan()]
        return planned or list(STAGE_NAMES)
    return list(STAGE_NAMES) if asked == "all" else [asked]


def begin_attempt(session: Session, asked: str | None, stages: list[str], same_stage: bool) -> Position:
    """Find where the run goes on, set damaged checkpoints aside, begin an attempt there and say what is unusual."""
    checkpoint_directory, writer = session.paths.checkpoints, session.writer
    checkpoints.recover(checkpoint_directory)
    position, left = where_to_go_on(checkpoint_directory, stages, same_stage)
    told = session.reader.status().checkpoint
    if position.checkpoint is None and not left:
        refuse_if_there_were_some(session.paths, told)
    checkpoints.set_aside(checkpoint_directory, left)
    about = {**device.describe(session.place), "asked": asked or ",".join(stages)}
    writer.begin_attempt(position.stage, position.step, about)
    for name, wrong in left.items():
        aside = f"{name}{checkpoints.SET_ASIDE}"
        session.tell(f"checkpoint {name} is damaged ({wrong}): passed over and kept aside as {aside}", "warn")
    reached = position.checkpoint.name if position.checkpoint else None
    if behind := behind_the_record(told, reached):
        session.tell(behind, "warn")
    elif reached and not told:
        session.tell(
            f"run.db has no record of {reached}: it was removed or lost, and what it held with it", "warn"
        )
    if defaults := left_to_defaults(session.config):
        session.tell(
            f"config.yaml was cut short, edited or made by another version: it lacks {', '.join(defaults)}; "
            "their defaults count",
            "warn",
        )
    if reached:
        writer.event("note", f"going on from checkpoint {reached}", stage=position.stage)
    if session.config.data.order == "by_length":
        session.tell(
            "samples of like length are trained together, as when this run began (data.order: by_length)"
        )
    session.tell(f"reads {session.config.reads()}")
    for fault in known_faults(device.device_of(session.place)):
        session.tell(fault, "warn")
    return position


def prepare_samples(session: Session, position: Position) -> list[Sample]:
    """The curriculum, made first where it is the phantoms', and every film of it decoded once."""
    config, control, quarantine = session.config, session.control, session.quarantine

    def note(line: str) -> None:
        """Where the run goes on is known all the while."""
        with control.at_once.undisturbed():
            session.writer.progress(position.stage, position.step, note=line)

    samples = control.at_once(lambda: prepare_curriculum(config, note, control.poll))
    quarantine.remember(stored_losses(session.reader))
    used = [sample for sample in samples if sample.split in ("train", "val")]
    lost = quarantine.films()
    remaining = [sample for sample in used if sample.image not in lost]
    # a resumed run bears as many new failures as it would in its midst
    bears = max(0, quarantine.limit - len(lost)) if position.checkpoint else 0
    good = control.at_once(
        lambda: check_images(
            config.data.image_root, remaining, config.data.workers, note, control.poll, bears
        )
    )
    failed = len({sample.image for sample in used}) - good
    told = f"{failed} cannot be read, others take their place" if failed else "every one decodes"
    session.tell(f"{len(used)} samples, {good + failed} films, {told}")
    return samples


def load_model(session: Session, position: Position, samples: list[Sample]) -> Prepared:
    """Base and adapter on the device, and the samples as its tokens. Raises `OutOfMemory`."""
    config, at_once = session.config, session.control.at_once
    try:
        loaded = at_once(lambda: load(config, session.place, position.checkpoint))
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(loading_words(config)) from error
        raise
    base, data = loaded.base, config.data
    encoded = at_once(
        lambda: {
            split: encode_all(
                [sample for sample in samples if sample.split == split], base.encoder, data.max_length
            )
            for split in ("train", "val")
        }
    )
    collator = Collator(data.image_root, base.image_processor, base.pad_id, data.length_multiple)
    return Prepared(samples=samples, loaded=loaded, encoded=encoded, collator=collator)


def audit_first_batch(session: Session, prepared: Prepared) -> None:
    """Refuse what would train "successfully" and be worth nothing, or what the device cannot compute with."""
    loaded, base = prepared.loaded, prepared.loaded.base
    every = prepared.encoded["train"] + prepared.encoded["val"]
    line = session.control.at_once(
        lambda: audit.before_first_step(loaded.model, base, every, prepared.collator.training(every[:1]))
    )
    session.tell(line)
    text = base.model.config.text_config
    of_stages = [[one for one in every if one.sample.stage == name] for name in STAGE_NAMES]
    tensors = largest_tensors(session.config, text.num_attention_heads, text.vocab_size, of_stages)
    device.device_of(session.place).refuse_too_large(tensors)


def write_route(session: Session, stages: list[str], prepared: Prepared) -> None:
    """Store the route as the cockpit draws it: the stages, their steps, and what was planned of them."""
    config = session.config
    planned = planned_figures(session, stages, prepared.encoded)
    session.writer.plan(
        [
            {
                "stage": name,
                "title": stage_of(name).title,
                "steps": schedule_stage(config, name, prepared.encoded["train"])[0].steps,
                "epochs": config.stage(name).epochs,
                "bar": config.stage(name).target_val_loss,
                **planned.get(name, {}),
            }
            for name in stages
        ]
    )


def planned_figures(
    session: Session, stages: list[str], encoded: dict[str, list[Encoded]]
) -> dict[str, dict[str, float]]:
    """Memory and pace as planned at the first start, to be shown beside what is measured; a run goes on without."""
    before = {str(one["stage"]): planned_before(one) for one in session.reader.stages_plan()}
    if all(before.get(name) for name in stages):
        return before
    try:
        return session.control.at_once(
            lambda: session.plan_stages(
                session.config, session.paths.root.parent, stages, encoded, session.bytes_before
            )
        )
    except Interrupt:
        raise
    except Exception as error:  # a figure for the eye must not end a night's work
        line = f"no plan to compare with: {type(error).__name__}: {error}"
        session.writer.event("note", line, level="warn")
        return {}


def planned_before(stage: Mapping[str, Any]) -> dict[str, float]:
    """What was planned of one stage, from the route that an earlier attempt has left; empty where it has none."""
    return {name: stage[name] for name in ("planned_bytes", "planned_samples_per_second") if name in stage}


def train_or_rest(session: Session, stage: Stage) -> bool:
    """Whether the stage was finished; if not, it was parked or stopped."""
    while True:
        try:
            train_stage(stage)
            return True
        except Interrupt as interrupt:
            if rest(session, stage, interrupt):
                return False
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory(session, stage, error) from error


def rest(session: Session, stage: Stage, interrupt: Interrupt) -> bool:
    """Park or stop. False where somebody asked for it and the checkpoint cannot be written: the stage goes on."""
    session.control.enter("stopping", interrupt.reason)
    state = "stopped" if interrupt.verb == "stop" else "parked"
    ended: Ended = "stopped" if interrupt.verb == "stop" else ""
    try:
        written = stage.save_interrupted(ended)
        where = f"checkpoint {written.name}" if written else "nothing was trained yet"
    except NotWritten as error:
        where = f"{error}; {stage.saver.safe()}"
        if interrupt.command:
            refusal = f"not {state}, training goes on: {where}"
            session.writer.finish_command(interrupt.command.id, refusal, ok=False)
            return False
    except RunRemoved as gone:
        if interrupt.command:
            refusal = f"not {state}: {_gone_words(gone)}"
            session.writer.finish_command(interrupt.command.id, refusal, ok=False)
        raise
    session.writer.state(state, f"{interrupt.reason}; {where}", by_signal=interrupt.by_signal)
    if interrupt.command:
        session.writer.finish_command(interrupt.command.id, f"{state}; {where}", ok=True)
    return True


def out_of_memory(session: Session, stage: Stage, error: Exception) -> OutOfMemory:
    """Let the failed step's memory go, make the step before it safe, and say what would take less."""
    evaluating = session.control.state == "evaluating"
    traceback.clear_frames(error.__traceback__)  # they hold the step's tensors
    try:
        stage.release_memory()
    except Exception:
        log.exception("the step done last could not be made safe")
    return OutOfMemory(
        training_words(session.config, session.paths, stage.name, stage.loaded.model, evaluating)
    )


def _gone_words(gone: RunRemoved) -> str:
    return f"{gone.filename} was removed: nothing can be kept any more, the engine ends"
