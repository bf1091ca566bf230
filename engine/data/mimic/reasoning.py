"""The clinical reasoning of a stage B target: what the film shows, and which values are out of range.

It goes no further than the values themselves: a diagnosis that nobody wrote down is not made up here.
"""

from engine.data.mimic.ehr_context import EhrContext

_MOST_VALUES = 8


def reasoning(impression: str, context: EhrContext) -> str:
    """The impression, then a sentence on the abnormal values, or that there is none among the measured."""
    return " ".join(part for part in (_sentence(impression), _values(context)) if part)


def _values(context: EhrContext) -> str:
    named = [f"{name} is {value.mark} at {value}" for name, value in context.abnormal()][:_MOST_VALUES]
    if not named:
        return "Measured values are within normal limits." if context.measured() else ""
    *first, last = named
    return _sentence(f"{', '.join(first)} and {last}" if first else last)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
