"""What of the machine tells later why an engine ended: when it was started, and whom its kernel killed."""

from pathlib import Path

_VMSTAT = Path("/proc/vmstat")


def marks() -> dict[str, float]:
    """Kept with an attempt at its start: `booted` (seconds since the epoch) and `oom_kills`, where they are known."""
    kills = oom_kills()
    return {"booted": booted()} | ({} if kills is None else {"oom_kills": kills})


def booted() -> float:
    """When the machine was started, seconds since the epoch."""
    import psutil

    return psutil.boot_time()


def oom_kills() -> int | None:
    """Processes that the kernel has killed since its start because memory ran out; None where it does not say."""
    try:
        lines = _VMSTAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    counts = (line.split()[1] for line in lines if line.startswith("oom_kill "))
    return next((int(count) for count in counts), None)
