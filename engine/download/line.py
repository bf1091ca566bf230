"""What a line or a server does to a request, and whether trying again may help."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Silence on the line after which a request counts as lost.
SILENCE_SECONDS = 30.0


class Lost(Exception):
    """The line or the server failed in a way that may pass.

    after: seconds the server asks to wait, None where it says nothing.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class PastTheEnd(Lost):
    """The server has fewer bytes than are here: the part is of something else."""


def may_pass(status: int) -> bool:
    """Whether an HTTP status is one that trying again may change."""
    return status in (408, 425, 429) or status >= 500


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number or a date; None where it says nothing."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
