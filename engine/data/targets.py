"""How an answer is written down: prose, and below it the one line that machines read."""

from collections.abc import Iterable, Mapping

from engine.data.icd import dotted
from engine.data.labels import DEFAULT_POLICY, positive_names

LABEL_PREFIX = "CheXpert:"
#: Stands in a label line where no label is positive: that nothing was found is a label of its own.
NO_LABEL = "none"
ICD_PREFIX = "ICD:"


def label_line(labels: Mapping[str, int | None], policy: str = DEFAULT_POLICY) -> str:
    """ "CheXpert: Edema, Pleural Effusion": the labels positive under `policy`, in their fixed order, else "none"."""
    return f"{LABEL_PREFIX} {', '.join(positive_names(labels, policy)) or NO_LABEL}"


def icd_line(diagnoses: Iterable[tuple[str, str]]) -> str:
    """ "ICD: I50.9 Heart failure; J90 Pleural effusion" from pairs of code ("10:I509") and title."""
    entries = [f"{dotted(code)} {one_line(title).replace(';', ',')}".rstrip() for code, title in diagnoses]
    return f"{ICD_PREFIX} {'; '.join(entries)}"


def one_line(text: str) -> str:
    """The text on one line: every run of white space is one blank, control and format characters are gone."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
