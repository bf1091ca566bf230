"""`data phantom`, `data build` and the other kinds of `data`: where curricula come from."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from cockpit.commands import data_download, data_film, data_import
from cockpit.commands.common.arguments import real_number, seed_number, whole_number
from cockpit.commands.common.console import print_json, table
from engine.errors import UserError
from engine.progress import Progress
from engine.words.plural import counted
from engine.words.printable import one_line, printable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example:\n  cxr-cockpit data phantom --out phantoms --patients 100 --seed 1"
    kinds = parser.add_subparsers(metavar="KIND", dest="kind", required=True)
    for kind, (summary, configure_kind, _) in _KINDS.items():
        configure_kind(
            kinds.add_parser(kind, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        )


def run(options: argparse.Namespace) -> int:
    return _KINDS[options.kind][2](options)


def _configure_phantom(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="empty or not yet there")
    parser.add_argument("--patients", metavar="N", type=whole_number(1, 1_000_000), required=True)
    parser.add_argument("--seed", metavar="S", type=seed_number, required=True, help="same seed, same bytes")
    parser.add_argument(
        "--size", metavar="PX", type=whole_number(64, 4096), default=512, help="longer side (default: 512)"
    )
    parser.add_argument(
        "--workers", metavar="W", type=whole_number(1, 1024), help="processes (default: one a core)"
    )
    parser.epilog = "example:\n  cxr-cockpit data phantom --out phantoms --patients 1000 --seed 1"


def _phantom(options: argparse.Namespace) -> int:
    from engine.phantom.dataset import write_dataset

    with closing(Progress()) as progress:
        summary = write_dataset(
            options.out,
            options.patients,
            options.seed,
            options.size,
            options.workers,
            progress=partial(progress, "films"),
        )
    print(
        f"{counted(summary.patients, 'patient')}, {counted(summary.studies, 'study', 'studies')}, "
        f"{counted(summary.admissions, 'admission')} "
        f"in {one_line(str(summary.root))}"
    )
    return 0


def _configure_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", type=Path, help="where the MIMIC trees lie, or a phantom tree"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--seed", metavar="S", type=seed_number, default=0)
    parser.add_argument("--limit", metavar="N", type=whole_number(), help="at most so many studies")
    parser.add_argument(
        "--stage-a-fraction",
        metavar="F",
        type=real_number(0, 1),
        default=0.35,
        help="share of stage A (default: 0.35)",
    )
    parser.add_argument(
        "--sections",
        choices=("own", "official"),
        default="own",
        help="how reports are read; official: to the letter as MIMIC-CXR's section parser (default: own)",
    )
    parser.add_argument(
        "--uncertain",
        choices=("ignore", "zeros", "ones"),
        default="zeros",
        help="what an uncertain label (-1) counts as in the label lines: left out, negative, positive; scores "
        "count it as negative so far (default: zeros)",
    )
    parser.add_argument(
        "--history-days",
        metavar="N",
        type=whole_number(0, 36_500),
        default=30,
        help="an earlier stay's diagnoses are known so many days after its end: codes are made after discharge "
        "(default: 30)",
    )
    parser.add_argument(
        "--hours-before-stay",
        metavar="H",
        type=whole_number(0, 720),
        default=0,
        help="a film taken so long before a stay has that stay's codes as target (default: 0, none)",
    )
    for tree, name in (
        ("jpg", "MIMIC-CXR-JPG"),
        ("reports", "MIMIC-CXR"),
        ("hosp", "MIMIC-IV"),
        ("ed", "MIMIC-IV-ED"),
    ):
        parser.add_argument(f"--{tree}-root", metavar="DIR", type=Path, help=f"{name}, if it lies elsewhere")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.epilog = "example:\n  cxr-cockpit data build phantoms --out phantoms/curriculum"


def _build(options: argparse.Namespace) -> int:
    from engine.data.mimic.build import build_curriculum

    with closing(Progress()) as progress:
        report = build_curriculum(
            options.source,
            options.out,
            seed=options.seed,
            stage_a_fraction=options.stage_a_fraction,
            limit=options.limit,
            sections=options.sections,
            uncertain=options.uncertain,
            history_days=options.history_days,
            hours_before_stay=options.hours_before_stay,
            progress=progress,
            jpg_root=options.jpg_root,
            reports_root=options.reports_root,
            hosp_root=options.hosp_root,
            ed_root=options.ed_root,
        )
    if options.json:
        print_json(report.to_json())
    else:
        print("\n".join(map(printable, report.lines())))
    return 0


def _configure_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="a stage B sample, such as s50414267-b")
    parser.add_argument(
        "--curriculum",
        metavar="DIR",
        type=Path,
        default=Path("."),
        help="what `data build` wrote (default: .)",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.epilog = "example:\n  cxr-cockpit data explain s50414267-b --curriculum data/curriculum"


def _explain(options: argparse.Namespace) -> int:
    from engine.data.mimic.sources import explained, lines

    record = explained(options.curriculum, options.id)
    if options.json:
        print_json(record)
    else:
        print("\n".join(printable(line) for part in lines(record) for line in part.split("\n")))
    return 0


def _configure_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "curriculum", metavar="CURRICULUM", type=Path, help="the file, or the directory it lies in"
    )
    parser.add_argument(
        "--image-root", metavar="DIR", type=Path, help="where its films lie; without it none is opened"
    )
    parser.add_argument(
        "--films",
        metavar="N",
        type=whole_number(0),
        default=200,
        help="films to open, 0 for all (default: 200)",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.epilog = "example:\n  cxr-cockpit data inspect data/curriculum --image-root films"


def _inspect(options: argparse.Namespace) -> int:
    from engine.data.inspect.inspect import inspect_curriculum
    from engine.data.labeler.label import label

    with closing(Progress()) as progress:
        found = inspect_curriculum(
            options.curriculum,
            image_root=options.image_root,
            films=options.films,
            label=label,
            progress=progress,
        )
    if options.json:
        print_json(found.to_json())
    else:
        print("\n".join(map(printable, found.lines())))
    return int(options.kind == "lint" and found.findings.failed)


def _configure_label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="CSV, TSV or JSON lines (.gz too), or .txt with one text a line",
    )
    parser.add_argument(
        "--text-column",
        metavar="C",
        action="append",
        default=[],
        help="column that holds the text; given several times, they are joined",
    )
    parser.add_argument("--to", metavar="OUT.csv", type=Path, help="the labels as a table: 1, 0, -1 or blank")
    parser.add_argument("--json", action="store_true", help="one line a row, rows counted from 1")
    parser.epilog = "example:\n  cxr-cockpit data label reports.csv --text-column impression --to labels.csv"


def _label(options: argparse.Namespace) -> int:
    from engine.data.labeler.label import label
    from engine.data.labeler.texts import read_texts
    from engine.data.labels import LABELS
    from engine.files.temporary import write_private

    if options.to is not None and options.to.resolve() == options.file.resolve():
        raise UserError(f"{options.to}: is the file with the texts; give another name")
    texts, reasons = read_texts(options.file, options.text_column)
    labelled = [(text.row, label(text.text)) for text in texts]
    if options.json:
        for row, labels in labelled:
            print_json({"row": row, "labels": labels})
    if options.to is not None:
        lines = [",".join(("row", *LABELS))]
        for row, labels in labelled:
            lines.append(
                ",".join((str(row), *("" if value is None else str(value) for value in labels.values())))
            )
        write_private(options.to, (f"{line}\n" for line in lines))
    told = sys.stderr if options.json else sys.stdout
    empty = sum(not text.text.strip() for text in texts)
    print(f"{counted(len(texts), 'row')}, {empty:,} without a text", file=told)
    for reason in reasons:
        print(f"the file: {reason}", file=told)
    if not options.json:
        rows: list[tuple[str, ...]] = [("label", "positive", "uncertain", "negative", "not mentioned")]
        for name in LABELS:
            found = Counter(labels[name] for _, labels in labelled)
            rows.append((name, *(f"{found[value]:,}" for value in (1, -1, 0, None))))
        print("\n".join(table(rows, right=(1, 2, 3, 4))))
    return 0


_Kind = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]

_KINDS: dict[str, _Kind] = {
    "phantom": ("make phantom X-rays, reports and records in MIMIC's layout", _configure_phantom, _phantom),
    "build": ("turn MIMIC trees into a curriculum", _configure_build, _build),
    "explain": ("say on which rows each sentence of a built sample stands", _configure_explain, _explain),
    "inspect": ("count what a curriculum holds and find what is wrong with it", _configure_inspect, _inspect),
    "lint": ("the same as inspect; exit code 1 where something fails", _configure_inspect, _inspect),
    "import": ("turn processed files into a curriculum", data_import.configure, data_import.run),
    "download": ("fetch a subset of MIMIC from PhysioNet", data_download.configure, data_download.run),
    "label": ("read the 14 CheXpert labels out of reports", _configure_label, _label),
    "film": ("write a film as the model sees it", data_film.configure, data_film.run),
}
