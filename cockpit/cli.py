"""The command line: finds the command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol, cast

from engine.errors import UserError
from engine.programs import leave_out_working_directory
from engine.standard_streams import open_missing, printable_streams
from engine.words.nearest import did_you_mean, nearest
from engine.words.printable import message


class Command(Protocol):
    """A module of `cockpit.commands`."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace) -> int: ...


# verb: (module, what it does). The modules are imported when their verb is used.
COMMANDS = {
    "demo": ("demo", "train both stages on phantom X-rays with the bundled base"),
    "train": ("train", "start a run from a configuration"),
    "resume": ("resume", "go on with a run that was held, parked or stopped, or that crashed"),
    "status": ("status", "say how a run is, or all runs"),
    "hold": ("control", "wait at the next step, the model in memory"),
    "continue": ("control", "go on with a held run"),
    "park": ("control", "write a checkpoint at the next step, end the engine, free the memory"),
    "stop": ("control", "write a checkpoint and end the stage"),
    "save": ("control", "write a checkpoint now"),
    "sample": ("control", "generate the reports of the fixed cases now"),
    "scalars": ("scalars", "print the recorded curves"),
    "samples": ("samples", "print the generated samples"),
    "evaluate": ("evaluate", "generate and score, with baselines"),
    "report": ("report", "let a run's model write its report for images of your own"),
    "export": ("export", "write a run's adapter or merged model, checked, with a model card"),
    "check": ("check", "say what is wrong with a Python, the machine or a configuration, and fix it"),
    "data": ("data", "make phantom data, build or import a curriculum"),
    "service": ("service", "go on after a reboot with what was interrupted"),
    "model": ("model", "fetch, inspect or convert a base model"),
    "plan": ("plan", "say what memory and time a run will take, and which recipes fit"),
    "bench": ("bench.command", "measure what this installation costs, each figure with its bar"),
    "completion": ("completion", "print what makes bash, zsh or fish complete these commands"),
}
ALIASES = {"status": ("ls", "list", "runs")}
"""What other programs call a verb."""


APP_OPTIONS = ("--images", "--ascii", "--no-mouse", "--theme")


