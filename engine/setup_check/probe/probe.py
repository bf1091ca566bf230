"""Looks into the Python that runs it, and prints what it finds as one JSON document.

    EXE -I -S probe.py                     one document
    EXE -I -S probe.py --lines             the same as marked lines of {"part", "value"}, as they come
    EXE -I -S probe.py '{"limit": 60}'     settings, see DEFAULTS

Needs nothing but the standard library, and runs under CPython 3.8 and newer, also where every package is broken:
each import happens in a process of its own, with a time limit. Nothing is judged here, and nothing is written.
"""

from __future__ import annotations

import ast
import concurrent.futures
import contextlib
import csv
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

DEFAULTS = {
    "limit": 60,  # seconds for one import
    "jobs": 2,  # imports at a time
    "flags": [],  # of the interpreter, as the trainer is started
    "imports": [],  # {"id", "module", "action", "after": [ids], "if_well": whether it needs all those to go well}
    "import_source": "",  # of probe_import.py
    "nice": 0,  # how far to step back behind other work
    "both": False,  # whether to try every import isolated as well, not only where that may tell something
    "asked": False,  # whether standard input is held open by somebody who waits for the answer
}

START_SECONDS = 30
AGAIN_SECONDS = 10  # where the first start failed
MOST_OUTPUT = 256 << 20  # bytes that a child may write; one that goes on would fill the disk
LOOK_SECONDS = 0.5
LIVE: set[int] = set()  # children that run
SCRATCH: list[str] = []  # folders to remove at the end
MARK = "\x1e"  # begins a line that is an answer: others may print at every start and end

VARIABLES = re.compile(
    r"PYTHON[A-Z0-9_]*$|PYTORCH_|TORCH_|HF_(HOME|HUB_CACHE|HUB_OFFLINE|ENDPOINT)$|TRANSFORMERS_|TOKENIZERS_PARALLELISM$|ACCELERATE_|USE_"
    r"|CUDA_VISIBLE_DEVICES$|OMP_NUM_THREADS$|MKL_|KMP_|LD_(LIBRARY_PATH|PRELOAD)$|DYLD_|MallocStackLogging"
    r"|VIRTUAL_ENV$|CONDA_(PREFIX|DEFAULT_ENV)$"
)

# Run by a child, started as the trainer is: `site` and whatever hooks into it have had their say by then.
START = """
import sys
path = list(sys.path)
sys.path[:] = [one for one in path if one]
import json, site, sysconfig
print("\\n\\x1e" + json.dumps({
    "path": path, "prefix": sys.prefix, "base_prefix": sys.base_prefix,
    "user_site": site.getusersitepackages(), "user_site_used": bool(site.ENABLE_USER_SITE),
    "purelib": sysconfig.get_path("purelib"), "platlib": sysconfig.get_path("platlib"),
    "stdlib": sysconfig.get_path("stdlib")
}))
"""

# Run by a child that `site` has not touched: one thing at a time of what `site` would run.
THROUGH = "came through"
PTH = """
import sys, site
sys.path.append(sys.argv[1])
site.addpackage(sys.argv[1], sys.argv[2], set())
import json
print("came through")
"""
CUSTOM = """
import sys
sys.path.append(sys.argv[1])
try:
    __import__(sys.argv[2].partition(".")[0])
except Exception:
    pass
import json
print("came through")
"""


