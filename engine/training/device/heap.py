"""How the C library's heap treats a step's tensors on a CPU."""

import ctypes
import platform
from pathlib import Path

#: Bytes of weights from which it matters what the heap holds beside them.
LARGE_BASE = 64_000_000
#: glibc's M_MMAP_THRESHOLD (malloc.h), and its initial value, which it otherwise raises to 32 MB by and by.
_M_MMAP_THRESHOLD = -3
_THRESHOLD = 128 * 1024


def gives_back(base: Path) -> bool:
    """Whether a run on this CPU with the model in `base` would give every tensor's memory back as it ends."""
    size = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    return platform.libc_ver()[0] == "glibc" and size >= LARGE_BASE


def give_back_at_once() -> None:
    """From here on every tensor has pages of its own, and they go back to the system with it.

    Left alone, glibc keeps them in a heap full of holes: after a few steps of a model of 50 or 200 million parameters
    the process held 1.4 to 1.7 times as much, more on one day than on another. The price is a page fault for every
    page: steps took 1.4 to 1.6 times as long on two cores (huge pages, `THP_MEM_ALLOC_ENABLE`, changed nothing).
    """
    if not ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _THRESHOLD):
        raise OSError("mallopt refused M_MMAP_THRESHOLD")
