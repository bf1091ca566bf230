"""The 14 CheXpert labels of a text."""

from collections.abc import Sequence

from engine.data.labeler.mentions import NEGATIVE, POSITIVE, UNCERTAIN, Mention, mentions, statuses
from engine.data.labels import LABELS

NO_FINDING = "No Finding"
_DEVICES = "Support Devices"
#: What counts most of a label's mentions.
_ORDER = (POSITIVE, UNCERTAIN, NEGATIVE)


def label(text: str) -> dict[str, int | None]:
    """1 positive, -1 uncertain, 0 negative, None not mentioned, for each of the 14 labels.

    No Finding is 1 or None: 1 where nothing but devices is positive or uncertain, findings without a label included.
    """
    return labels_of(mentions(text), any(character.isalpha() for character in text))


def labels_of(found: Sequence[Mention], says_something: bool = True) -> dict[str, int | None]:
    """The same from the mentions. says_something: a text without a word has no label at all."""
    told: dict[str, set[int]] = {}
    for name, status in statuses(found):
        told.setdefault(name, set()).add(status)
    labels: dict[str, int | None] = {
        name: next((status for status in _ORDER if status in told.get(name, ())), None) for name in LABELS
    }
    abnormal = any(told[name] - {NEGATIVE} for name in told if name not in (_DEVICES, NO_FINDING))
    labels[NO_FINDING] = POSITIVE if says_something and not abnormal else None
    return labels
