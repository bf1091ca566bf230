"""`check`: what is wrong with an interpreter, the machine or a configuration, why, and the command that mends it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.commands.common.arguments import add_runs, runs_of
from cockpit.commands.common.console import SPARSE_SECONDS, LiveLines, print_json
from cockpit.views.findings import MARKS, finding_block, finding_line, plan_lines
from engine.errors import UserError
from engine.words.nearest import nearest_file
from engine.words.printable import one_line

if TYPE_CHECKING:
    from engine.setup_check.check import Check
    from engine.setup_check.probe.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--python", metavar="EXE", help="the interpreter to look at (default: the cockpit's own)"
    )
    parser.add_argument("--config", metavar="CONFIG", type=Path, help="a configuration to check as well")
    parser.add_argument(
        "--device", action="store_true", help="try the device as well: its numbers, its speed (a minute)"
    )
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    changes = parser.add_mutually_exclusive_group()
    changes.add_argument(
        "--fix", "--mend", action="store_true", help="show what would fix it, ask, and do it"
    )
    changes.add_argument("--undo", action="store_true", help="take the last fix back, byte for byte")
    parser.add_argument("--yes", action="store_true", help="with --fix or --undo: do not ask")
    add_runs(parser)
    parser.epilog = (
        "Exit code 1 if anything fails.\n\n"
        "examples:\n  cxr-cockpit check\n  cxr-cockpit check --device\n"
        "  cxr-cockpit check --python ~/old/.venv/bin/python --fix"
    )


def run(options: argparse.Namespace) -> int:
    if options.yes and not (options.fix or options.undo):
        raise UserError("--yes says yes to --fix or --undo; give one of them")
    if options.device and (options.fix or options.undo):
        raise UserError("--device tries what is there: fix first, then try")
    if options.config and not options.config.exists():
        near = nearest_file(options.config, ".yaml")
        hint = f"; did you mean {near}?" if near else ""
        raise UserError(f"{options.config}: no such configuration{hint}")
    try:
        from engine.setup_check.check import Check
        from engine.setup_check.probe.target import find_target
    except Exception as error:  # whatever a broken installation raises is what this command is to tell
        return _own_packages(error, options.json)
    target = find_target(options.python)
    if options.undo:
        return _undo(target, options)
    check = Check(target, options.config, runs_of(options))
    if options.device:
        if not target.own:
            raise UserError("--device tries the Python that cxr-cockpit trains with: leave --python out")
        check.trial = True
    _look(check, options.json)
    if options.fix:
        return _mend(check, options)
    if options.json:
        print_json(check.as_json())
    return 0 if check.ok else 1


def _look(check: Check, as_json: bool) -> None:
    """Run the check: what is well is told as it comes, what is not at the end, worst first."""
    told: set[str] = set()
    under_way = LiveLines(sys.stderr, SPARSE_SECONDS)
    check.trying = lambda part: under_way.show([f"{part.number}/{part.total}  {part.text}"])
    for finding in check.run():
        if not as_json and finding.status in ("ok", "info") and finding.id not in told:
            told.add(finding.id)
            under_way.erase()
            print(finding_line(finding), flush=True)
    under_way.erase()
    if as_json:
        return
    bad = [one for one in check.findings if one.status in ("fail", "warn")]
    for finding in bad:
        print()
        print("\n".join(finding_block(finding)))
    counts = {status: sum(one.status == status for one in check.findings) for status in MARKS}
    print(f"\n{counts['fail']} fail, {counts['warn']} warn, {counts['info']} info, {counts['ok']} ok")


def _mend(check: Check, options: argparse.Namespace) -> int:
    from engine.setup_check.fix.apply import apply_plan

    plan = check.plan
    if check.ok or plan is None:
        if options.json:
            print_json(check.as_json())
        elif check.ok:
            print("nothing to fix")
        else:
            print("nothing here can be fixed by a command: see why above")
        return 0 if check.ok else 1
    say = _to_stderr if options.json else _to_stdout
    for line in ("", *plan_lines(plan)):
        say(line)
    if not _agreed("Do this?", options.yes):
        say("nothing was changed")
        return 1
    well, kept = apply_plan(plan, check.facts, say)
    if not well:
        say("a command failed; what it changed is taken back with --undo")
    from engine.setup_check.check import Check

    again = Check(check.target, check.config, check.runs, both=True)
    _look(again, options.json)
    worse = again.worse_than(check)
    if options.json:
        print_json(again.as_json())
    if worse:
        say(f"worse than before: {', '.join(worse)}")
    undo = ["cxr-cockpit", "check", "--python", check.target.executable, "--undo"]
    say(f"{len(kept.kept)} files are kept as they were; `{shlex.join(undo)}` puts them back")
    return 0 if again.ok and well and not worse else 1


def _undo(target: Target, options: argparse.Namespace) -> int:
    from engine.setup_check.fix.snapshot import newest, undo
    from engine.setup_check.probe.target import prefix_of

    prefix = prefix_of(target)
    last = newest(prefix)
    if last is None:
        raise UserError(f"{prefix}: there is no fix to undo")
    say = _to_stderr if options.json else _to_stdout
    say(f"puts {len(last.kept)} files back as they were before: {', '.join(last.what)}")
    if not _agreed("Do this?", options.yes):
        say("nothing was changed")
        return 1
    count = undo(last)
    if options.json:
        print_json({"python": target.executable, "restored": count, "packages": last.names})
    else:
        print(f"{count} files are as they were")
    return 0


def _agreed(question: str, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError("nothing is changed without a yes: answer in a terminal, or add --yes")
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _own_packages(error: Exception, as_json: bool) -> int:
    """The check itself needs a few packages; without them it can at least say so."""
    fix = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--force-reinstall",
        "packaging",
        "pydantic",
        "pyyaml",
        "psutil",
    ]
    name = getattr(error, "name", None) or type(error).__name__
    finding = {
        "id": "cockpit-packages",
        "group": "packages",
        "status": "fail",
        "title": f"cxr-cockpit's own environment is damaged: {name}",
        "found": one_line(f"{type(error).__name__}: {error}"),
        "expected": "packaging, pydantic, pyyaml and psutil",
        "why": "The check itself needs them.",
        "consequences": [],
        "fix": [fix],
        "source": "seen here",
    }
    if as_json:
        print(
            json.dumps(
                {"python": sys.executable, "platform": sys.platform, "ok": False, "findings": [finding]}
            )
        )
    else:
        print(f"{MARKS['fail']}  {finding['title']}\n        found    {finding['found']}")
        print(f"        fix      {shlex.join(fix)}")
    return 1


def _to_stdout(line: str) -> None:
    print(one_line(line), flush=True)


def _to_stderr(line: str) -> None:
    print(one_line(line), file=sys.stderr, flush=True)
