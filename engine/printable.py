"""Text that others wrote, made safe to print: a terminal obeys nothing in it."""


def printable(text: str) -> str:
    """The text with everything that a terminal might obey replaced; line ends stay."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def one_line(text: str) -> str:
    """Printable and on one line, whatever a report, a path or a log put into it."""
    return printable(" ".join(text.split()))
