"""What is told when the cockpit itself fails: where in the code, and nothing of what it held.

Textual prints every local variable of every frame; here those are reports and records of patients.
"""

import sys
import traceback

from rich.text import Text


def crash_note() -> Text:
    """Of the exception that is being handled: its type, the places it came through, that engines go on."""
    kind, _, trace = sys.exc_info()
    places = [
        f"  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(trace, limit=-8)
    ]
    name = kind.__name__ if kind else "an unknown error"
    return Text(
        "\n".join(
            (
                f"The cockpit ended because of an error of its own ({name}):",
                *places,
                "A running engine goes on; `cxr-cockpit` opens the app again.",
            )
        )
    )
