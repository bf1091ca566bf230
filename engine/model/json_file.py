"""JSON of a model directory, which a stranger may have written."""

import json
from pathlib import Path
from typing import Any

from engine.errors import UserError

#: The index of the largest models has a tenth of this.
MAX_BYTES = 20_000_000


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file. Raises `UserError` where it holds none, `FileNotFoundError` where no file is."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: more than {MAX_BYTES:,} bytes; no such file of a model is so long")
    try:
        value = json.loads(content.decode("utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON (line {error.lineno}); fetch the file again") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); fetch the file again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; fetch the file again")
    return value
