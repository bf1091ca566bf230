"""Child processes that may never answer, and may not want to end."""

import queue
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Any

#: Seconds without a word after which a child counts as hanging; what it does between two takes a few on a slow CPU.
SILENCE = 180.0

#: Seconds for a child to end by itself once it is asked to.
PATIENCE = 5.0


def end(process: subprocess.Popen[Any], patience: float = PATIENCE) -> None:
    """Ask it to end; one that does not is killed."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def lines(stream: IO[str], silence: float) -> Iterator[str | None]:
    """Lines as they come; None, and nothing after it, where none came for `silence` seconds."""
    arrived: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            arrived.put(line)
        arrived.put(None)

    threading.Thread(target=read, name="listener", daemon=True).start()
    while True:
        try:
            line = arrived.get(timeout=silence)
        except queue.Empty:
            yield None
            return
        if line is None:
            return
        yield line
