"""Text that others wrote, made safe to print: a terminal obeys nothing in it."""

#: Characters of a message; somebody is to read it, and a hostile file can make it as long as itself.
MAX_MESSAGE = 2_000


def printable(text: str) -> str:
    """The text with everything that a terminal might obey replaced; line ends stay."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        one if one.isprintable() or one == "\n" else " " if one == "\t" else "\ufffd" for one in text
    )


def one_line(text: str) -> str:
    """Printable and on one line, whatever a report, a path or a log put into it."""
    return printable(" ".join(text.split()))


def clean_line(text: str) -> str:
    """The text on one line: every run of white space is one blank, control and format characters are gone."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def as_line(text: str) -> str:
    """The same with every blank where it was: a line that is laid out in columns."""
    return printable(text).replace("\n", "\ufffd")


def message(text: str) -> str:
    """One line of a length that somebody reads; of a longer one the middle is left out, and counted."""
    line = one_line(text)
    if len(line) <= MAX_MESSAGE:
        return line
    head, tail = MAX_MESSAGE * 2 // 3, MAX_MESSAGE // 4
    return f"{line[:head]} … ({len(line) - head - tail:,} characters left out) … {line[-tail:]}"
