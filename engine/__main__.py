"""The engine's own entry: what needs torch runs here, as a child of the command line."""

import argparse
import dataclasses
import io
import json
import logging
import os
import sys
import warnings
from contextlib import closing
from functools import partial
from pathlib import Path

from engine.errors import UserError
from engine.programs import leave_out_working_directory
from engine.progress import Progress
from engine.runs.awake import kept_awake
from engine.runs.layout import RunPaths
from engine.runs.retrying_stream import OneLine, outlast_full_disk
from engine.stages import STAGE_NAMES
from engine.standard_streams import open_missing, printable_streams
from engine.training.device.environment import prepare_environment
from engine.words.printable import message, printable
from engine.words.sizes import GIB


def main() -> int:
    parser = argparse.ArgumentParser(prog="engine", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="be the engine of a run directory")
    run.add_argument("run", type=Path)
    run.add_argument("--stage", choices=(*STAGE_NAMES, "all"))
    run.add_argument("--same-stage", action="store_true")
    evaluate = verbs.add_parser("evaluate", help="score a checkpoint")
    evaluate.add_argument("run", type=Path)
    evaluate.add_argument("--checkpoint")
    evaluate.add_argument("--split", default="val")
    evaluate.add_argument("--limit", type=int)
    evaluate.add_argument("--json", action="store_true")
    inspect = verbs.add_parser("inspect", help="audit a model directory")
    inspect.add_argument("directory", type=Path)
    inspect.add_argument("--json", action="store_true")
    convert = verbs.add_parser("convert", help="write a model directory that plain transformers loads")
    convert.add_argument("directory", type=Path)
    convert.add_argument("--to", type=Path, required=True)
    fetch = verbs.add_parser("fetch", help="download a base model; the one verb that asks the web")
    fetch.add_argument("repo")
    fetch.add_argument("--revision", default="main")
    fetch.add_argument("--to", type=Path, required=True)
    export = verbs.add_parser(
        "export", help="write a run's adapter or merged model, checked, with a model card"
    )
    export.add_argument("run", type=Path)
    export.add_argument("--to", type=Path, required=True)
    export.add_argument("--merged", action="store_true")
    export.add_argument("--checkpoint")
    report = verbs.add_parser("report", help="the model's report for images of one's own")
    report.add_argument("run", type=Path)
    report.add_argument("images", nargs="+", type=Path)
    report.add_argument("--ehr", type=Path)
    report.add_argument("--checkpoint")
    film = verbs.add_parser("film", help="write a film as the model sees it")
    film.add_argument("film", type=Path)
    film.add_argument("--to", type=Path, required=True)
    film.add_argument("--base", type=Path)
    device = verbs.add_parser("device", help="try the device; findings as lines of JSON")
    device.add_argument("--device", default="auto", choices=("auto", "cpu", "mps", "cuda"))
    device.add_argument(
        "--runs", type=Path, required=True, help="directory of runs, where the rates are kept"
    )
    plan = verbs.add_parser("plan", help="memory and time of a run, before anything is loaded")
    plan.add_argument("config", type=Path)
    plan.add_argument("--what-if", action="append", default=[])
    plan.add_argument("--stage", choices=(*STAGE_NAMES, "all"), default="all")
    plan.add_argument("--memory", type=float)
    plan.add_argument("--runs", type=Path, required=True)
    plan.add_argument("--json", action="store_true")
    dry_run = verbs.add_parser(
        "dry-run", help="three steps of each stage at the longest shapes, leaving nothing"
    )
    dry_run.add_argument("place", type=Path)
    dry_run.add_argument("--stage", choices=(*STAGE_NAMES, "all"), default="all")
    dry_run.add_argument("--runs", type=Path, required=True)
    dry_run.add_argument("--json", action="store_true")
    options = parser.parse_args()
    open_missing()
    os.umask(0o077)
    leave_out_working_directory(os.environ)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # text that the locale cannot spell must not end a command
            stream.reconfigure(errors="backslashreplace")
    prepare_environment(os.environ)
    if options.verb != "fetch":
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if options.verb == "run":
        outlast_full_disk()
    with printable_streams():
        return _carried_out(options)


