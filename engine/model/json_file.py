"""JSON of a model directory, which a stranger may have written."""

import json
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.files.json_file import read_json


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file. Raises `UserError` where it holds none, `FileNotFoundError` where no file is."""
    try:
        value = read_json(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON (line {error.lineno}); fetch the file again") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); fetch the file again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not a JSON object; fetch the file again")
    return value
