"""pip's own settings, from variables and pip.conf: what a fix needs to reach packages, and what would lead it astray.

A fix's own calls hear the former and nothing else. A setting that is not known to be harmless is left out and named.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.setup_check.finding import SEEN, Finding

SECONDS = 30
# How packages are reached, and what changes neither which nor where.
_KEPT = frozenset((
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert",
    "proxy", "timeout", "default-timeout", "retries", "resume-retries", "keyring-provider",
    "use-feature", "use-deprecated", "cache-dir", "no-cache-dir", "prefer-binary", "only-binary",
    "no-color", "progress-bar", "no-input", "disable-pip-version-check", "root-user-action",
    "break-system-packages",
))  # fmt: skip
_NOISE = frozenset(("quiet", "verbose", "log", "debug"))
"""Left out without a word: they change nothing but what pip prints."""
_CONFIG_FILE = "config-file"
_OFF = ("", "0", "false", "no", "off", "n", "f")
_SECTIONS = ("global", "install", "uninstall")
"""Sections that our commands hear; a later one goes before an earlier one."""
_FILE = re.compile(r"^For variant '\w+', will try loading '(.+)'$")
_VALUE = re.compile(r"^([\w:.-]+?)\.([\w-]+)=(.*)$")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `place` is the variable, or the file with section and key."""

    name: str
    value: str
    place: str
    is_variable: bool


@dataclass(frozen=True, slots=True)
class PipSettings:
    """`kept` by name; `astray` are those that would change what a fix installs, or where."""

    kept: Mapping[str, Setting] = field(default_factory=dict)
    astray: tuple[Setting, ...] = ()

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables of a fix's own call: nothing of pip's but what is kept, nothing of Python's."""
        plain = {name: value for name, value in environ.items() if not _steers(name)}
        # PYTHONNOUSERSITE also for the Python that `pip --python` starts
        # PYTHONSAFEPATH: what lies in the working directory is no part of pip
        own = {"PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1", "PIP_CONFIG_FILE": os.devnull}
        return plain | own | {
            _variable(one.name): one.value for one in self.kept.values()
        }  # fmt: skip

    def prefix(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """What makes a pip command that somebody copies do the same; nothing where nothing is in the way.

        A setting of a file that is needed comes along, but not with a password: this is printed.
        """
        env = shutil.which("env")
        unset = sorted({one.place for one in self.astray if one.is_variable})
        unset += sorted(name for name in ("PYTHONHOME", "PYTHONPATH") if environ.get(name))
        given = []
        if any(not one.is_variable for one in self.astray):
            given = [f"PIP_CONFIG_FILE={os.devnull}"] + [
                f"{_variable(one.name)}={one.value}"
                for one in self.kept.values()
                if not one.is_variable and one.value == without_password(one.value)
            ]
        words = [word for name in unset for word in ("-u", name)] + given
        return (env, *words) if env and words else ()


def _steers(variable: str) -> bool:
    return variable.startswith(("PIP_", "PYTHON")) or variable == "__PYVENV_LAUNCHER__"


def _variable(name: str) -> str:
    return "PIP_" + name.upper().replace("-", "_")


def read_settings(command: Sequence[str], environ: Mapping[str, str]) -> PipSettings:
    """The settings that this pip would hear. Where its files cannot be read by it, that is what is in the way."""
    asked = PipSettings().environment(environ)
    asked.pop("PIP_CONFIG_FILE")
    if "PIP_CONFIG_FILE" in environ:
        asked["PIP_CONFIG_FILE"] = environ["PIP_CONFIG_FILE"]
    try:
        ended = subprocess.run(
            [*command, "config", "list", "--verbose"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=SECONDS, check=False, env=asked,
        )  # fmt: skip
        said, code, errors = ended.stdout, ended.returncode, ended.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        said, code, errors = "", 1, str(error)
    found = _from_files(said.splitlines())
    if code != 0 and "unknown command" not in errors:  # before version 10 it has no such command
        last = " ".join(line.strip() for line in errors.strip().splitlines()[-3:]) or "it says nothing"
        found.append(Setting(_CONFIG_FILE, last, "pip.conf", False))
    return sorted_out([*found, *from_variables(environ)])


def from_variables(environ: Mapping[str, str]) -> list[Setting]:
    """The settings that pip's variables hold."""
    return [
        Setting(_plain(name[4:]), value, name, True)
        for name, value in environ.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value
    ]


def sorted_out(found: Sequence[Setting]) -> PipSettings:
    """Which are kept and which are in the way; of several of one name the last counts."""
    last = {one.name: one for one in found}
    kept = {name: one for name, one in last.items() if name in _KEPT and one.value}
    if "no-index" in kept and "find-links" not in kept:
        del kept["no-index"]  # nothing at all could be reached
    astray = [
        one for name, one in last.items()
        if name not in kept and name not in _NOISE and one.value.strip().lower() not in _OFF
    ]  # fmt: skip
    return PipSettings(kept, tuple(astray))


def _from_files(lines: Sequence[str]) -> list[Setting]:
    """The settings that `pip config list --verbose` tells of, each with the file that it names last for it."""
    files = [said.group(1) for line in lines if (said := _FILE.match(line.strip()))]
    values: dict[tuple[str, str], str] = {}
    for line in lines:
        said = _VALUE.match(line.strip())
        if said and said.group(1) in _SECTIONS:
            values[said.group(1), said.group(2)] = _literal(said.group(3))
    return [
        Setting(name, values[section, name], _file_of(section, name, files), False)
        for section, name in sorted(values, key=lambda one: _SECTIONS.index(one[0]))
    ]


def _literal(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (SyntaxError, ValueError):
        return text


def _file_of(section: str, name: str, files: Sequence[str]) -> str:
    holder = "pip.conf"
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        if any(_plain(key) == name for key in (parser[section] if parser.has_section(section) else ())):
            holder = file
    return f"{holder}, {section}.{name}"


def _plain(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//…@", text)


def astray_finding(settings: PipSettings) -> Finding | None:
    """The settings that stand in the way of a fix, each by its name and place."""
    if not settings.astray:
        return None
    names = [one.place if one.is_variable else one.name for one in settings.astray]
    variables = [one.place for one in settings.astray if one.is_variable]
    files = [one.place for one in settings.astray if not one.is_variable]
    ways = ([f"`unset {' '.join(variables)}`"] if variables else []) + [f"take out {one}" for one in files]
    return Finding(
        id="pip-settings",
        group="packages",
        status="warn",
        title=f"Settings of pip stand in the way: {', '.join(names)}",
        found="; ".join(
            f"{one.place}{'=' if one.is_variable else ': '}{without_password(one.value)}"
            for one in settings.astray
        ),
        expected="none that change what is installed, or where",
        why="They lead what pip installs elsewhere, hold it back or change what it chooses. A fix from here runs "
        f"without them, and keeps what says how packages are reached. For a pip of your own: {'; '.join(ways)}.",
        source=SEEN,
    )