def facts(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The document in parts, as (part, value); `imports` comes once for each import."""
    yield "probe", 1
    yield "interpreter", interpreter()
    yield "environment", {key: value for key, value in os.environ.items() if VARIABLES.match(key)}
    begin = start(settings)
    yield "start", begin
    scratch_folder = tempfile.TemporaryDirectory(prefix="cxr-check-")
    SCRATCH.append(scratch_folder.name)
    with scratch_folder as scratch, concurrent.futures.ThreadPoolExecutor(settings["jobs"]) as pool:
        # where nothing starts, nothing can be imported: the start is the finding
        wanted = settings["imports"] if begin["isolated"] or not begin["error"] else []
        flags = ["-I"] if begin["error"] else settings["flags"]
        running = Imports(dict(settings, imports=wanted, flags=flags), begin, pool, scratch)
        places = [path for path in begin["path"] if os.path.isdir(path)]
        yield "distributions", distributions(places, begin["foreign"])
        yield "leftovers", leftovers([place for place in places if place not in begin["foreign"]])
        yield "folder", folder()
        for item in running.results():
            yield "imports", item


def interpreter() -> dict[str, Any]:
    """What runs, and on what."""
    return {
        "executable": sys.executable,
        "version": ".".join(str(number) for number in sys.version_info[:3]),
        "full_version": sys.version.replace("\n", " "),
        "implementation": sys.implementation.name,
        "system": platform.system(),
        "machine": platform.machine(),
        "platform": platform.platform(),
        "macos": platform.mac_ver()[0],
        "rosetta": sysctl("sysctl.proc_translated") == "1"
        or (platform.machine() == "x86_64" and sysctl("hw.optional.arm64") == "1"),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "ssl": ssl_version(),
        "markers": markers(),
    }


def markers() -> dict[str, str]:
    """The variables of PEP 508 environment markers."""
    full = platform.python_version()
    return {
        "implementation_name": sys.implementation.name, "implementation_version": full, "os_name": os.name,
        "platform_machine": platform.machine(), "platform_release": platform.release(),
        "platform_system": platform.system(), "platform_version": platform.version(),
        "platform_python_implementation": platform.python_implementation(), "python_full_version": full,
        "python_version": ".".join(platform.python_version_tuple()[:2]), "sys_platform": sys.platform,
    }  # fmt: skip


def sysctl(name: str) -> str:
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.check_output(["/usr/sbin/sysctl", "-n", name], timeout=5).decode().strip()
    return ""


def ssl_version() -> str | None:
    with contextlib.suppress(ImportError):
        import ssl

        return ssl.OPENSSL_VERSION
    return None


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Where modules come from when the trainer runs, and what the interpreter says while it starts.

    It is started isolated as well: `foreign` are the places that only the working folder, PYTHON* variables or the
    user's site folder bring, and the environment is what is left without them.
    """
    found: dict[str, Any] = {"error": None, "stderr": "", "culprits": []}
    ended = child(["-B", *settings["flags"], "-c", START], START_SECONDS)
    alone = child(["-B", "-I", "-c", START], AGAIN_SECONDS)
    as_run, isolated = answer(ended["stdout"]), answer(alone["stdout"])
    if as_run is None:
        found["error"] = how_it_ended(ended, START_SECONDS)
    found["stderr"] = ended["stderr"][-4000:] or (alone["stderr"][-4000:] if as_run is None else "")
    found["isolated"] = isolated is not None
    found.update(as_run or isolated or {})
    if isolated is not None:
        found.update(
            {key: isolated[key] for key in ("prefix", "base_prefix", "purelib", "platlib", "stdlib")}
        )
    elif as_run is None:
        home = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
        library = os.path.join(home, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}")
        site = os.path.join(library, "site-packages")
        found.update(
            path=[site], prefix=home, base_prefix=sys.base_prefix, stdlib=os.path.dirname(os.__file__)
        )
        found.update(user_site="", user_site_used=False, purelib=site, platlib=site, culprits=culprits(site))
    found["path"] = [os.path.abspath(path or os.getcwd()) for path in found["path"]]
    found["foreign"] = foreign(found["path"], isolated["path"] if isolated else found["path"])
    found["ahead"] = ahead(found)
    found["hiding"] = hiding(found["ahead"], [path for path in found["path"] if path not in found["ahead"]])
    managed = os.path.join(found["stdlib"], "EXTERNALLY-MANAGED")
    found["managed"] = found["prefix"] == found["base_prefix"] and os.path.exists(managed)
    return found


def answer(output: str) -> dict[str, Any] | None:
    """What the marked line says. How the process ended does not matter then: the start came through."""
    _, mark, rest = output.rpartition(MARK)
    with contextlib.suppress(ValueError):  # it was cut off in the middle
        return dict(json.loads(rest.partition("\n")[0])) if mark else None
    return None


def culprits(site: str) -> list[str]:
    """Which of the files that `site` runs while the interpreter starts do not let it."""
    found = []
    names = sorted(os.listdir(site)) if os.path.isdir(site) else []
    for name in names:
        source = PTH if name.endswith(".pth") else CUSTOM if name == "sitecustomize.py" else ""
        if not source:
            continue
        ended = child(["-B", "-I", "-S", "-c", source, site, name], AGAIN_SECONDS)
        if THROUGH not in ended["stdout"]:
            found.append(os.path.join(site, name))
    return found


def foreign(path: list[str], isolated: list[str]) -> list[str]:
    """Places of the path that it has not got when isolated. The standard library has its place by any name."""
    own = {os.path.realpath(place) for place in isolated}
    return [
        place for place in path
        if os.path.realpath(place) not in own and not os.path.isfile(os.path.join(place, "os.py"))
        and not place.endswith((".zip", "lib-dynload"))
    ]  # fmt: skip


def ahead(found: dict[str, Any]) -> list[str]:
    """Folders of the path that are searched before the environment's: what lies there hides what is installed."""
    homes = tuple(os.path.join(os.path.realpath(found[key]), "") for key in ("prefix", "base_prefix"))
    sites = {os.path.realpath(found[key]) for key in ("purelib", "platlib", "user_site")}
    stdlib = os.path.realpath(found["stdlib"])
    first = []
    for path in found["path"]:
        place = os.path.realpath(path)
        packages = os.path.basename(place) in ("site-packages", "dist-packages")
        if place in sites or (packages and place.startswith(homes)):
            break
        if not (path.endswith(".zip") or place == stdlib or place.startswith(stdlib + os.sep)):
            first.append(path)
    return first


def hiding(first: list[str], rest: list[str]) -> dict[str, str]:
    """Modules in the folders `first` that there are in the others as well, with their files."""
    known: set[str] = set()
    for place in rest:
        known |= set(modules(place))
    return {name: file for place in reversed(first) for name, file in modules(place).items() if name in known}


def modules(place: str) -> dict[str, str]:
    """The modules and packages of a folder, with the files that an import of them runs."""
    found = {}
    for name in os.listdir(place) if os.path.isdir(place) else ():
        first = os.path.join(place, name, "__init__.py")
        if name.endswith(".py"):
            found[name[:-3]] = os.path.join(place, name)
        elif "." not in name and os.path.isfile(first):
            found[name] = first
    return found


def distributions(places: list[str], foreign_places: list[str]) -> list[dict[str, Any]]:
    """Every distribution that the path shows, in the order of the path, and whether it is none of the environment's."""
    found = []
    seen = set()
    for place in places:
        if os.path.realpath(place) in seen:
            continue
        seen.add(os.path.realpath(place))
        for name in os.listdir(place):  # in this order libraries are told of two versions
            # one that begins with a tilde is what an installer put aside, see `leftovers`
            if name.endswith((".dist-info", ".egg-info")) and not name.startswith("~"):
                found.append(dict(distribution(place, name), foreign=place in foreign_places))
    return found


def distribution(place: str, folder_name: str) -> dict[str, Any]:
    """What one metadata folder says; `problem` where it cannot be read."""
    path = os.path.join(place, folder_name)
    words = folder_name.rpartition(".")[0].split("-")
    item: dict[str, Any] = {"name": words[0], "version": "".join(words[1:2]), "folder": path, "place": place}
    item.update(
        problem=None, requires=[], requires_python=None, editable=False, missing=[], missing_count=0, tops=[]
    )
    try:
        one = importlib.metadata.PathDistribution(pathlib.Path(path))
        about: Any = one.metadata
        if not about or not about["Name"] or not about["Version"]:
            item["problem"] = "its METADATA has no name or version"
            return item
        item.update(name=about["Name"], version=about["Version"], requires_python=about["Requires-Python"])
        item["requires"] = one.requires or []
        item.update(recorded_files(place, one.read_text("RECORD")))
        checkout = checkout_of(place, folder_name, one.read_text("direct_url.json"))
        item["editable"] = checkout is not None
        if checkout:
            tops = (
                item["tops"]
                + (one.read_text("top_level.txt") or "").split()
                + [item["name"].replace("-", "_")]
            )
            item.update(checkout=checkout, code_version=code_version(checkout, tops))
    except Exception as error:  # whatever a damaged folder makes of it, it is this folder that is damaged
        item["problem"] = f"its metadata cannot be read ({type(error).__name__}: {error})"
    return item


def checkout_of(place: str, folder_name: str, direct: str | None) -> str | None:
    """The folder of source code that an editable installation links to; None for any other."""
    if direct:
        about = json.loads(direct)
        if not about.get("dir_info", {}).get("editable"):
            return None
        return urllib.parse.unquote(urllib.parse.urlparse(about.get("url", "")).path)
    # the older way leaves the metadata in the checkout, and puts that on the path
    packages = os.path.basename(place) in ("site-packages", "dist-packages")
    return place if folder_name.endswith(".egg-info") and not packages else None


def code_version(checkout: str, tops: list[str]) -> str | None:
    """The version that the source code says it is, read without running it."""
    for top in tops:
        for base in (os.path.join(checkout, "src"), checkout):
            for name in ("__init__.py", "_version.py", "version.py", "__version__.py"):
                with contextlib.suppress(OSError, ValueError):
                    with open(os.path.join(base, top, name), encoding="utf-8", errors="replace") as file:
                        said = re.search(
                            r"""^__version__\s*(?::\s*\w+\s*)?=\s*["']([^"']+)["']""", file.read(), re.M
                        )
                    if said:
                        return said.group(1)
    return None


def recorded_files(place: str, record: str | None) -> dict[str, Any]:
    """Recorded files that are not there (compiled ones and scripts do not count), and the modules recorded."""
    missing = []
    tops = set()
    folders: dict[str, set[str]] = {}
    for row in csv.reader((record or "").splitlines()):
        if not row or row[0].endswith(".pyc") or row[0].startswith("..") or os.path.isabs(row[0]):
            continue
        file = row[0].replace("\\", "/")
        folder_name, _, name = file.rpartition("/")
        if folder_name not in folders:  # one listing a folder is far cheaper than a look at each file
            try:
                folders[folder_name] = set(os.listdir(os.path.join(place, folder_name)))
            except OSError:
                folders[folder_name] = set()
        if name not in folders[folder_name]:
            missing.append(file)
        if not file.split("/")[0].endswith((".dist-info", ".data", ".libs", ".pth")):
            tops.add(file.split("/")[0].split(".")[0])
    return {"missing": missing[:20], "missing_count": len(missing), "tops": sorted(tops)}


def leftovers(places: list[str]) -> list[str]:
    """What an interrupted installer leaves behind: folders that begin with a tilde."""
    return [os.path.join(p, name) for p in places for name in sorted(os.listdir(p)) if name.startswith("~")]


def folder() -> dict[str, Any]:
    """The working folder, and what an unquoted `pip install name>=version` left in it."""
    try:
        here = os.getcwd()
        names = sorted(os.listdir(here))
    except OSError:
        return {"path": "", "redirected": []}
    written = [os.path.join(here, name) for name in names if re.match(r"=?\s*\d+(\.\w+)+(,.*)?$", name)]
    return {"path": here, "redirected": [file for file in written if os.path.isfile(file)]}


class Imports:
    """The imports, a few at a time; one whose base hung is not tried, nor one that needs a base that failed."""

    def __init__(
        self,
        settings: dict[str, Any],
        begin: dict[str, Any],
        pool: concurrent.futures.ThreadPoolExecutor,
        scratch: str,
    ) -> None:
        self._settings = settings
        self._begin = begin
        self._scratch = scratch
        self._pool = pool
        self._left = list(settings["imports"])
        self._hung: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._done: set[str] = set()
        self._running: dict[Any, dict[str, Any]] = {}
        self._fill()

    def results(self) -> Iterator[dict[str, Any]]:
        """How each import went, in the order in which they end."""
        while self._running or self._left:
            self._fill()
            yield from self._skipped()
            if not self._running:
                continue
            ready, _ = concurrent.futures.wait(self._running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ready:
                spec = self._running.pop(future)
                item = future.result()
                self._done.add(spec["id"])
                if item["outcome"] == "hang":
                    self._hung[spec["id"]] = spec["id"]
                if item["outcome"] != "ok":
                    self._failed[spec["id"]] = spec["id"]
                yield item

    def _fill(self) -> None:
        for spec in list(self._left):
            if len(self._running) == self._settings["jobs"]:
                break
            if self._bases(spec) <= self._done and not self._because(spec):
                self._left.remove(spec)
                self._running[self._pool.submit(self._both, spec)] = spec

    def _skipped(self) -> Iterator[dict[str, Any]]:
        for spec in list(self._left):
            because = self._because(spec)
            if because:
                self._left.remove(spec)
                self._done.add(spec["id"])
                self._hung[spec["id"]] = self._failed[spec["id"]] = because
                about = {"id": spec["id"], "module_name": spec["module"]}
                yield dict(about, outcome="skipped", because=because)

    def _bases(self, spec: dict[str, Any]) -> set[str]:
        return {one["id"] for one in self._settings["imports"]}.intersection(spec.get("after", []))

    def _because(self, spec: dict[str, Any]) -> str | None:
        """For which of its bases one is not tried, the first in its order."""
        needs_all = spec.get("if_well") and self._bases(spec) <= self._done
        stops = self._failed if needs_all else self._hung
        return next((stops[one] for one in spec.get("after", []) if one in stops), None)

    def _both(self, spec: dict[str, Any]) -> dict[str, Any]:
        """As the trainer would; where that fails or loads something from elsewhere, isolated as well."""
        item = self._import(spec, self._settings["flags"])
        if self._settings["flags"] != ["-I"] and (self._settings["both"] or self._may_differ(item)):
            item["isolated"] = self._import(spec, ["-I"])
        return item

    def _may_differ(self, item: dict[str, Any]) -> bool:
        if (
            item["outcome"] == "hang"
        ):  # to wait once more is worth it only where something is known to be in the way
            return bool(self._begin["hiding"])
        return item["outcome"] != "ok" or bool(item["outside"])

    def _import(self, spec: dict[str, Any], flags: list[str]) -> dict[str, Any]:
        result = os.path.join(self._scratch, "-".join([spec["id"], *flags]))
        limit = self._settings["limit"]
        arguments = [result, str(limit), spec["module"], spec.get("action", "")]
        ended = child(["-B", *flags, "-c", self._settings["import_source"], *arguments], limit + 5)
        item: dict[str, Any] = {"id": spec["id"], "module_name": spec["module"], "outside": {}}
        item["stderr"] = ended["stderr"][-20000:]  # a stack of a hundred frames
        mine = f"{result}.{ended['pid']}"  # one that forks may leave several
        try:
            with open(mine, encoding="utf-8") as file:
                item.update(ast.literal_eval(file.read()))
            os.unlink(mine)
        except (OSError, SyntaxError, ValueError):
            item.update(error=None, step="import", module=None, seconds=ended["seconds"], notes={})
            hung = ended["timeout"] or ended["flood"] or "Timeout (" in ended["stderr"]
            item["outcome"] = "hang" if hung else "died"
            item["how"] = how_it_ended(ended, limit)
            return item
        item["outcome"] = "failed" if item["error"] else "ok"
        item["outside"] = outside(item.pop("loaded"), self._begin["ahead"] + self._begin["foreign"])
        return item


def outside(loaded: dict[str, str], places: list[str]) -> dict[str, str]:
    """Top-level modules loaded from one of these places."""
    roots = {os.path.realpath(place) for place in places}
    return {name: file for name, file in loaded.items() if module_root(file) in roots}


def module_root(file: str) -> str:
    """The folder on the path that a top-level module's file belongs to."""
    folder = os.path.dirname(os.path.realpath(file))
    return os.path.dirname(folder) if os.path.basename(file).startswith("__init__.") else folder


def child(arguments: list[str], limit: float) -> dict[str, Any]:
    """Run this interpreter; a child that outlives its limit, or floods its output, is ended with all it started."""
    environment = {k: v for k, v in os.environ.items() if k != "__PYVENV_LAUNCHER__"}
    environment["PYTHONFAULTHANDLER"] = "1"
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            env=environment, start_new_session=True,
        )  # fmt: skip
        LIVE.add(process.pid)
        timeout = flood = False
        try:
            while not (timeout or flood):
                try:
                    process.wait(LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    timeout = time.monotonic() - began > limit
                    flood = sum(os.fstat(one.fileno()).st_size for one in (out, err)) > MOST_OUTPUT
            if flood:
                ask_for_stack(process)
        finally:
            end_group(process.pid)
            process.wait()
            LIVE.discard(process.pid)
        texts = []
        for stream in (out, err):
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 100000))
            texts.append(stream.read().decode("utf-8", "replace"))
    return {
        "pid": process.pid, "code": process.returncode, "timeout": timeout, "flood": flood,
        "seconds": round(time.monotonic() - began, 3),
        "stdout": texts[0], "stderr": texts[1],
    }  # fmt: skip


