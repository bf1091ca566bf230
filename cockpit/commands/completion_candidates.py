"""What may stand next on a command line, read from the parsers themselves and from what lies on the disk."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import UserError
from engine.runs.checkpoints import checkpoint_names
from engine.runs.layout import RunPaths, list_runs, resolve_run, runs_dir

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/=:-]*")
"""Words that a shell may be given as they are; others are not offered."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """`kind` is "words", or "files", "directories", "yaml", which shells know better; `words` are (word, help)."""

    kind: str = "words"
    words: tuple[tuple[str, str], ...] = ()

    def lines(self) -> Iterator[str]:
        """The kind, then a line a word."""
        yield self.kind
        for word, help in self.words:
            yield f"{word}\t{help}" if help else word


@dataclass(slots=True)
class _Line:
    """What the words before the one to complete have said."""

    parser: argparse.ArgumentParser
    values: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    positionals: list[argparse.Action] = field(default_factory=list)
    waiting: argparse.Action | None = None

    def enter(self, parser: argparse.ArgumentParser) -> None:
        getattr(parser, "configured", lambda: None)()
        self.parser, self.used = parser, set()
        self.positionals = [one for one in parser._actions if not one.option_strings]

    def read(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if self.waiting is not None:
            self.values[self.waiting.dest], self.waiting = word, None
        elif word.startswith("-") and name in self.parser._option_string_actions:
            action = self.parser._option_string_actions[name]
            self.used.add(action.dest)
            if equals:
                self.values[action.dest] = value
            elif action.nargs != 0:
                self.waiting = action
        elif not word.startswith("-") and self.positionals:
            action = self.positionals[0]
            if isinstance(action, argparse._SubParsersAction):
                if word in action.choices:
                    self.enter(action.choices[word])
                return
            self.values[action.dest] = word
            if action.nargs not in ("+", "*"):
                del self.positionals[0]


def candidates(parser: argparse.ArgumentParser, words: Sequence[str]) -> Candidates:
    """For the last of `words`, which may be empty or begun; what comes before it decides."""
    *before, begun = words or [""]
    line = _Line(parser)
    line.enter(parser)
    for word in before:
        if word == "--":
            return Candidates()
        line.read(word)
    if line.waiting is not None:
        return _values(line, line.waiting, begun)
    name, equals, value = begun.partition("=")
    if equals and name in line.parser._option_string_actions:
        found = _values(line, line.parser._option_string_actions[name], value)
        return Candidates(found.kind, tuple((f"{name}={word}", help) for word, help in found.words))
    if not begun.startswith("-") and line.positionals:
        return _values(line, line.positionals[0], begun)
    return _beginning(begun, _options(line))


def _options(line: _Line) -> Iterator[tuple[str, str]]:
    for action in line.parser._actions:
        again = action.dest not in line.used or isinstance(action, argparse._AppendAction)
        if action.option_strings and again and action.help != argparse.SUPPRESS:
            yield action.option_strings[-1], _help(action)


def _values(line: _Line, action: argparse.Action, begun: str) -> Candidates:
    if isinstance(action, argparse._SubParsersAction):
        told = {one.dest: one.help or "" for one in action._choices_actions}
        aliases = [(name, "") for name in action.choices if begun and name not in told]
        return _beginning(begun, [*told.items(), *aliases])
    if action.choices:
        return _beginning(begun, [(str(one), "") for one in action.choices])
    metavar = str(action.metavar)
    if metavar in _BY_SHELL:
        return Candidates(_BY_SHELL[metavar])
    known = _KNOWN.get(action.dest, _KNOWN.get(metavar))
    return _beginning(begun, ((word, "") for word in known(line, begun)) if known else ())


def _beginning(begun: str, words: Iterable[tuple[str, str]]) -> Candidates:
    return Candidates(words=tuple(one for one in words if one[0].startswith(begun)))


def _help(action: argparse.Action) -> str:
    return " ".join((action.help or "").replace("%%", "%").split())


def _runs(line: _Line, _begun: str) -> list[str]:
    return [run.name for run in list_runs(runs_dir(line.values.get("runs"))) if PLAIN.fullmatch(run.name)]


def _run_or_checkpoint(line: _Line, begun: str) -> list[str]:
    name, colon, _ = begun.partition(":")
    if not colon:
        return _runs(line, begun)
    return [f"{name}:{one}" for one in _of_run(line, name)]


def _checkpoints(line: _Line, _begun: str) -> list[str]:
    return _of_run(line, line.values.get("run", ""))


def _of_run(line: _Line, name: str) -> list[str]:
    try:
        run: RunPaths = resolve_run(name, runs_dir(line.values.get("runs")))
    except UserError:
        return []
    return checkpoint_names(run)


def _themes(_line: _Line, _begun: str) -> list[str]:
    from textual.theme import BUILTIN_THEMES

    return ["dark", "light", *sorted(BUILTIN_THEMES)]


def _tags(_line: _Line, _begun: str) -> Sequence[str]:
    from cockpit.commands.scalars import KNOWN_TAGS

    return KNOWN_TAGS


def _purposes(_line: _Line, _begun: str) -> Sequence[str]:
    from cockpit.commands.samples import PURPOSES

    return PURPOSES


def _keys(_line: _Line, _begun: str) -> list[str]:
    from engine.config import RunConfig

    return [f"{key}=" for key in _leaves(RunConfig)]


def _leaves(model: Any) -> Iterator[str]:
    """`lora.rank`, …: every key of the configuration that has a value."""
    from engine.config import Section

    for key, about in model.model_fields.items():
        inner = about.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from (f"{key}.{rest}" for rest in _leaves(inner))
        else:
            yield key


_BY_SHELL = {
    "CONFIG": "yaml",
    "YAML": "yaml",
    "DIR": "directories",
    "OUT": "directories",
    "SOURCE": "directories",
    "FILE": "files",
    "IMAGE": "files",
    "EXE": "files",
}
"""By metavar: what a shell completes itself."""
_KNOWN: dict[str, Callable[[_Line, str], Iterable[str]]] = {
    "RUN": _runs,
    "RUN[:CHECKPOINT]": _run_or_checkpoint,
    "checkpoint": _checkpoints,
    "theme": _themes,
    "tag": _tags,
    "purpose": _purposes,
    "KEY=VALUE": _keys,
}
"""By destination or metavar: what is looked up here."""
