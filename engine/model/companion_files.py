"""Everything of a model directory but its weights: files that are copied as they are, so only known names of its own.

A directory from a stranger may hold a link to anything on this machine; what is copied is about to be published.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from engine.errors import UserError
from engine.files.plain_file import NotPlain, open_plain

#: What transformers reads beside weights and their index.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    *TOKENIZER_FILES,
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
    "NOTICE.txt",
)
#: The largest tokenizer.json there is has a tenth of this.
MAX_BYTES = 200_000_000


def copy_files(source: Path, names: Iterable[str], out: Path) -> None:
    """Copy those of `names` that `source` has. Raises UserError where one leads out of it, or is no plain file."""
    for name in names:
        if os.path.lexists(source / name):
            (out / name).write_bytes(_content(own_file(source, name)))


def own_file(directory: Path, name: str) -> Path:
    """Where the file of that name really lies. Raises UserError if that is not in the model's own directory."""
    path = directory / name
    try:
        real, home = path.resolve(strict=True), directory.resolve()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: a link that leads nowhere ({reason}); put the file itself there") from None
    places = [home]
    if home.parent.name == "snapshots":  # the hub's cache keeps the files beside, and links to them
        places.append(home.parent.parent / "blobs")
    if not any(real.is_relative_to(place) for place in places):
        raise UserError(f"{path}: leads out of the model's directory, to {real}; put the file itself there")
    return real


def _content(path: Path) -> bytes:
    try:
        with open_plain(path, "rb", links=False) as file:
            content = bytes(file.read(MAX_BYTES + 1))
    except NotPlain as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: more than {MAX_BYTES:,} bytes; no such file of a model is so long")
    return content
