"""Other programs are looked for where the system and the user have put them, never in the directory one is in.

An empty or relative entry of PATH, and Python's own habit of putting the working directory first, would run what lies
there by chance: in a directory of somebody else's, whatever they named `cat` or `re.py`.
"""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager


def leave_out_working_directory(environment: MutableMapping[str, str]) -> None:
    """Drop what leads there from PATH, and from PYTHONPATH its empty entries; children inherit that."""
    if "PATH" in environment:
        entries = filter(os.path.isabs, environment["PATH"].split(os.pathsep))
        environment["PATH"] = (
            os.pathsep.join(entries) or os.defpath
        )  # an empty one means the working directory
    if "PYTHONPATH" in environment:
        entries = filter(None, environment["PYTHONPATH"].split(os.pathsep))
        environment["PYTHONPATH"] = os.pathsep.join(entries)


@contextmanager
def safe_python_children() -> Iterator[None]:
    """Python processes that begin within have no working directory on their path.

    Those of `multiprocessing` get no option for that unless this process has it, which an installed script has not.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before
