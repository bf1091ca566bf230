"""The most memory this process or its device has taken, measured as a plan reckons it."""

import resource
import sys
import threading
from types import TracebackType
from typing import Self

import psutil
import torch

#: Seconds between two looks at a device that keeps no peak of its own.
LOOK_SECONDS = 0.05


class PeakMemory:
    """Bytes beyond what was there at the beginning of the `with`, at most: of the process on a CPU, else of the device.

    On a CPU it is the growth of the resident set over the level after imports, pages of mapped files included.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._base = psutil.Process().memory_info().rss
        self._seen = 0
        self._over = threading.Event()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        elif self._device.type == "mps":  # it has no peak of its own
            self._watch = threading.Thread(target=self._look, daemon=True, name="peak memory")
            self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._watch:
            self._watch.join()

    @property
    def bytes(self) -> int:
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_reserved(self._device))
        if self._device.type == "mps":
            return self._seen
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - self._base

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._seen = max(self._seen, int(torch.mps.driver_allocated_memory()))
