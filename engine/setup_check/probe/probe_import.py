"""Imports one module for real and writes down how that went. Runs in a process of its own, under any Python from 3.8.

    python -c SOURCE RESULT SECONDS MODULE ACTION

ACTION finds `notes`, a dict for what it has to say, and `scratch`, the folder of RESULT.

Until the import is over only built-in modules are used here: what the folder or PYTHONPATH shadows has to show
itself in the import, not in this file. RESULT.PID receives one Python literal. A hang ends after SECONDS with the
stack on standard error, a crash of the interpreter likewise.
"""

from __future__ import annotations

import faulthandler
import sys
import time

TYPE_CHECKING = False  # as type checkers know it; `typing` would be one module more before the import
if TYPE_CHECKING:
    import types


def main() -> None:
    result, seconds, module, action = sys.argv[1:5]
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(seconds), exit=True)
    started = time.monotonic()
    facts: dict[str, object] = {"error": None, "step": "import"}
    notes: dict[str, object] = {}
    names: dict[str, object] = {
        "__name__": "__probe__",
        "notes": notes,
        "scratch": result.rpartition("/")[0],
    }
    try:
        names[module.partition(".")[0]] = __import__(module)
        facts["step"] = "use"
        if action:
            exec(action, names)
        facts["step"] = "done"
    except BaseException as error:  # SystemExit and KeyboardInterrupt are answers, too
        facts["error"] = _chain(error)
    facts["seconds"] = round(time.monotonic() - started, 3)
    facts["module"] = _module(module)
    facts["loaded"] = _loaded()
    facts["notes"] = {key: value for key, value in notes.items() if _plain(value)}
    os = __import__("os")
    with open(f"{result}.{os.getpid()}", "w", encoding="utf-8", errors="replace") as file:
        file.write(repr(facts))
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that a library left behind must not keep this process.
    os._exit(0)


def _chain(error: BaseException | None) -> list[dict[str, object]]:
    """The exception and what it came from, the innermost last."""
    chain: list[dict[str, object]] = []
    while error is not None and len(chain) < 20:
        frames = _frames(error.__traceback__)
        if isinstance(error, SyntaxError):
            frames.append([_text(error.filename) or "?", error.lineno or 0, "<syntax>"])
        chain.append(
            {
                "type": type(error).__name__,
                "message": _words(error),
                "name": _text(getattr(error, "name", None)),
                "path": _text(getattr(error, "path", None)),
                "frames": frames,
            }
        )
        suppressed = error.__suppress_context__
        error = error.__cause__ or (None if suppressed else error.__context__)
    return chain


def _words(error: BaseException) -> str:
    try:
        return str(error)[:4000]
    except BaseException as second:
        return f"(its message cannot be read: {type(second).__name__})"


def _frames(trace: types.TracebackType | None) -> list[list[object]]:
    frames: list[list[object]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append([code.co_filename, trace.tb_lineno, code.co_name])
        trace = trace.tb_next
    mine = [index for index, frame in enumerate(frames) if frame[0] == "<string>"]
    frames = frames[mine[-1] + 1 :] if mine else frames
    return [frame for frame in frames if not str(frame[0]).startswith("<frozen")][-40:]


def _module(name: str) -> dict[str, object] | None:
    module = sys.modules.get(name)
    if module is None:
        return None
    return {
        "file": _attribute(module, "__file__"),
        "version": _attribute(module, "__version__"),
    }


def _loaded() -> dict[str, str]:
    """File of each top-level module, for telling what came from an unexpected place."""
    found = {}
    for name, module in list(sys.modules.items()):
        if isinstance(name, str) and "." not in name and name != "__main__":
            file = _attribute(module, "__file__")
            if file:
                found[name] = file
    return found


def _attribute(module: object, name: str) -> str | None:
    """The attribute as text. A lazy module may answer any question with an error."""
    try:
        return _text(getattr(module, name, None))
    except Exception:
        return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


main()
