"""What the last words of an engine mean, in plain words, and what to do about it."""

from __future__ import annotations

import re

_KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"out of memory|OutOfMemoryError|can't allocate memory|Cannot allocate memory|std::bad_alloc|MemoryError",
        "The memory was not enough: a smaller batch_size with more accumulation takes less and trains the same; "
        "s on Flight goes on from the last checkpoint.",
    ),
    (
        r"ImpactingInteractivity|kIOGPUCommandBufferCallbackError",
        "macOS stopped the GPU work because the display was on: let the display sleep (pmset displaysleepnow), "
        "then s on Flight goes on.",
    ),
    (
        r"No space left on device|disk full|database or disk is full",
        "The disk is full: free some of it (old runs: 5), then s on Flight goes on from the last checkpoint.",
    ),
    (
        r"\bnot finite|\bnan\b.*loss|loss.*\bnan\b|non-finite",
        "The loss was no number any more: a lower learning_rate or max_grad_norm keeps it in bounds.",
    ),
    (
        r"No module named|cannot import name|DLL load failed|undefined symbol",
        "A package is missing or does not fit the others: build the environment anew (make .venv).",
    ),
    (
        r"^the engine ended without notice \(last state: \w+\)$",
        "It left no word, as a process does that is killed: by the system for want of memory, by a restart, or by "
        "hand. s on Flight goes on from the last checkpoint.",
    ),
)


def plain_words(error: str) -> str:
    """A sentence for a known failure, else an empty one."""
    return next((words for pattern, words in _KNOWN if re.search(pattern, error, re.IGNORECASE)), "")
