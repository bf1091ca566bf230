"""One engine's life: prepare, load, train what is left of the asked stages, and say truly how it ended."""

import json
import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import psutil
import torch

from engine.config import RunConfig, left_to_defaults
from engine.data.curriculum import Sample
from engine.errors import UserError
from engine.model.loading import Base
from engine.model.lora import trainable
from engine.planning.brief import planned_stages, told_before
from engine.runs.checkpoints import behind_the_record
from engine.runs.held import Gone, HeldPaths
from engine.runs.layout import RunPaths
from engine.runs.lock import EngineLock, TakenOver
from engine.runs.store.opening import RunReader, RunWriter, Story, open_reader, open_writer
from engine.runs.store.rows import Command
from engine.runs.upkeep import Upkeep
from engine.stages import STAGE_NAMES, stage_of
from engine.training import audit
from engine.training import checkpoint as checkpoints
from engine.training.batches import Collator, Encoded, encode_all
from engine.training.checkpoint import Checkpoint, NotWritten
from engine.training.control import Control, Interrupt, Signals, ended_early
from engine.training.device import device
from engine.training.device.faults import known_faults, largest_tensors
from engine.training.device.samplers import Gauges
from engine.training.evaluation import Evaluator, evaluate, subset
from engine.training.loaded import Loaded, frozen_config, load
from engine.training.loop import StageTrainer
from engine.training.out_of_memory import OutOfMemory, is_out_of_memory, loading_words, training_words
from engine.training.position import (
    find_checkpoint,
    refuse_if_there_were_some,
    store_loss,
    stored_losses,
    where_to_go_on,
)
from engine.training.prepare import check_images, prepare_curriculum
from engine.training.quarantine import Quarantine
from engine.training.saving import Saver
from engine.training.schedule import StageSchedule
from engine.training.stage_run import StageRun

log = logging.getLogger("engine")


def run(paths: RunPaths, asked: str | None, same_stage: bool, signals: Signals) -> int:
    """Live as the run's engine until it ends; returns the exit code: 0 when every asked stage is finished."""
    with (
        closing(HeldPaths(paths.root)) as paths,
        EngineLock.acquire(paths) as lock,
        open_writer(paths, story=Story()) as writer,
        open_reader(paths) as reader,
    ):
        upkeep = Upkeep(paths, lock, partial(writer.event, "alert", level="warn"))
        control = Control(writer, signals, upkeep.look)
        try:
            session = _Session(paths, writer, reader, control)
            with session.gauges:
                return session.live(asked, same_stage)
        except Interrupt as interrupt:  # before there was a stage to make safe
            ended_early(writer, interrupt)
            return 1
        except TakenOver as error:
            log.error("%s: this engine ends", error)
            return 1
        except Gone as gone:
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


def _gone_words(gone: Gone) -> str:
    return f"{gone.filename} was removed: nothing can be kept any more, the engine ends"


