"""What lies in a model directory and is neither a file nor a directory."""

from pathlib import Path

from engine.errors import UserError
from engine.files.plain_file import special_entry


def refuse_special_files(directory: Path) -> None:
    """transformers opens by name whatever it knows of, and at a pipe it waits for ever. Raises `UserError`."""
    try:
        odd = special_entry(directory)
    except OSError as error:
        raise UserError(f"{directory}: cannot be read: {error.strerror}") from None
    if odd:
        raise UserError(f"{odd}: neither a file nor a directory; take it out of the model's directory")
