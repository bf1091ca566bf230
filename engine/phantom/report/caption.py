"""General descriptions of phantom films, and what they show as a vector: for pre-training a base model.

The captions tell the truth of the reports in other words and any order, without sections, labels or codes.
"""

from engine.data.labels import LABELS
from engine.phantom.draws import stream
from engine.phantom.patient.truth import Finding, PatientTruth, Severity, StudyTruth
from engine.phantom.report.phrasing import fill

DEVICES = ("pacemaker", "picc", "central_line", "endotracheal_tube", "enteric_tube", "chest_tube")

_WITH_SIDE = (
    "Atelectasis",
    "Consolidation",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
)
_WITH_ZONE = ("Atelectasis", "Consolidation", "Lung Lesion", "Lung Opacity", "Pneumonia")
_WITH_SEVERITY = tuple(label for label in LABELS if label not in ("No Finding", "Support Devices"))

#: Names of the attributes, in a fixed order: each label, its sides, its zones, its mild, severe and uncertain
#: form, each kind of device.
ATTRIBUTES: tuple[str, ...] = (
    *LABELS,
    *(f"{label}/{side}" for label in _WITH_SIDE for side in ("left", "right")),
    *(f"{label}/{zone}" for label in _WITH_ZONE for zone in ("upper", "mid", "lower")),
    *(f"{label}/mild" for label in _WITH_SEVERITY),
    *(f"{label}/severe" for label in _WITH_SEVERITY),
    *(f"{label}/uncertain" for label in _WITH_SEVERITY),
    "Lung Lesion/mass",
    *(f"Support Devices/{device}" for device in DEVICES),
)


def attributes(study: StudyTruth) -> dict[str, bool]:
    """What the film shows, keyed by ATTRIBUTES and in their order; a finding on both sides sets both."""
    shown = {name for finding in study.findings for name in _names(finding)}
    if all(finding.label == "Support Devices" for finding in study.findings):
        shown.add("No Finding")
    return {name: name in shown for name in ATTRIBUTES}


def _names(finding: Finding) -> list[str]:
    sides = ("left", "right") if finding.side == "both" else (finding.side,)
    marks = [*sides, finding.zone, finding.detail]
    if finding.severity != Severity.MODERATE:
        marks.append(finding.severity.name.lower())
    if not finding.certain:
        marks.append("uncertain")
    return [finding.label, *(f"{finding.label}/{mark}" for mark in marks)]


_AMOUNT = ("small", "medium", "large")
_STRENGTH = ("slight", "definite", "very strong")
_WORDS = {
    "amount": _AMOUNT,
    "strength": _STRENGTH,
    "adverb": ("slightly", "definitely", "very strongly"),
    "count": ("one", "two", "several"),
    "many": ("", "s", "s"),
    "is": ("is", "are", "are"),
}

