"""The interpreter that is looked at: finding it, asking it, and reading what it says as it says it."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.child import SILENCE, end, lines
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.setup_check.probe.framing import answer
from engine.setup_check.probe.import_failure import stack_files
from engine.setup_check.probe.records import Records
from engine.setup_check.probe.stack import COCKPIT, STACK, Trial

IMPORT_SECONDS = 60.0
PREFIX_SECONDS = 30.0
_HERE = Path(__file__).parent
_WHO = (
    "import sys; sys.stdout.write('\\n\\x1ecxr %d %d %s\\n' % (tuple(sys.version_info[:2]) + (sys.prefix,)))"
)
_PREFIX = "import sys; print('\\n\\x1e' + sys.prefix)"


@dataclass(frozen=True, slots=True)
class Target:
    """An interpreter. `own` is the one that the cockpit runs in, and that its engines will run in."""

    executable: str
    version: tuple[int, int]
    own: bool = False

    @property
    def can_be_probed(self) -> bool:
        return self.version >= (3, 8)


def find_target(given: str | None) -> Target:
    """The interpreter of that name or path; without one, the cockpit's own. UserError if it is no Python."""
    if given is None:
        return Target(sys.executable, sys.version_info[:2], own=True)
    path = given if os.sep in given else shutil.which(given)
    if path is None:
        raise UserError(f"--python {given}: no such command on the PATH; give the path of an interpreter")
    path = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(path):
        inside = os.path.join(path, "bin", "python")
        hint = f"; did you mean {inside}?" if os.path.exists(inside) else ""
        raise UserError(f"--python {given}: this is a folder{hint}")
    if os.path.islink(path) and not os.path.exists(path):
        raise UserError(
            f"--python {given}: it points to {os.path.realpath(path)}, which is gone; "
            "this environment cannot start until that Python is back: make a new one with `python3 -m venv`"
        )
    if not os.path.exists(path):
        raise UserError(f"--python {given}: there is no such file")
    words = (answer(_answer(path, given)) or "").split(" ", 3)
    if len(words) != 4 or words[0] != "cxr":
        raise UserError(f"--python {given}: this is no Python interpreter")
    own = os.path.abspath(path) == os.path.abspath(sys.executable)
    return Target(path, (int(words[1]), int(words[2])), own=own)


def prefix_of(target: Target) -> str:
    """The folder of its environment. UserError if it does not start."""
    command = [target.executable, "-I", "-c", _PREFIX]
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PREFIX_SECONDS,
            env=_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise UserError(
            f"{target.executable}: does not answer; run `cxr-cockpit check` on it first"
        ) from None
    prefix = answer(ended.stdout)
    if prefix is None:
        raise UserError(f"{target.executable}: does not start; run `cxr-cockpit check` on it first")
    return prefix


def _answer(path: str, given: str) -> str:
    try:
        ended = subprocess.run(
            [path, "-S", "-E", "-c", _WHO],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            env=_environment(),
        )
    except OSError as error:
        raise UserError(f"--python {given}: cannot be run ({error.strerror or error})") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"--python {given}: gave no answer within 20 s") from None
    return ended.stdout.decode("utf-8", "replace")


def ask(
    target: Target, seconds: float = IMPORT_SECONDS, nice: int = 0, both: bool = False
) -> Iterator[tuple[str, Any]]:
    """Run the probe there; yields its parts as they come. Closing the iterator, or dying, ends the probe.

    `seconds` is the limit of one import, `nice` how far it steps back behind other work, `both` whether every
    import is tried isolated as well. UserError if the probe itself ends early.
    """
    trials: tuple[Trial, ...] = STACK + (COCKPIT if target.own else ())
    settings = {
        "limit": seconds,
        "jobs": max(2, min(4, os.cpu_count() or 2)),
        "nice": nice,
        "both": both,
        "asked": True,
        "flags": ["-P"] if target.own else [],
        "imports": [trial.as_json() for trial in trials],
        "import_source": (_HERE / "probe_import.py").read_text(encoding="utf-8"),
    }
    command = [target.executable, "-I", "-S", "-B", str(_HERE / "probe.py"), "--lines", json.dumps(settings)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    heard = False
    records = Records([])
    try:
        silence = max(SILENCE, 3 * seconds)
        for line in lines(process.stdout, silence):
            if line is None:
                raise UserError(f"{target.executable}: the probe gave no answer within {silence:.0f} s")
            said = _part(line)
            if said is None:
                continue
            heard = True
            if said["part"] == "distributions":
                records = Records(list(dict.fromkeys(one["place"] for one in said["value"])))
            elif said["part"] == "imports":
                _add_statements(said["value"])
                for item in (said["value"], said["value"].get("isolated")):
                    if item:
                        item["changed"] = records.changed(_named_files(item))
            yield said["part"], said["value"]
        words = process.stderr.read().strip().splitlines()
        if process.wait() != 0:
            raise UserError(
                f"{target.executable}: the probe ended early ({words[-1] if words else process.returncode})"
            )
        if not heard:
            raise UserError(f"{target.executable}: it says nothing of itself; this is no Python interpreter")
    finally:
        if process.poll() is None:
            end(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def _part(line: str) -> dict[str, Any] | None:
    """What the probe said in a line; None for a line that something else printed."""
    said = answer(line)
    try:
        value = json.loads(said) if said is not None else None
    except json.JSONDecodeError:  # the probe was ended in the middle of it
        return None
    return value if isinstance(value, dict) and {"part", "value"} <= value.keys() else None


def _environment() -> dict[str, str]:
    # macOS hands the launcher's path down to children, and another Python then believes to be that one
    return {name: value for name, value in os.environ.items() if name != "__PYVENV_LAUNCHER__"}


def _add_statements(item: dict[str, Any]) -> None:
    """Put the failing import statement beside each exception of an import."""
    for link in item.get("error") or []:
        link["statement"] = statement(link["frames"][-1]) if link["frames"] else None
    if item.get("isolated"):
        _add_statements(item["isolated"])


def _named_files(item: dict[str, Any]) -> list[str]:
    """The Python files that a failed import runs through, the one first that it tried to take something from."""
    links = list(reversed(item.get("error") or []))
    paths = [link.get("path") for link in links] + [
        frame[0] for link in links for frame in reversed(link["frames"])
    ]
    if item["outcome"] in ("died", "hang"):
        paths += stack_files(item.get("stderr", ""))
    return [path for path in dict.fromkeys(paths) if path and path.endswith(".py")]


def statement(frame: list[Any]) -> str | None:
    """The whole import statement at a frame, as one line; else the line itself."""
    file, line, _ = frame
    try:
        with open_plain(file, errors="replace") as opened:
            source: str = opened.read()
    except OSError:
        return None
    try:
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            if node.lineno <= line <= (node.end_lineno or node.lineno):
                names = [one.name for one in node.names]
                if isinstance(node, ast.Import):
                    return "import " + ", ".join(names)
                return f"from {'.' * node.level}{node.module or ''} import {', '.join(names)}"
    except (SyntaxError, ValueError, RecursionError):
        pass
    lines = source.splitlines()
    return lines[line - 1].strip()[:300] if 0 < line <= len(lines) else None
