"""Numbers of things in words: one step, two steps."""


def counted(number: int, noun: str, several: str = "") -> str:
    """`1 step`, `1,332 steps`; `several` is the plural where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"
