"""Whether a sample's texts say what its labels and codes say, and hold nothing that was never text."""

import re
from collections.abc import Callable, Iterator, Mapping

from engine.data.answers import read_answer
from engine.data.curriculum import Sample
from engine.data.labels import UNCERTAIN_POLICIES, positives
from engine.stages import stage_of

#: Reads labels from a text: 1, 0, -1 or None by name.
Labeler = Callable[[str], Mapping[str, int | None]]

_BLANK = re.compile(r"(?<![\w/])(?:nan|NaN|NAN|None|NULL|null|<NA>|NaT)(?![\w/])")
_PLACEHOLDER = re.compile(
    r"\{[a-z_]*\}|\[(?:REPORT|IMPRESSION|FINDINGS|TEXT|INSERT[^\]]*|TODO)\]|lorem ipsum|\bTODO\b", re.I
)
_POINTER = re.compile(
    r"(?:as|see|please see|same as) (?:above|below|findings|the findings|report)[.:;]?", re.I
)
_SHORTEST = 2


def text_findings(sample: Sample, label: Labeler | None = None) -> Iterator[str]:
    """The kinds of what is wrong with the sample's texts. label: reads the answer; without one nothing is compared."""
    labels_line = stage_of(sample.stage).line == "labels"
    if labels_line:
        prose, kinds = _labelled(sample)
    else:
        prose, kinds = _coded(sample)
    yield from kinds
    written = f"{sample.prompt}\n{prose}"
    if _BLANK.search(written):
        yield "blank-as-text"
    if _PLACEHOLDER.search(written):
        yield "placeholder"
    if "___" in prose:
        yield "removed-information"
    if len(prose.split()) < _SHORTEST:
        yield "no-text"
    if _POINTER.fullmatch(prose.strip()):
        yield "refers-elsewhere"
    if label is not None and labels_line and _contradicts(sample.labels, label(prose)):
        yield "labels-against-text"


def _labelled(sample: Sample) -> tuple[str, list[str]]:
    parsed = read_answer(sample.target, "labels")
    said = None if parsed.labels is None else {name for name, value in parsed.labels.items() if value}
    kinds = []
    if said is None or not any(
        said == set(positives(sample.labels, policy)) for policy in UNCERTAIN_POLICIES
    ):
        kinds.append("label-line")
    if said and "No Finding" in said and sample.labels.get("No Finding") != 1:
        kinds.append("no-finding-claimed")
    if set(positives(sample.labels)) - {"Support Devices"} > {"No Finding"}:
        kinds.append("no-finding-beside")
    return parsed.prose, kinds


def _coded(sample: Sample) -> tuple[str, list[str]]:
    parsed = read_answer(sample.target, "icd", sample.icd)
    kinds = [] if set(parsed.icd or ()) == set(sample.icd) else ["icd-line"]
    return parsed.prose, kinds if sample.icd else [*kinds, "no-codes"]


def _contradicts(given: Mapping[str, int | None], read: Mapping[str, int | None]) -> bool:
    """Whether one says present and the other absent."""
    return any({value, read.get(name)} == {0, 1} for name, value in given.items())
