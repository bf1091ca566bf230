"""pip, as far as fixing needs it: which one reaches the interpreter, what it would do, what command does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from engine.setup_check.fix.pip_settings import PipSettings, read_settings
from engine.setup_check.probe.facts import Facts
from engine.setup_check.rules.knowledge import Knowledge
from engine.setup_check.versions import canonical, parsed, requirement, satisfies

DRY_RUN_SINCE = "22.2"
OTHER_PYTHON_SINCE = "22.3"
DRY_RUN_SECONDS = 120

_UNREACHABLE = (
    "Could not fetch URL",
    "NewConnectionError",
    "ConnectionError",
    "Max retries exceeded",
    "Read timed out",
    "Temporary failure in name resolution",
)


class Unreachable(Exception):
    """No index answers; nothing can be said from it."""


class Impossible(Exception):
    """No set of versions meets the requirements."""


class NotOffered(Impossible):
    """The index has nothing at all of that name: it may be a small or an empty one."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The packages that would be put in: canonical name to version, and the requirements that come with them."""

    versions: dict[str, str] = field(default_factory=dict)
    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Resolver(Protocol):
    """Says what an installation would change. Raises `Unreachable`, `Impossible` or `NotOffered`."""

    def __call__(self, requirements: Sequence[str], reinstall: bool = False) -> Resolution: ...


@dataclass(frozen=True, slots=True)
class Installer:
    """A pip that installs into the interpreter, isolated from what lies outside. `version` is its own."""

    command: tuple[str, ...]
    version: str
    prepare: tuple[tuple[str, ...], ...] = ()
    """What has to be run before it can install."""
    settings: PipSettings = field(default_factory=PipSettings)

    def heard(self, environ: Mapping[str, str]) -> Installer:
        """The same with the settings that it would hear, neutral against those that would lead it astray."""
        settings = read_settings(self.command, environ) if not self.prepare else PipSettings()
        return replace(self, command=(*settings.prefix(environ), *self.command), settings=settings)

    @property
    def has_dry_run(self) -> bool:
        """Whether this pip can say what it would install."""
        return satisfies(self.version, f">={DRY_RUN_SINCE}")

    def install_command(self, requirements: Sequence[str]) -> tuple[str, ...]:
        """Installs what is not there in the asked range."""
        return (*self.command, "install", *requirements)

    def reinstall_command(self, pins: Sequence[str]) -> tuple[str, ...]:
        """Writes the files of these very versions anew, and nothing of what they rest on."""
        return (*self.command, "install", "--force-reinstall", "--no-deps", *pins)

    def uninstall_command(self, names: Sequence[str]) -> tuple[str, ...]:
        """Removes packages without asking."""
        return (*self.command, "uninstall", "-y", *names)

    def dry_run(self, requirements: Sequence[str], reinstall: bool = False) -> Resolution:
        """Ask the index and change nothing. Network errors are `Unreachable`."""
        command = self.reinstall_command(requirements) if reinstall else self.install_command(requirements)
        with tempfile.TemporaryDirectory(prefix="cxr-check-") as folder:
            report = Path(folder, "report.json")  # its output may hold what others print
            quiet = ("--dry-run", "--quiet", "--report", str(report), "--no-input")
            try:
                ended = subprocess.run(
                    [*command, *quiet, "--disable-pip-version-check", "--retries", "1", "--timeout", "10"],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    env=self.settings.environment(os.environ),
                    timeout=DRY_RUN_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise Unreachable(f"no answer within {DRY_RUN_SECONDS} s") from None
            if ended.returncode == 0 and report.is_file():
                return _resolution(report.read_text(encoding="utf-8"))
        last = last_words(ended.stderr) or f"exit code {ended.returncode}"
        if any(word in ended.stderr for word in _UNREACHABLE):
            raise Unreachable(last)
        raise NotOffered(last) if "from versions: none" in ended.stderr else Impossible(last)


def last_words(output: str) -> str:
    """The line in which pip says why it refuses, else its last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1]


def _resolution(report: str) -> Resolution:
    items = [item["metadata"] for item in json.loads(report)["install"]]
    return Resolution(
        {canonical(one["name"]): one["version"] for one in items},
        {canonical(one["name"]): tuple(one.get("requires_dist", ())) for one in items},
    )


def find_installer(facts: Facts) -> Installer | None:
    """The interpreter's own pip; where it has none or not all of it, the cockpit's, which reaches others.

    One that the cockpit's is too new for gets the pip that came with it.
    """
    own = facts.installed().get("pip")
    alone = (facts.executable, "-I", "-m")
    if own is not None and not own.missing_count:
        return Installer((*alone, "pip"), own.version)
    version, python = _cockpit_pip()
    if version and satisfies(version, f">={OTHER_PYTHON_SINCE}"):
        if satisfies(facts.python, python):
            return Installer((sys.executable, "-I", "-m", "pip", "--python", facts.executable), version)
        if own is None:
            return Installer((*alone, "pip"), "0", prepare=((*alone, "ensurepip"),))
    return None


def _cockpit_pip() -> tuple[str | None, str]:
    """Its version, and the range of Pythons that it runs on."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        about = metadata("pip")
    except PackageNotFoundError:
        return None, ""
    return about["Version"], about["Requires-Python"] or ""


class KnownReleases:
    """Resolves from the releases that the knowledge file lists, where no index can be asked."""

    def __init__(self, known: Knowledge, facts: Facts) -> None:
        self._known = known
        self._facts = facts

    def __call__(self, requirements: Sequence[str], reinstall: bool = False) -> Resolution:
        if reinstall:
            raise Unreachable("a reinstallation needs an index")
        chosen: dict[str, str] = {}
        requires: dict[str, tuple[str, ...]] = {}
        ahead = list(requirements)
        while ahead:
            wanted = requirement(ahead.pop(0))
            if wanted is None:
                continue
            name = canonical(wanted.name)
            now = chosen.get(name) or self._facts.versions().get(name)
            if now is not None and satisfies(now, wanted.specifier):
                continue
            if name in chosen:
                raise Impossible(f"{name} {chosen[name]} is not {wanted.specifier}")
            version = self._newest(name, str(wanted.specifier))
            chosen[name] = version
            requires[name] = tuple(self._known.releases[name][version].requires)
            ahead += requires[name]
        return Resolution(chosen, requires)

    def _newest(self, name: str, span: str) -> str:
        fits = [
            version
            for version, release in self._known.releases.get(name, {}).items()
            if satisfies(version, span) and satisfies(self._facts.python, release.python)
        ]
        if not fits:
            raise Unreachable(f"no release of {name} {span} is known for Python {self._facts.python}")
        return max(fits, key=lambda version: parsed(version) or parsed("0"))  # type: ignore[arg-type,return-value]