class _Session:
    """What the phases of one engine share."""

    def __init__(self, paths: RunPaths, writer: RunWriter, reader: RunReader, control: Control) -> None:
        self.paths, self.writer, self.reader, self.control = paths, writer, reader, control
        self.config = frozen_config(paths)
        self.gauges = Gauges(device.device_of(self._device()))
        self.quarantine = Quarantine(
            self.config.tolerance.lost_films, self.config.data.image_root, partial(store_loss, writer)
        )
        self.before = psutil.Process().memory_info().rss
        self._place: tuple[str, int] | None = None

    def live(self, asked: str | None, same_stage: bool) -> int:
        config, control = self.config, self.control
        stages = self._asked_stages(asked)
        checkpoints.recover(self.paths.checkpoints)
        position, left = where_to_go_on(self.paths.checkpoints, stages, same_stage)
        told = self.reader.status().checkpoint
        if position.checkpoint is None and not left:
            refuse_if_there_were_some(self.paths, told)
        reached = position.checkpoint.name if position.checkpoint else None
        checkpoints.set_aside(self.paths.checkpoints, left)
        self.writer.begin_attempt(
            position.stage,
            position.step,
            {**device.describe(self._device()), "asked": asked or ",".join(stages)},
        )
        self._place = (position.stage, position.step)
        for name, wrong in left.items():
            self.writer.event(
                "alert",
                f"checkpoint {name} is damaged ({wrong}): passed over and kept aside as "
                f"{name}{checkpoints.SET_ASIDE}",
                level="warn",
            )
        if behind := behind_the_record(told, reached):
            self.writer.event("alert", behind, level="warn")
        elif reached and not told:
            line = f"run.db has no record of {reached}: it was removed or lost, and what it held with it"
            self.writer.event("alert", line, level="warn")
        if defaults := left_to_defaults(config):
            line = (
                f"config.yaml was cut short, edited or made by another version: it lacks {', '.join(defaults)}; "
                "their defaults count"
            )
            self.writer.event("alert", line, level="warn")
        if position.checkpoint:
            self.writer.event(
                "note", f"going on from checkpoint {position.checkpoint.name}", stage=position.stage
            )

        self.writer.event("note", f"reads {config.reads()}")
        for fault in known_faults(device.device_of(self._device())):
            self.writer.event("alert", fault, level="warn")
        control.enter("preparing")
        samples = control.at_once(lambda: prepare_curriculum(config, self._note, control.poll))
        self.quarantine.remember(stored_losses(self.reader))
        self._check_films(samples, resumed=position.checkpoint is not None)

        control.enter("loading")
        try:
            loaded = control.at_once(lambda: load(config, self._device(), position.checkpoint))
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory(loading_words(config)) from error
            raise
        collator = Collator(
            config.data.image_root,
            loaded.base.image_processor,
            loaded.base.pad_id,
            config.data.length_multiple,
        )
        encoded = control.at_once(
            lambda: {
                split: encode_all(
                    [sample for sample in samples if sample.split == split],
                    loaded.base.encoder,
                    config.data.max_length,
                )
                for split in ("train", "val")
            }
        )
        every = encoded["train"] + encoded["val"]
        line = control.at_once(
            lambda: audit.before_first_step(loaded.model, loaded.base, every, collator.training(every[:1]))
        )
        self.writer.event("note", line)
        self._refuse_too_large(loaded.base, every)
        self._plan(stages, encoded["train"], self._planned(stages, encoded))

        going_on = position.checkpoint if position.step else None
        for name in stages[stages.index(position.stage) :]:
            stage = self._stage(name, loaded, encoded, collator, going_on)
            going_on = None  # a later stage warms up afresh
            control.actions["evaluate"] = partial(self._evaluate, stage, loaded, samples)
            if not self._run(stage, loaded):
                return 1
            self.writer.event("note", f"{name} finished", stage=name, step=stage.step)
        self.control.enter("finished", "all requested stages are done")
        return 0

    def _run(self, stage: StageRun, loaded: Loaded) -> bool:
        """Whether the stage was finished; if not, it was parked or stopped."""
        while True:
            try:
                stage.run()
                return True
            except Interrupt as interrupt:
                if self._end_interrupted(stage, interrupt):
                    return False
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                evaluating = self.control.state == "evaluating"
                # the frames of the failed step hold its tensors
                traceback.clear_frames(error.__traceback__)
                try:
                    stage.release()
                except Exception:
                    log.exception("the step done last could not be made safe")
                raise OutOfMemory(
                    training_words(self.config, self.paths, stage.name, loaded.model, evaluating)
                ) from error

    def _check_films(self, samples: Sequence[Sample], resumed: bool) -> None:
        """Decode every film once. A resumed run bears as many new failures as it would in its midst."""
        used = [sample for sample in samples if sample.split in ("train", "val")]
        lost, data = self.quarantine.films(), self.config.data
        bears = max(0, self.quarantine.limit - len(lost)) if resumed else 0
        remaining = [sample for sample in used if sample.image not in lost]
        good = self.control.at_once(
            lambda: check_images(
                data.image_root, remaining, data.workers, self._note, self.control.poll, bears
            )
        )
        failed = len({sample.image for sample in used}) - good
        told = f"{failed} cannot be read, others take their place" if failed else "every one decodes"
        self.writer.event("note", f"{len(used)} samples, {good + failed} films, {told}")

    def _asked_stages(self, asked: str | None) -> list[str]:
        """What the command line asks for, else what the attempt before was asked for, else all."""
        if asked is None:
            planned = [str(stage["stage"]) for stage in self.reader.stages_plan()]
            return planned or list(STAGE_NAMES)
        return list(STAGE_NAMES) if asked == "all" else [asked]

    def _device(self) -> torch.device:
        return device.choose_device(self.config.model.device)

    def _refuse_too_large(self, base: Base, encoded: Sequence[Encoded]) -> None:
        """Refuse batches that hold a tensor the device cannot compute with, before the first step."""
        text = base.model.config.text_config
        of_stages = [[one for one in encoded if one.sample.stage == name] for name in STAGE_NAMES]
        tensors = largest_tensors(self.config, text.num_attention_heads, text.vocab_size, of_stages)
        device.device_of(self._device()).refuse_too_large(tensors)

    def _note(self, line: str) -> None:
        """What is done before the first step; where the run goes on is known all the while."""
        stage, step = self._place or (None, None)
        with self.control.at_once.undisturbed():
            self.writer.progress(stage, step, note=line)

    def _planned(self, stages: list[str], encoded: dict[str, list[Encoded]]) -> dict[str, dict[str, float]]:
        """Memory and pace as planned at the first start, to be shown beside what is measured; a run goes on without."""
        before = {str(one["stage"]): told_before(one) for one in self.reader.stages_plan()}
        if all(before.get(name) for name in stages):
            return before
        try:
            return self.control.at_once(
                lambda: planned_stages(self.config, self.paths.root.parent, stages, encoded, self.before)
            )
        except Interrupt:
            raise
        except Exception as error:  # a figure for the eye must not end a night's work
            line = f"no plan to compare with: {type(error).__name__}: {error}"
            self.writer.event("note", line, level="warn")
            return {}

    def _plan(self, stages: list[str], train: list[Encoded], planned: dict[str, dict[str, float]]) -> None:
        """The route as the cockpit draws it, known before the first step."""
        self.writer.plan(
            [
                {
                    "stage": name,
                    "title": stage_of(name).title,
                    "steps": self._schedule(name, train)[0].steps,
                    "epochs": self.config.stage(name).epochs,
                    "bar": self.config.stage(name).bar,
                    **planned.get(name, {}),
                }
                for name in stages
            ]
        )

    def _schedule(self, name: str, train: list[Encoded]) -> tuple[StageSchedule, list[Encoded]]:
        """A stage's schedule and its pool: its own samples, then those of earlier stages that may be replayed."""
        earlier = STAGE_NAMES[: STAGE_NAMES.index(name)]
        own = [one for one in train if one.sample.stage == name]
        pool = own + [one for one in train if one.sample.stage in earlier]
        section = self.config.stage(name)
        return StageSchedule(self.config.seed, name, section, [len(one.ids) for one in pool], len(own)), pool

    def _stage(
        self,
        name: str,
        loaded: Loaded,
        encoded: dict[str, list[Encoded]],
        collator: Collator,
        going_on: Checkpoint | None,
    ) -> StageRun:
        """The stage from its first step, or with moments and counts of the checkpoint in its midst."""
        schedule, pool = self._schedule(name, encoded["train"])
        optimizer = torch.optim.AdamW(
            trainable(loaded.model).values(),
            lr=schedule.section.learning_rate,
            weight_decay=schedule.section.weight_decay,
            fused=device.device_of(loaded.accelerator.device).fused_optimizer,
        )
        if going_on:
            checkpoints.load_optimizer(going_on, loaded.model, optimizer)
        trainer = StageTrainer(
            schedule,
            pool,
            loaded.model,
            loaded.base,
            loaded.accelerator.prepare(optimizer),
            loaded.accelerator,
            collator,
            self.config.data.workers,
            going_on.standing.step if going_on else 0,
            self.quarantine,
            self.config.tolerance.skipped_steps,
            going_on.standing.skipped if going_on else 0,
        )
        validation = [one.sample for one in encoded["val"] if one.sample.stage == name]
        return StageRun(
            name,
            self.config,
            trainer,
            Evaluator(loaded.model, loaded.base, self.config, self.control.poll),
            subset(validation, self.config.evaluation.validation_limit, self.config.seed),
            self.control,
            self.writer,
            self.reader,
            self.gauges,
            Saver(trainer, self.config.checkpoints, self.writer),
        )

    def _evaluate(self, stage: StageRun, loaded: Loaded, samples: list[Sample], command: Command) -> str:
        """The weights in memory, made a checkpoint first so that the scores belong to something that stays."""
        wanted = command.arguments.get("checkpoint")
        current = stage.save()
        if wanted not in (None, current.name):
            raise UserError(f"the engine is at {current.name}; park the run to evaluate {wanted}")
        split, limit = command.arguments.get("split") or "val", command.arguments.get("limit")
        before = self.control.enter("evaluating")
        result = score_checkpoint(
            self.writer, loaded, self.config, samples, current, split, limit, self.control.poll
        )
        self.control.enter(before)
        return json.dumps(result)

    def _end_interrupted(self, stage: StageRun, interrupt: Interrupt) -> bool:
        """Park or stop. False where somebody asked for it and the checkpoint cannot be written: the stage goes on."""
        self.control.enter("stopping", interrupt.reason)
        state = "stopped" if interrupt.verb == "stop" else "parked"
        try:
            written = stage.interrupt(interrupt)
            where = f"checkpoint {written.name}" if written else "nothing was trained yet"
        except NotWritten as error:
            where = f"{error}; {stage.saver.safe()}"
            if interrupt.command:
                refusal = f"not {state}, training goes on: {where}"
                self.writer.finish_command(interrupt.command.id, refusal, ok=False)
                return False
        except Gone as gone:
            if interrupt.command:
                self.writer.finish_command(
                    interrupt.command.id, f"not {state}: {_gone_words(gone)}", ok=False
                )
            raise
        self.writer.state(state, f"{interrupt.reason}; {where}", by_signal=interrupt.by_signal)
        if interrupt.command:
            self.writer.finish_command(interrupt.command.id, f"{state}; {where}", ok=True)
        return True