_PHRASES: dict[str, tuple[str, ...]] = {
    "Pneumothorax": (
        "free air has gathered beside the {sided} lung{|s} {apical_place}, {amount} amount",
        "a dark rim without lung markings, {amount}, lies {on_side} {apical_place}",
        "the lung {on_side} has come off the chest wall {apical_place}, {amount} gap",
        "{amount} pocket of air outside the lung {on_side} {apical_place}",
    ),
    "Edema": (
        "the lungs are wet, {strength}, with blurred vessels spreading from the centre",
        "{strength} bat-wing haze around both hila",
        "fluid has leaked into the lung tissue on both sides, {strength}",
        "swollen blurred vessels in both lungs, {strength} congestion",
    ),
    "Pneumonia": (
        "{strength} cloudy patch of lung infection in {area}",
        "{area} {looks|look} infected, {strength}",
        "infection clouds {area}, {strength}",
        "an infected {strength} cloud sits in {area}",
    ),
    "Consolidation": (
        "{area} {is|are} airless and white with dark branching airways, {strength}",
        "solid white lung in {area}, {strength}, the bronchi stand out dark",
        "{strength} solid whitening with visible bronchi in {area}",
    ),
    "Lung Opacity": (
        "{strength} grey veil over {area}",
        "a hazy shadow, {strength}, covers {area}",
        "{area} {is|are} {adverb} clouded",
        "unclear {strength} shadowing in {area}",
    ),
    "Lung Lesion/nodule": (
        "{amount} round spot in {area}",
        "a coin-like {amount} spot lies in {area}",
        "{area} {holds|hold} a round {amount} spot",
    ),
    "Lung Lesion/mass": (
        "{amount} lump in {area}",
        "a big tumour-like lump in {area}, {amount}",
        "{area} {holds|hold} a {amount} solid lump",
    ),
    "Pleural Effusion": (
        "there is fluid at the base of the {sided} pleural space{|s}, {amount} amount",
        "{amount} pool of fluid under the {sided} lung{|s}",
        "water has collected {on_side} at the bottom of the chest, {amount} amount",
        "the {sided} lower corner{|s} of the chest {is|are} filled by fluid, {amount} amount",
    ),
    "Enlarged Cardiomediastinum": (
        "the middle of the chest above the heart is {adverb} broad",
        "{strength} broadening of the central shadow above the heart",
        "the upper central shadow is {adverb} wide",
    ),
    "Atelectasis": (
        "{strength} bands of squeezed lung in {area}",
        "{area} {has|have} lost air, {strength}, with band-like streaks",
        "{strength} shrinkage with streaks in {area}",
    ),
    "Cardiomegaly": (
        "the heart is {adverb} big",
        "a big heart, {strength}",
        "the heart shadow is {adverb} too wide",
    ),
    "Fracture": (
        "{count} broken {sided} rib{many} in the {zone} part of the rib cage",
        "{count} rib{many} {is} broken {on_side}, {zone} chest",
        "{count} crack{many} with a step through the {sided} ribs, {zone} chest",
    ),
    "Pleural Other": (
        "{strength} thick rind along the {sided} chest wall, {zone} part",
        "the lining of the {sided} lung is {adverb} thick in its {zone} part",
        "an old {strength} rind lines the chest wall {on_side}, {zone} part",
    ),
    "Support Devices/pacemaker": (
        "a box-like pacer with leads under the {sided} collarbone",
        "pacing box {on_side} with wires to the heart",
        "a metal heart pacer sits {on_side}",
    ),
    "Support Devices/picc": (
        "a thin arm catheter comes from {on_side} and ends near the heart",
        "long thin catheter from the {sided} arm",
        "a fine arm line {on_side}",
    ),
    "Support Devices/central_line": (
        "a neck catheter {on_side} runs down beside the spine",
        "catheter from the {sided} side of the neck",
        "a neck vein line {on_side}",
    ),
    "Support Devices/endotracheal_tube": (
        "a breathing tube lies in the windpipe",
        "breathing tube in the midline of the neck and upper chest",
        "the windpipe holds a breathing tube",
    ),
    "Support Devices/enteric_tube": (
        "a feeding tube goes down into the stomach",
        "stomach tube in the midline, passing under the diaphragm",
        "a long feeding tube runs down the middle",
    ),
    "Support Devices/chest_tube": (
        "a drain lies in the {sided} side of the chest",
        "chest drain {on_side}",
        "a thick drainage hose enters {on_side}",
    ),
}
_NORMAL = (
    "nothing wrong is seen",
    "the lungs are clear and the heart has a usual size",
    "a healthy chest",
    "both lungs are well aired, heart and ribs are unremarkable",
)
_UNSURE = ("perhaps ", "not sure: ", "faintly, ", "uncertain, but ")
_OPENINGS = (
    "Frontal chest film, {view}.",
    "{view} picture of the chest.",
    "A chest X-ray, {view} projection.",
    "Chest film of a {who}, {view}.",
)


def write_caption(study: StudyTruth, patient: PatientTruth, rng_seed: int) -> str:
    """One description of the film; another `rng_seed` words and orders it differently."""
    rng = stream(study.seed, "caption", rng_seed)
    parts = [
        ("" if finding.certain else rng.choice(_UNSURE))
        + fill(rng.choice(_PHRASES[_kind(finding)]), finding, _WORDS | _extra(finding))
        for finding in study.findings
    ]
    if all(finding.label == "Support Devices" for finding in study.findings):
        parts.append(rng.choice(_NORMAL))
    rng.shuffle(parts)
    who = {"M": "man", "F": "woman"}[patient.sex]
    opening = rng.choice(_OPENINGS).format(view=study.view, who=who)
    body = "; ".join(parts)
    return f"{opening} {body[:1].upper()}{body[1:]}."


def _kind(finding: Finding) -> str:
    return f"{finding.label}/{finding.detail}" if finding.detail else finding.label


def _extra(finding: Finding) -> dict[str, tuple[str, str, str]]:
    """Words of the captions' own, the same for every severity."""
    level = {"upper": "top of ", "mid": "middle of ", "lower": "bottom of ", None: ""}[finding.zone]
    if finding.side == "both":
        area = f"the {level}both lungs" if level else "both lungs"
    else:
        area = f"the {level}the {finding.side} lung" if level else f"the {finding.side} lung"
    sided = "left and right" if finding.side == "both" else finding.side or ""
    words = {
        "area": area,
        "sided": sided,
        "apical_place": "at the top" if finding.zone == "upper" else "",
    }
    return {name: (word, word, word) for name, word in words.items()}
