"""`data download`: a subset of MIMIC from PhysioNet or a mirror, followed to its end."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from cockpit.commands.common.arguments import seed_number, whole_number
from cockpit.commands.common.console import SPARSE_SECONDS, LiveLines, print_json
from cockpit.views.download import progress_lines
from engine.download.model_download import Download
from engine.errors import UserError
from engine.paths import expanded
from engine.words.printable import message, one_line
from engine.words.sizes import on_disk

_PARTS = ("films", "reports", "hosp", "ed")
_SPLITS = {"train": "train", "val": "val", "validate": "val", "test": "test"}
_SHOWN = 5


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="DIR", type=Path, required=True, help="where it lies as on PhysioNet")
    parser.add_argument(
        "--take",
        metavar="PARTS",
        type=_parts,
        default=_PARTS,
        help="of films,reports,hosp,ed: MIMIC-CXR-JPG 2.1.0, the reports of MIMIC-CXR 2.1.0, "
        "MIMIC-IV 3.1 and MIMIC-IV-ED 2.2 (default: all)",
    )
    parser.add_argument(
        "--skip",
        metavar="TABLE",
        action="append",
        default=[],
        help="leave a table out, as labevents; again for more",
    )
    films = parser.add_argument_group("which films (say at least one)")
    films.add_argument(
        "--list",
        metavar="FILE",
        type=Path,
        help="any text that names them: paths, a table, a curriculum; or a study or patient a line",
    )
    films.add_argument(
        "--split", choices=_SPLITS, action="append", default=[], help="of MIMIC's own; again for more"
    )
    films.add_argument("--count", metavar="N", type=whole_number(), help="at most so many, drawn at random")
    films.add_argument("--seed", metavar="S", type=seed_number, default=0, help="of the draw (default: 0)")
    films.add_argument(
        "--frontal", action="store_true", help="AP and PA only, and those whose view is not said"
    )
    films.add_argument("--all", action="store_true", help="all 377,110 of them: 570 GB")
    server = parser.add_argument_group("from where")
    server.add_argument(
        "--base",
        metavar="URL",
        help="PhysioNet or a mirror of its layout (default: https://physionet.org/files)",
    )
    server.add_argument(
        "--user", metavar="NAME", help="of your account (default: $PHYSIONET_USER, else asked for)"
    )
    server.add_argument(
        "--jobs", metavar="N", type=whole_number(1, 32), default=6, help="files at once (default: 6)"
    )
    parser.add_argument("--json", action="store_true", help="the outcome as JSON")
    parser.description = (
        "Fetch a subset of MIMIC: tables, reports and the films that are asked for, each under its own name only when\n"
        "its hash is the one of SHA256SUMS.txt. What is there already is checked and kept; cut, stopped or killed, it\n"
        "goes on when the same command is given again. The password is asked for, or taken from PHYSIONET_PASSWORD;\n"
        "it is kept nowhere. Every project wants its own data use agreement signed on PhysioNet. `data build DIR`\n"
        "reads what has come. Exit code 1 if something is missing in the end."
    )
    parser.epilog = (
        "example:\n  cxr-cockpit data download --to mimic --user me --list train.json --frontal\n"
        "  cxr-cockpit data download --to mimic --user me --split train --count 10142 --frontal --skip labevents"
    )


def run(options: argparse.Namespace) -> int:
    from engine.download.data_download import DataDownload
    from engine.download.line import Lost
    from engine.download.mimic_files import Subset
    from engine.download.model_download import take_lock
    from engine.download.physionet import PHYSIONET, PhysioNet, refuse_address
    from engine.download.stopping import Stopped, ending, stop_on_signals

    if "films" in options.take and not (options.list or options.split or options.count or options.all):
        raise UserError("all films are 570 GB: say which with --list, --split or --count, or --all")
    base = options.base or PHYSIONET
    refuse_address(base, False)
    user, password = _account(options.user, base == PHYSIONET)
    server = PhysioNet(base, user, password, options.jobs)
    directory = expanded(options.to)
    lock = take_lock(directory)
    if lock is None:
        raise UserError(f"{directory}: another download is under way there")
    stop_on_signals()
    subset = Subset(
        options.list,
        tuple(dict.fromkeys(_SPLITS[split] for split in options.split)),
        options.count,
        options.seed,
        options.frontal,
    )
    live = None if options.json else LiveLines(sparse_seconds=SPARSE_SECONDS)
    said: set[str] = set()

    def show(download: Download) -> None:
        if live is None:
            return
        for file in download.files:
            if file.state == "whole" and file.path not in said:
                said.add(file.path)
                live.tell(f"✔ {one_line(file.path)}  {on_disk(file.bytes)}")
        live.show(progress_lines(download))

    download = DataDownload(server, directory, options.take, subset, options.jobs, options.skip, show)
    try:
        outcome = download.run()
    except Stopped:
        download.standing.end("stopped", "what is here stays")
        return _unfinished(live, "stopped; what is here stays, give the same command again to go on", 1)
    except UserError as error:
        download.standing.end("failed", str(error), usage=True)
        return _unfinished(live, str(error), 2)
    except (Lost, OSError) as error:
        download.standing.end("failed", ending(error, directory))
        return _unfinished(live, ending(error, directory), 1)
    finally:
        server.close()
        os.close(lock)
    if live:
        live.erase()
    standing = download.standing.download
    if options.json:
        print_json(
            {
                "directory": str(directory),
                "state": standing.state,
                "whole": outcome.whole,
                "by_size": outcome.by_size,
                "bytes": standing.done,
                "failed": outcome.failed,
                "remarks": outcome.remarks,
            }
        )
    else:
        for remark in outcome.remarks:
            print(one_line(remark))
        for path, reason in list(outcome.failed.items())[:_SHOWN]:
            print(f"missing: {one_line(path)}: {one_line(reason)}")
        if len(outcome.failed) > _SHOWN:
            print(f"missing: {len(outcome.failed) - _SHOWN:,} more")
        print(f"{one_line(str(directory))}: {standing.message}")
    return 1 if outcome.failed else 0


def _unfinished(live: LiveLines | None, why: str, code: int) -> int:
    if live:
        live.erase()
    print(f"cxr-cockpit: {message(why)}", file=sys.stderr)
    return code


def _account(given: str | None, needed: bool) -> tuple[str | None, str | None]:
    """User and password; both None where a mirror is asked without. Raises UserError where nobody can be asked."""
    from engine.download.physionet import PASSWORD_VARIABLE, USER_VARIABLE

    # Taken out of the environment: no child shall inherit it.
    password = os.environ.pop(PASSWORD_VARIABLE, None)
    user = given or os.environ.get(USER_VARIABLE)
    if not user:
        if not needed:
            return None, None
        if not sys.stdin.isatty():
            raise UserError(
                f"PhysioNet asks who you are; give --user NAME, and the password in {PASSWORD_VARIABLE}"
            )
        user = input("PhysioNet user: ").strip()
    if password is None:
        if not sys.stdin.isatty():
            raise UserError(
                f"there is nobody to be asked for the password of {user}; set {PASSWORD_VARIABLE}"
            )
        password = getpass.getpass(f"password of {user}: ")
    return user, password


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [part for part in parts if part not in _PARTS]
    if unknown or not parts:
        raise argparse.ArgumentTypeError(f"{text!r}: is not made of {', '.join(_PARTS)}")
    return parts
