"""What a run reads from outside its directory, pinned when it begins: with another curriculum, film or base under its
feet it would be another experiment, and its curves those of none.

`inputs.json` in the run's directory holds a digest of each sample, the size of each film, and a digest of each file of
the base model. Digests tell that something changed, and of what; they give no text away.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.config import RunConfig
from engine.data.curriculum import Sample, read_curriculum
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.files.temporary import write_private
from engine.words.plural import counted

#: What of a base directory decides what is trained: weights, their layout, the tokenizer, how films are prepared.
KINDS = (".safetensors", ".bin", ".json", ".model", ".txt", ".jinja")
#: A larger file is not read as a whole: its size, its ends and some blocks between stand for it.
WHOLE, BLOCK, BLOCKS = 64_000_000, 1_000_000, 16


@dataclass(frozen=True)
class Inputs:
    """samples: id → digest. films: path under the image root → bytes. base: file → digest."""

    samples: Mapping[str, str]
    films: Mapping[str, int]
    base: Mapping[str, str]


def inputs_of(config: RunConfig, samples: Sequence[Sample]) -> Inputs:
    """What the run would read now. A film that is not there is left out: lost films are counted where films are read.

    Raises `UserError` where the base model's files cannot be read.
    """
    films: dict[str, int] = {}
    for image in {sample.image for sample in samples}:
        try:
            films[image] = (config.data.image_root / image).stat().st_size
        except OSError:
            continue
    return Inputs({one.id: _digest_of(one) for one in samples}, films, _base(config.base_directory))


def pin(path: Path, inputs: Inputs) -> None:
    """Write what the run began with. Raises OSError that names `path`."""
    write_private(path, [json.dumps(asdict(inputs), sort_keys=True, separators=(",", ":")), "\n"])


def pinned(path: Path) -> Inputs | None:
    """What the run began with; None where it began before that was kept. Raises `UserError`."""
    try:
        with open_plain(path, "r", encoding="utf-8") as file:
            raw: Any = json.load(file)
        return Inputs(
            {str(name): str(digest) for name, digest in raw["samples"].items()},
            {str(image): int(size) for image, size in raw["films"].items()},
            {str(name): str(digest) for name, digest in raw["base"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path}: what the run began with cannot be read ({type(error).__name__}); "
            "--accept-changes goes on with what is there now"
        ) from error


def differences(began: Inputs, now: Inputs) -> list[str]:
    """What is not as it was, in words that name the first of each kind; empty where all is."""
    both = (
        began.films.keys() & now.films.keys()
    )  # lost films are counted elsewhere, another film is another sample
    found = [
        _difference("sample", began.samples, now.samples),
        _difference(
            "film", {image: began.films[image] for image in both}, {image: now.films[image] for image in both}
        ),
        _difference("file", began.base, now.base, "of the base model"),
    ]
    return [line for line in found if line]


def refuse_changes(path: Path, config: RunConfig) -> None:
    """Raises `UserError` if the run would go on with other inputs than it began with, in one line that says which."""
    began = pinned(path)
    if began is None or not config.data.curriculum.is_file():
        return  # nothing to hold against, or it will be said that the curriculum is gone
    if changed := differences(began, inputs_of(config, read_curriculum(config.data.curriculum))):
        raise UserError(
            f"{path.parent.name}: not what it began with: {'; '.join(changed)}. Put it back and resume, "
            "or go on all the same with --accept-changes"
        )


def _difference(kind: str, began: Mapping[str, object], now: Mapping[str, object], of: str = "") -> str:
    gone, new = began.keys() - now.keys(), now.keys() - began.keys()
    changed = {name for name in began.keys() & now.keys() if began[name] != now[name]}
    parts = [
        f"{counted(len(names), kind)}{f' {of}' if of else ''} {verb}, {'e.g. ' if len(names) > 1 else ''}{min(names)}"
        for names, verb in ((changed, "changed"), (gone, "gone"), (new, "new"))
        if names
    ]
    return ", ".join(parts)


def _digest_of(sample: Sample) -> str:
    return _hash([json.dumps(asdict(sample), sort_keys=True).encode()])


def _base(directory: Path) -> dict[str, str]:
    try:
        files = sorted(path for path in directory.rglob("*") if path.suffix in KINDS and path.is_file())
        return {path.relative_to(directory).as_posix(): _file_digest(path) for path in files}
    except OSError as error:
        raise UserError(f"{error.filename or directory}: cannot be read: {error.strerror}") from error


def _file_digest(path: Path) -> str:
    with open_plain(path, "rb") as file:
        size = file.seek(0, 2)
        if size <= WHOLE:
            file.seek(0)
            return _hash([file.read()])
        parts = [str(size).encode()]
        for block in range(BLOCKS):
            file.seek((size - BLOCK) * block // (BLOCKS - 1))
            parts.append(file.read(BLOCK))
        return _hash(parts)


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