def ask_for_stack(process: Any) -> None:
    """The fault handler answers SIGABRT with the stack, on standard error."""
    process.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)


def end_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def end(number: int, frame: Any) -> None:
    """Asked to end: take along what was started, for it lives in sessions of its own."""
    for pid in list(LIVE):
        end_group(pid)
    for folder_name in SCRATCH:
        shutil.rmtree(folder_name, ignore_errors=True)
    os._exit(128 + number)


def end_with_asker() -> None:
    """Ends with whoever holds standard input open, however that one ended."""
    while os.read(0, 4096):
        pass
    end(signal.SIGTERM, None)


def how_it_ended(ended: dict[str, Any], limit: float) -> str:
    if ended["timeout"] or "Timeout (" in ended["stderr"]:
        return f"no answer within {limit:g} s"
    if ended["flood"]:
        return f"wrote more than {MOST_OUTPUT >> 20} MB, and went on"
    code = ended["code"]
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"killed by {name}"
    return f"ended with exit code {code} and no result"


def main() -> None:
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    lines = "--lines" in sys.argv
    given = [one for one in sys.argv[1:] if one.startswith("{")]
    settings = dict(DEFAULTS, **(json.loads(given[0]) if given else {}))
    if settings["nice"]:
        os.nice(settings["nice"])
    if settings["asked"]:
        threading.Thread(target=end_with_asker, daemon=True).start()
    document: dict[str, Any] = {"imports": []}
    for part, value in facts(settings):
        if lines:
            print(MARK + json.dumps({"part": part, "value": value}), flush=True)
        elif part == "imports":
            document["imports"].append(value)
        else:
            document[part] = value
    if not lines:
        print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
