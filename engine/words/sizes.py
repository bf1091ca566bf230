"""Bytes as people read them, by one rule: memory in GiB (2³⁰ bytes), as systems and PyTorch count it; what lies on a
disk or comes over a line in GB (10⁹ bytes), as drives and hubs do. JSON always has bytes."""

KIB = 1024
MIB = 1024**2
GIB = 1024**3


def in_memory(count: float) -> str:
    """`164.2 GiB`, `7.80 GiB`, `740 MiB`, `3 KiB`."""
    if count >= 99.95 * GIB:
        return f"{count / GIB:,.1f} GiB"
    if count >= GIB:
        return f"{count / GIB:.2f} GiB"
    return f"{count / MIB:.0f} MiB" if count >= MIB else f"{count / KIB:.0f} KiB"


def on_disk(count: float) -> str:
    """`15.13 GB`, `4.2 MB`, `830 kB`, `12 B`."""
    for unit, size, places in (("GB", 10**9, 2), ("MB", 10**6, 1), ("kB", 10**3, 0)):
        if count >= size:
            return f"{count / size:.{places}f} {unit}"
    return f"{count:.0f} B"
