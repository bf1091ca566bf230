"""Variables that torch reads once, when it is imported. This module imports no torch."""

from collections.abc import MutableMapping

HIGH, LOW = "PYTORCH_MPS_HIGH_WATERMARK_RATIO", "PYTORCH_MPS_LOW_WATERMARK_RATIO"
FALLBACK = "PYTORCH_ENABLE_MPS_FALLBACK"

#: Shares of the memory that Metal recommends. Left unset, torch allows 1.7 times as much, which is more than the
#: machine has: a job that is too large then swaps for hours, where it should end with a message.
HIGH_WATERMARK, LOW_WATERMARK = 1.0, 0.9


def prepare_environment(variables: MutableMapping[str, str]) -> None:
    """Set what MPS needs before torch is imported; what the user has set stays.

    An operator that MPS lacks falls back to the CPU. A low watermark above the high one would make torch refuse MPS
    altogether, so the one that is not set follows the one that is.
    """
    variables.setdefault(FALLBACK, "1")
    high, low = _number(variables.get(HIGH)), _number(variables.get(LOW))
    if high is None and low is None:
        variables[HIGH], variables[LOW] = str(HIGH_WATERMARK), str(LOW_WATERMARK)
    elif high is None and low is not None:
        variables[HIGH] = str(max(low, HIGH_WATERMARK))
    elif low is None and high:  # a high one of 0 means no limit, and none of the low one
        variables[LOW] = str(min(high, LOW_WATERMARK))


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
