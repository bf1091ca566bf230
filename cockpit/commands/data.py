"""`data phantom`, `data build` and the other kinds of `data`: where curricula come from."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from cockpit.commands import data_download, data_film, data_import
from cockpit.commands.console import print_json
from cockpit.commands.numbers import real_number, seed_number, whole_number
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


_Kind = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]

_KINDS: dict[str, _Kind] = {
    "phantom": ("make phantom X-rays, reports and records in MIMIC's layout", _configure_phantom, _phantom),
    "build": ("turn MIMIC trees into a curriculum", _configure_build, _build),
    "import": ("turn processed files into a curriculum", data_import.configure, data_import.run),
    "download": ("fetch a subset of MIMIC from PhysioNet", data_download.configure, data_download.run),
    "film": ("write a film as the model sees it", data_film.configure, data_film.run),
}
