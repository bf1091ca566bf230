"""`data import`: one's own processed files as a curriculum."""

from __future__ import annotations

import argparse
from pathlib import Path

from cockpit.commands.common.console import print_json
from engine.words.printable import printable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="JSON, JSON lines, CSV, TSV (also .gz) or Parquet"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--map", metavar="YAML", type=Path, help="`fields:` (ours: theirs), `constants:`")
    parser.add_argument(
        "--image-root", metavar="DIR", type=Path, help="where the images lie; they are looked for"
    )
    parser.add_argument(
        "--split",
        choices=("keep", "patient", "official"),
        default="keep",
        help="keep: what the records, a key of the file or its name say, told where it is wrong (default); "
        "patient: drawn anew, 90 %% train and 10 %% val; official: MIMIC-CXR's own",
    )
    parser.add_argument(
        "--split-table",
        metavar="CSV",
        type=Path,
        help="MIMIC-CXR-JPG's mimic-cxr-2.0.0-split.csv.gz (default: the one in the image root)",
    )
    parser.add_argument(
        "--hash", action="store_true", help="find the same image under two names, too, by its bytes"
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.epilog = (
        "example:\n  cxr-cockpit data import train.json val.json --out mine --image-root films --hash"
    )


def run(options: argparse.Namespace) -> int:
    from engine.data.importing.importer import import_curriculum

    report = import_curriculum(
        options.files,
        options.out,
        mapping=options.map,
        image_root=options.image_root,
        split=options.split,
        split_table=options.split_table,
        hash_images=options.hash,
    )
    if options.json:
        print_json(report.to_json())
    else:
        print("\n".join(map(printable, report.lines())))
    return 0
