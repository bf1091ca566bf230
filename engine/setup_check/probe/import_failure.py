"""Reading a failed import: who is involved, which line tells, what came from an unexpected place."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from engine.setup_check.probe.facts import Distribution, Facts, Import
from engine.setup_check.probe.stack import STACK
from engine.setup_check.versions import canonical

# Modules whose distribution bears another name.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "google": "protobuf",
    "rouge_score": "rouge-score",
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "attr": "attrs",
    "dateutil": "python-dateutil",
    "charset_normalizer": "charset-normalizer",
    "pkg_resources": "setuptools",
}
_WORDS = {
    "torch": ("torch", "PyTorch", "libtorch"),
    "numpy": ("numpy", "NumPy", "Numpy"),
    "pillow": ("PIL", "Pillow", "pillow"),
    "huggingface-hub": ("huggingface_hub", "huggingface-hub"),
}
_STACK_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A file outside the environment that took a module's place."""

    module: str
    file: str

    @property
    def path(self) -> str:
        """The module's file, or its folder where it is a package."""
        return os.path.dirname(self.file) if Path(self.file).stem == "__init__" else self.file

    @property
    def folder(self) -> str:
        """The folder on the path."""
        return os.path.dirname(self.path)

    def place(self, facts: Facts) -> str:
        """What is to be taken away: a single file of the working folder, else the whole folder from the path."""
        return self.path if self.folder == facts.folder.get("path") else self.folder


def words_for(package: str) -> tuple[str, ...]:
    """Names under which messages speak of a package."""
    return _WORDS.get(package, (package, package.replace("-", "_")))


def distribution_for(module: str) -> str:
    """The distribution that brings a module, by the custom that both bear one name."""
    top = module.partition(".")[0]
    return DISTRIBUTIONS.get(top, canonical(top))


def telling_line(one: Import) -> str:
    """The one line that says most: the innermost exception, or how the process ended and where."""
    if one.root:
        message = one.root.message.strip().splitlines()
        # numpy and torch put their reason at the end of a page of advice
        line = next((text for text in message if "Original error" in text or "Reason" in text), None)
        if one.root.type == "SystemExit" and one.stderr.strip():  # it has said why before it left
            line = f"{message[0] if message else ''}, {one.stderr.strip().splitlines()[-1][:200]}"
        return f"{one.root.type}: {(line or (message[0] if message else '')).strip()}"[:400]
    where = stack_file(one.stderr)
    fatal = re.search(r"^Fatal Python error: .*$", one.stderr, re.MULTILINE)
    said = fatal.group(0) if fatal and one.outcome != "hang" else ""
    parts = [one.how or one.outcome, said, f"in {where}" if where else ""]
    if not fatal and not where and one.stderr.strip():
        parts.append(one.stderr.strip().splitlines()[-1][:200])
    return ", ".join(part for part in parts if part)


def stack_file(stderr: str) -> str | None:
    """The innermost file of a stack that the fault handler wrote, the import machinery left out."""
    begin = max(stderr.rfind("Timeout ("), stderr.rfind("Fatal Python error"))
    if begin < 0:
        return None
    main = stderr.find("(most recent call first)", begin)
    for file, line in _STACK_FRAME.findall(stderr[main if main > 0 else begin :]):
        if not file.startswith("<"):
            return f"{file}:{line}"
    return None


def frames(one: Import) -> list[str]:
    """The files that the failure runs through, the innermost first."""
    found = [frame[0] for link in reversed(one.chain) for frame in reversed(link.frames)]
    return list(dict.fromkeys([*found, *stack_files(one.stderr)]))


def stack_files(stderr: str) -> list[str]:
    """The files of every stack that was written there."""
    return [file for file, _ in _STACK_FRAME.findall(stderr) if not file.startswith("<")]


def involved(one: Import, facts: Facts) -> list[str]:
    """The packages of a failure by canonical name: what is spoken of, who speaks, whose trial it is."""
    names: list[str] = []
    root = one.root
    if root and root.type in ("ImportError", "ModuleNotFoundError") and root.name:
        names.append(distribution_for(root.name))
    for file in frames(one)[:6]:
        owner = facts.owner(file)
        if owner:
            names.append(owner.key)
    trial = next((trial for trial in STACK if trial.id == one.id), None)
    names.append(canonical(trial.package) if trial else canonical(one.id))
    return list(dict.fromkeys(names))


def importer(one: Import, facts: Facts) -> Distribution | None:
    """The package whose import statement failed."""
    return facts.owner(one.root.frames[-1][0]) if one.root and one.root.frames else None


def shadow(one: Import, facts: Facts) -> Shadow | None:
    """The file that lies before the environment on the path and is behind a failure, if one is."""
    if one.outcome == "skipped":
        return None
    if one.outside:
        spoken = _text_of(one)
        ordered = sorted(
            one.outside.items(), key=lambda item: (item[1] not in frames(one), item[0] not in spoken)
        )
        name, file = ordered[0]
        if (one.isolated is not None and one.isolated.ok) or file in frames(one) or name in spoken:
            return Shadow(name, file)
    # A module whose import failed is no longer among the loaded ones; the failure still runs through its file.
    foreign = [file for file in frames(one) if _is_outside(file, facts)]
    if foreign:
        return Shadow(_module_name(foreign[0]), foreign[0])
    return _hidden(one, facts) if one.isolated is not None and one.isolated.ok else None


def _hidden(one: Import, facts: Facts) -> Shadow | None:
    """A package ahead of the environment that was refused before it was imported; it hides one that works."""
    places = _outside_places(facts)
    spoken = _text_of(one)
    for package in facts.distributions:
        name = package.key
        if package.place in places and any(word in spoken for word in words_for(name)):
            module = next((top for top in package.tops if canonical(top) == name), name.replace("-", "_"))
            return Shadow(module, str(Path(package.place) / module))
    if one.root is None:  # it ended without a word: what could it have been?
        return next((Shadow(*item) for item in facts.start.get("hiding", {}).items()), None)
    return None


def _text_of(one: Import) -> str:
    return " ".join(f"{link.message} {link.path or ''}" for link in one.chain)


def _is_outside(file: str, facts: Facts) -> bool:
    """Whether a file is a module or a package's first file in a folder outside the environment."""
    path = Path(file)
    places = [Path(root) for root in _outside_places(facts)]
    return any(
        path.parent == root or (path.parent.parent == root and path.stem == "__init__") for root in places
    )


def _outside_places(facts: Facts) -> list[str]:
    return [*facts.start.get("ahead", ()), *facts.start.get("foreign", ())]


def _module_name(file: str) -> str:
    path = Path(file)
    return path.parent.name if path.stem == "__init__" else path.stem
