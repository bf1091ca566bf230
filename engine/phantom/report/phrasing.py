"""Filling phrase templates from a finding.

A template is a sentence without its full stop. `{name}` is replaced by a word of the finding, `{one|many}`
by the left part unless the finding is on both sides: "{degree} {side} pneumothora{x|ces}" becomes "small left
pneumothorax" or "small bilateral pneumothoraces".
"""

import random
import re
from collections.abc import Mapping, Sequence

from engine.phantom.patient.truth import Finding

_PLURAL = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")
_SLOT = re.compile(r"\{(\w+)\}")

#: What is most pressing comes first; within a label the order is that of `in_order`.
IMPORTANCE: tuple[str, ...] = (
    "Pneumothorax",
    "Edema",
    "Pneumonia",
    "Consolidation",
    "Lung Lesion",
    "Pleural Effusion",
    "Enlarged Cardiomediastinum",
    "Lung Opacity",
    "Atelectasis",
    "Cardiomegaly",
    "Fracture",
    "Pleural Other",
    "Support Devices",
)

_SIDES = {"left": "left", "right": "right", "both": "bilateral", None: ""}
_ON_SIDE = {"left": "on the left", "right": "on the right", "both": "on both sides", None: ""}
_LUNG = {"upper": "upper lobe", "mid": "mid lung", "lower": "lower lobe", None: "lung"}
_LEVEL = {"upper": "lung apex", "mid": "mid lung", "lower": "lung base", None: "lung"}
_LEVELS = {"upper": "lung apices", "mid": "mid lungs", "lower": "lung bases", None: "lungs"}


def pick(phrases: Sequence[str], rng: random.Random, dominance: float) -> str:
    """The first phrase with probability `dominance`, else one of the others."""
    if len(phrases) == 1 or rng.random() < dominance:
        return phrases[0]
    return rng.choice(phrases[1:])


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Clinical order: by label, then certain before uncertain, worst first, left before right."""
    return sorted(
        findings,
        key=lambda f: (
            IMPORTANCE.index(f.label),
            f.detail,
            not f.certain,
            -f.severity,
            f.side or "",
            f.zone or "",
        ),
    )


def fill(template: str, finding: Finding, words: Mapping[str, Sequence[str]]) -> str:
    """The template in the words of `finding`; `words` maps a slot to its mild, moderate and severe word."""
    many = finding.side == "both"
    slots = {name: by_severity[finding.severity - 1] for name, by_severity in words.items()}
    slots |= {
        "side": _SIDES[finding.side],
        "on_side": _ON_SIDE[finding.side],
        "place": _place(finding, _LUNG[finding.zone], _LUNG[finding.zone] + "s"),
        "level": _place(finding, _LEVEL[finding.zone], _LEVELS[finding.zone]),
        "zone": finding.zone or "",
        "apical": "apical" if finding.zone == "upper" else "",
    }
    text = template
    while _SLOT.search(text):  # a word may itself hold slots
        text = _SLOT.sub(lambda match: slots[match[1]], text)
    text = _PLURAL.sub(lambda match: match[2] if many else match[1], text)
    return re.sub(r"\s+", " ", text).replace(" ,", ",").strip()


def sentence(text: str) -> str:
    """`text` with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:] + "."


def _place(finding: Finding, one: str, many: str) -> str:
    if finding.side == "both":
        return f"both {many}"
    return f"the {finding.side} {one}" if finding.side else f"the {many}"