class _Parser(argparse.ArgumentParser):
    """One line per mistake, and a command's options only when they are needed."""

    def __init__(self, command: str = "", **named: Any) -> None:
        named |= {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(**named)
        self._command = command

    def configured(self) -> None:
        """Load the command's own module, once."""
        if self._command:
            module, self._command = self._command, ""
            command = cast(Command, importlib.import_module(f"cockpit.commands.{module}"))
            command.configure(self)
            self.set_defaults(run_command=command.run)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.configured()
        words = sys.argv[1:] if args is None else list(args)
        self._refuse_unknown_option(words)
        options, rest = super().parse_known_args(words, namespace)
        if rest:  # told by the command that cannot use them, not by the one that it belongs to
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return options, rest

    def _refuse_unknown_option(self, words: Sequence[str]) -> None:
        """argparse would take the value of an option that it does not know for a command or a run."""
        known = self._option_string_actions
        value = False
        for word in words:
            if word == "--":
                return
            name, equals, _ = word.partition("=")
            if value or not word.startswith("-") or word == "-":
                if not value and self._subparsers is not None:
                    return  # the rest is for the command to judge
                value = False
            elif name not in known:
                self.error(_unknown_option(name, list(known)))
            else:
                value = known[name].nargs is None and not equals

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"cxr-cockpit: {_friendlier(message)} (see `{self.prog} --help`)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 well, 1 not well, 2 wrong usage or input."""
    if arguments is None:
        _start_again_alone()
    os.umask(0o077)  # what is written may hold reports
    leave_out_working_directory(os.environ)
    open_missing()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # text that the terminal cannot show must not end a command
            stream.reconfigure(errors="backslashreplace")
    with printable_streams():
        return _carried_out(arguments)


def _carried_out(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
        code = int(options.run_command(options))
        sys.stdout.flush()
    except UserError as error:
        print(f"cxr-cockpit: {message(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _forget_output()  # the reader has gone
        return 1
    except OSError as error:
        if error.filename is None:
            _forget_output()
        print(f"cxr-cockpit: {message(_refused(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _start_again_alone() -> None:
    """Python's own variables may be what is wrong with the setup: what looks into that must not hear them itself.

    The children do. The command `cxr-cockpit` starts so at once; this is for `python -m cockpit.cli`.
    """
    set_ones = {name for name, value in os.environ.items() if name.startswith("PYTHON") and value}
    moved = set_ones & {"PYTHONHOME", "PYTHONPLATLIBDIR"}
    if sys.flags.ignore_environment or not (moved or (set_ones - _HARMLESS and sys.argv[1:2] == ["check"])):
        return
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"import sys; sys.path.append({root!r}); from cockpit.cli import main; sys.exit(main())"
    os.execv(sys.executable, [sys.executable, "-E", "-P", "-c", code, *sys.argv[1:]])


_HARMLESS = {
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUTF8",
    "PYTHONHASHSEED",
    "PYTHONPYCACHEPREFIX",
}

_NAMELESS = {
    errno.ENOSPC: "there is no space left for the output",
    errno.ENOENT: "the directory you are in is gone",
}
"""What the system means where it names no file."""


def _refused(error: OSError) -> str:
    where = error.filename if error.filename is not None else _NAMELESS.get(error.errno or 0)
    return f"{where}: {error.strerror}" if where else error.strerror or str(error)


def _forget_output() -> None:
    """What is still buffered must not raise once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cxr-cockpit",
        description="Fine-tune LLaVA-Med on chest X-rays from a terminal. Without a command: open the app.",
        epilog="example:\n  cxr-cockpit demo",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    parser.add_argument("--runs", metavar="DIR", help="where the runs are (default: $CXR_RUNS or ./runs)")
    parser.add_argument(
        "--images",
        default="auto",
        choices=["auto", "half", "kitty", "sixel", "none"],
        help="how the app shows X-rays: auto uses kitty's or sixel graphics where the terminal proves them within "
        "150 ms, else half cells. Through tmux, kitty's do not work, and sixel only from tmux 3.4 built with it",
    )
    parser.add_argument("--ascii", action="store_true", help="draw the app with ASCII characters only")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument("--theme", metavar="NAME", help="colours of the app: dark, light or a Textual theme")
    parser.set_defaults(run_command=_open_app, parser=parser)
    verbs = parser.add_subparsers(metavar="COMMAND", title="commands", dest="verb", parser_class=_Parser)
    for verb, (module, summary) in COMMANDS.items():
        verbs.add_parser(
            verb,
            aliases=ALIASES.get(verb, ()),
            command=module,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
        )
    return parser


class _Version(argparse.Action):
    """The version, looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"cxr-cockpit {version('cxr-cockpit')}")
        parser.exit()


def _open_app(options: argparse.Namespace) -> int:
    from cockpit.commands.common.show_run import open_app

    return open_app(options)


def _friendlier(words: str) -> str:
    """argparse's words for a wrong choice, with what was probably meant."""
    choice = re.match(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", words, re.DOTALL)
    if not choice:
        return message(words)
    what, given, known = choice.groups()
    hint = did_you_mean(given, re.findall(r"[\w-]+", known))
    return message(f"{what.lower()} {given!r} is not known: {hint}")


def _unknown_option(name: str, known: Sequence[str]) -> str:
    if name in APP_OPTIONS:
        return message(f"{name} is for the app and stands before the command")
    full = [one.removeprefix("--") for one in known if one.startswith("--")]
    near = nearest(name.lstrip("-"), full)
    hint = f"did you mean --{near}?" if near else f"choose from {', '.join(f'--{one}' for one in full)}"
    return message(f"option {name} is not known: {hint}")


if __name__ == "__main__":
    sys.exit(main())