def _carried_out(options: argparse.Namespace) -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # rouge_score tells the log about its tokenizer each time
    logging.getLogger("absl").setLevel(logging.WARNING)
    # PEFT reads a property that transformers has renamed; nothing of ours could mend that
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    try:
        return _VERBS[options.verb](options)
    except UserError as error:
        print(f"cxr-cockpit: {message(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"cxr-cockpit: {message(where + (error.strerror or str(error)))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    from engine.training.control import Signals

    signals = Signals()
    signals.listen()  # first: to import torch takes seconds
    from engine.planning.plan import planned_stages
    from engine.training.session import run

    with kept_awake():
        return run(
            RunPaths(options.run.absolute()), options.stage, options.same_stage, signals, planned_stages
        )


def _evaluate(options: argparse.Namespace) -> int:
    from engine.training.scoring import evaluate_run

    result = evaluate_run(RunPaths(options.run.absolute()), options.checkpoint, options.split, options.limit)
    print(json.dumps(result))
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from engine.model.inspect import describe, inspect_model

    found = inspect_model(options.directory)
    print(json.dumps(found, indent=2) if options.json else "\n".join(map(printable, describe(found))))
    return 0 if found["ok"] else 1


def _convert(options: argparse.Namespace) -> int:
    from engine.model.convert import convert

    with closing(Progress()) as progress:
        convert(options.directory, options.to, partial(progress, "writing tensors"))
    print(f"wrote {options.to}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from engine.download.fetch import fetch_model, stop_on_signals

    stop_on_signals()
    return fetch_model(options.repo, options.revision, options.to)


def _export(options: argparse.Namespace) -> int:
    from engine.model.exporting.export import export

    with closing(Progress()) as progress:
        run = RunPaths(options.run.absolute())
        checked = export(run, options.to, options.merged, options.checkpoint, progress)
    print(json.dumps(dataclasses.asdict(checked)))
    return 0


def _report(options: argparse.Namespace) -> int:
    from engine.training.reporting import reports

    asked = reports(RunPaths(options.run.absolute()), options.images, options.ehr, options.checkpoint)
    for report in asked:
        print(json.dumps(report), flush=True)
    return 0


def _film(options: argparse.Namespace) -> int:
    from engine.model.film import write_seen

    said, empty = write_seen(options.film, options.to, options.base)
    print("\n".join(map(printable, said)))
    if empty:
        print(f"cxr-cockpit: {message(f'{options.film}: {empty}')}", file=sys.stderr)
    return 1 if empty else 0


def _device(options: argparse.Namespace) -> int:
    from engine.setup_check.probe.device_trial import as_line
    from engine.training.device.device import choose_device, device_of
    from engine.training.device.trial.trial import device_trial

    for said in device_trial(device_of(choose_device(options.device)), options.runs.absolute()):
        print(as_line(said), flush=True)
    return 0


def _plan(options: argparse.Namespace) -> int:
    from engine.planning.command import plan

    return plan(
        options.config,
        options.runs,
        stages=_stages(options.stage),
        what_if=options.what_if,
        limit=options.memory and int(options.memory * GIB),
        as_json=options.json,
    )


def _dry_run(options: argparse.Namespace) -> int:
    from engine.planning.comparison import dry_run

    return dry_run(options.place, options.runs, _stages(options.stage), options.json)


def _stages(asked: str) -> tuple[str, ...]:

    return STAGE_NAMES if asked == "all" else (asked,)


_VERBS = {
    "run": _run,
    "evaluate": _evaluate,
    "inspect": _inspect,
    "convert": _convert,
    "fetch": _fetch,
    "export": _export,
    "report": _report,
    "film": _film,
    "device": _device,
    "plan": _plan,
    "dry-run": _dry_run,
}

if __name__ == "__main__":
    sys.exit(main())
