"""A report's file as text: UTF-8, and Windows-1252 where it is none."""

WINDOWS = "report in Windows-1252 and not UTF-8: read as such"
UNDEFINED = "report with bytes that no encoding knows: each replaced by \N{REPLACEMENT CHARACTER}"


def decode(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The text, its lines ended by one line feed as Python reads text, and what is worth counting."""
    reasons: tuple[str, ...] = ()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text, reasons = content.decode("cp1252", errors="replace"), (WINDOWS,)
        if "\N{REPLACEMENT CHARACTER}" in text:
            reasons += (UNDEFINED,)
    return text.replace("\r\n", "\n").replace("\r", "\n"), reasons
