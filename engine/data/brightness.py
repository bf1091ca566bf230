"""How values of 12, 14, 16 or more bits become 8: between two percentiles, not between two pixels.

The rule: a share of the darkest and of the brightest pixels is cut off, what is between them is spread evenly over
0…255. So it does not matter how many of the container's bits the detector fills, which of them, or whether one
pixel is hot. Values of 8 bits are never touched: they are what somebody has chosen already.
"""

from typing import Any

import numpy as np
import numpy.typing as npt


def to_eight_bits(
    values: npt.NDArray[Any], cut: float, white_is_zero: bool = False
) -> tuple[npt.NDArray[np.uint8], float, float]:
    """The pixels as 0…255, and the values that became black and white. Black throughout if all are the same.

    values: any shape, finite. cut: share of the pixels that is cut off at each end. white_is_zero: whether small values
    are bright.
    """
    flat = values.ravel()
    low, high = _limits(flat, int(cut * flat.size))
    if low == high:  # all but a few pixels are the same: those few are the picture
        low, high = _limits(flat, 0)
    scaled: npt.NDArray[Any] = values.astype(np.float32 if values.itemsize <= 2 else np.float64)
    np.clip(scaled, low, high, out=scaled)
    scaled -= low
    if high > low:
        scaled *= 255.0 / (high - low)
        if white_is_zero:
            scaled = 255.0 - scaled
    pixels = np.rint(scaled).astype(np.uint8)
    return (pixels, high, low) if white_is_zero else (pixels, low, high)


def _limits(flat: npt.NDArray[Any], cut: int) -> tuple[float, float]:
    """The smallest and largest value once `cut` pixels are gone at each end."""
    if cut == 0:
        return float(flat.min()), float(flat.max())
    ordered = np.partition(flat, (cut, flat.size - 1 - cut))
    return float(ordered[cut]), float(ordered[-1 - cut])
