"""Pictures as sixels: bands of six pixel rows, one grey after the other."""

from __future__ import annotations

from itertools import groupby

GREYS = 24
BAND = 6


def encode(grey: bytes, width: int, height: int) -> str:
    """`width` × `height` bytes of grey as a sixel sequence, in 24 greys."""
    import numpy as np

    levels = np.frombuffer(grey, np.uint8).reshape(height, width).astype(np.uint16) * GREYS // 256
    palette = "".join(
        f"#{n};2;{v};{v};{v}" for n, v in ((n, round(100 * n / (GREYS - 1))) for n in range(GREYS))
    )
    bands = []
    for top in range(0, height, BAND):
        band = levels[top : top + BAND]
        weights = (1 << np.arange(len(band), dtype=np.uint16))[:, None]
        lines = []
        for level in np.unique(band):
            bits = ((band == level) * weights).sum(axis=0) + 63
            lines.append(f"#{level}{_runs(bits.astype(np.uint8).tobytes().decode('ascii'))}")
        bands.append("$".join(lines))
    return f'\x1bP0;1;0q"1;1;{width};{height}{palette}{"-".join(bands)}\x1b\\'


def _runs(line: str) -> str:
    """The line with repeats counted."""
    parts = []
    for char, run in groupby(line):
        count = sum(1 for _ in run)
        parts.append(char * count if count < 4 else f"!{count}{char}")
    return "".join(parts)
