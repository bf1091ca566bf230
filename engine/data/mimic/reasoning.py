"""The clinical reasoning of a stage B target: what the film shows, which values are out, what speaks for the codes.

It goes no further than the rows themselves: a diagnosis that nobody coded is not made up here, and every sentence keeps
the rows that it stands on.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.data.mimic.diagnoses import Diagnosis
from engine.data.mimic.ehr_context import EhrContext, Measurement
from engine.files.yaml_file import read_yaml

# Together they keep the answer about as long as eight values alone would be.
_MOST_VALUES = 8
_FEWER_A_DIAGNOSIS = 2
_MOST_DIAGNOSES = 3
_MOST_EVIDENCE = 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """sources: the rows, or the section of the report, that it stands on."""

    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """See reasoning_rules.yaml."""

    group: str
    findings: tuple[str, ...]
    evidence: tuple[str, ...]


@cache
def rules() -> Mapping[str, Rule]:
    """The rules by group."""
    entries = read_yaml(Path(__file__).with_name("reasoning_rules.yaml"))
    found = [Rule(entry["group"], tuple(entry["findings"]), tuple(entry["evidence"])) for entry in entries]
    return {rule.group: rule for rule in found}


def reasoning(
    impression: Sentence, findings: Mapping[str, str], context: EhrContext, diagnoses: Sequence[Diagnosis]
) -> list[Sentence]:
    """The impression, the other values out of range (or that all are within), and what speaks for the codes.

    findings: the positive labels, each with its source. A value that speaks for a code is told there alone.
    """
    groups = dict.fromkeys(diagnosis.group for diagnosis in diagnoses)
    supported: list[Sentence] = []
    told: set[str] = set()
    for group in groups:
        evidence = _evidence(group, context)
        sentence = _support(group, findings, evidence, diagnoses)
        if sentence is not None and len(supported) < _MOST_DIAGNOSES:
            supported.append(sentence)
            told |= evidence.keys()
    said = [Sentence(_closed(impression.text), impression.sources)]
    return said + _values(context, told, _MOST_VALUES - _FEWER_A_DIAGNOSIS * len(supported)) + supported


def _values(context: EhrContext, told: Set[str], most: int) -> list[Sentence]:
    """On the first values out of range that are not told elsewhere, or that there is none at all."""
    if context.all_normal():
        measured = [*context.vitals.values(), *context.labs.values()]
        return [Sentence("Measured values are within normal limits.", _sources(measured))]
    abnormal = [(name, value) for name, value in context.abnormal() if name not in told][:most]
    if not abnormal:
        return []
    named = [f"{name} is {value.mark} at {value}" for name, value in abnormal]
    return [Sentence(_closed(_listed(named)), _sources(value for _, value in abnormal))]


def _evidence(group: str, context: EhrContext) -> dict[str, Measurement]:
    """The values out of range that the group's rule names."""
    wanted = rules()[group].evidence if group in rules() else ()
    found = {}
    for name, value in context.abnormal():
        marks = ("high", "low") if value.mark == "abnormal" else (value.mark,)
        if any(f"{name} {mark}" in wanted for mark in marks):
            found[name] = value
    return dict(list(found.items())[:_MOST_EVIDENCE])


def _support(
    group: str,
    findings: Mapping[str, str],
    evidence: Mapping[str, Measurement],
    diagnoses: Sequence[Diagnosis],
) -> Sentence | None:
    """ "Edema and high NT-proBNP speak for heart failure." None without a rule, or where nothing of it is there."""
    named = rules()[group].findings if group in rules() else ()
    shown = {name.lower(): findings[name] for name in named if name in findings}
    shown |= {f"{value.mark} {name}": value.source for name, value in evidence.items()}
    if shown.keys() <= {group}:  # nothing, or the diagnosis by its own name
        return None
    one = len(shown) == 1 and not next(iter(shown)).endswith("s")
    text = f"{_listed([*shown])} {'speaks' if one else 'speak'} for {group}."
    coded = tuple(diagnosis.source for diagnosis in diagnoses if diagnosis.group == group)
    return Sentence(f"{text[0].upper()}{text[1:]}", (*shown.values(), *coded, f"rule: {group}"))


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _sources(measurements: Iterable[Measurement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(measurement.source for measurement in measurements if measurement.source))


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