def evaluate_run(paths: RunPaths, checkpoint: str | None, split: str, limit: int | None) -> dict[str, Any]:
    """`evaluate` without a living engine: takes the lock, scores, stores the samples, returns what to print."""
    with (
        closing(HeldPaths(paths.root)) as paths,
        EngineLock.acquire(paths, purpose="evaluate"),
        open_writer(paths) as writer,
    ):
        config = frozen_config(paths)
        checkpoints.recover(paths.checkpoints)
        wanted = find_checkpoint(paths, checkpoint)
        samples = prepare_curriculum(config, lambda line: None, lambda: None)
        loaded = load(config, device.choose_device(config.model.device), wanted)
        return score_checkpoint(writer, loaded, config, samples, wanted, split, limit, lambda: None)


def score_checkpoint(
    writer: RunWriter,
    loaded: Loaded,
    config: RunConfig,
    samples: Sequence[Sample],
    wanted: Checkpoint,
    split: str,
    limit: int | None,
    poll: Callable[[], None],
) -> dict[str, Any]:
    """Score the loaded weights on `limit` samples a stage of `split` and store every generated sample."""
    of_split = [sample for sample in samples if sample.split == split]
    if not of_split:
        raise UserError(f"--split {split}: the curriculum has no such samples")
    judged = [
        sample
        for stage in STAGE_NAMES
        for sample in subset([one for one in of_split if one.stage == stage], limit, config.seed)
    ]
    result, rows = evaluate(
        Evaluator(loaded.model, loaded.base, config, poll),
        judged,
        [sample for sample in samples if sample.split == "train"],
        wanted.name,
        wanted.standing.step,
        lambda condition, done, total: log.info(
            "evaluating %s: %s (%d of %d)", wanted.name, condition, done + 1, total
        ),
    )
    for row in rows:
        writer.sample(row)
    return {"run": writer.paths.name, "checkpoint": wanted.name, "split": split, **result}
