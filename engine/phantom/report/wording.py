"""What the reports of the phantom say: for every finding one usual phrasing and several rarer ones.

`usual[0]` and `doubtful[0]` are the dominant phrasings of the impression; the rest share what remains.
`described` serves the longer FINDINGS section. A phrase names its own finding only: no word in it is a
mention of another CheXpert label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.phantom.patient.truth import Finding

_SIZE = ("small", "moderate", "large")
_GRADE = ("mild", "moderate", "severe")


@dataclass(frozen=True, slots=True)
class Wording:
    """Templates of one kind of finding; `words` maps a slot to its mild, moderate and severe word."""

    usual: tuple[str, ...]
    doubtful: tuple[str, ...]
    described: tuple[str, ...]
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)


_FINDINGS: dict[str, Wording] = {
    "Pneumothorax": Wording(
        usual=(
            "{degree} {side} {apical} pneumothora{x|ces} with pleural air along the chest wall",
            "{a |}{degree} {side} pneumothora{x|ces} {is|are} present",
            "{degree} pneumothora{x|ces} {on_side}",
            "there {is a|are} {degree} {side} {apical} pneumothora{x|ces}",
        ),
        doubtful=(
            "questionable {degree} {side} {apical} pneumothora{x|ces}",
            "possible {degree} pneumothora{x|ces} {on_side}",
            "{a |}{degree} {side} pneumothora{x|ces} cannot be excluded",
        ),
        described=(
            "there {is a|are} {degree} {side} pneumothora{x|ces}, with air between lung and chest wall",
            "air is seen in the pleural space {on_side}, in keeping with {a |}{degree} pneumothora{x|ces}",
            "the {side} lung{ is|s are} separated from the ribs by {a |}{degree} pneumothora{x|ces}",
        ),
        words={"degree": _SIZE},
    ),
    "Edema": Wording(
        usual=(
            "{degree}",
            "{grade} pulmonary edema",
            "findings of {grade} pulmonary edema",
            "there is {grade} pulmonary vascular congestion with edema",
        ),
        doubtful=(
            "prominent perihilar vessels may represent {grade} pulmonary edema",
            "possible {grade} pulmonary edema",
            "{grade} pulmonary edema cannot be excluded",
        ),
        described=(
            "the pulmonary vessels are engorged and ill defined, in keeping with {grade} edema",
            "there is {grade} perihilar haze due to pulmonary edema",
            "{grade} pulmonary edema is seen in both lungs, more marked centrally",
        ),
        words={
            "degree": (
                "mild interstitial pulmonary edema",
                "moderate pulmonary edema with perihilar haze",
                "severe alveolar pulmonary edema throughout both lungs",
            ),
            "grade": _GRADE,
        },
    ),
    "Pneumonia": Wording(
        usual=(
            "{degree} pneumonia involving {place}",
            "findings consistent with pneumonia in {place}",
            "pneumonia of {place}, {degree} in extent",
            "{degree} infectious process in keeping with pneumonia in {place}",
        ),
        doubtful=(
            "pneumonia in {place} is suspected in the appropriate clinical setting",
            "possible early pneumonia in {place}",
            "pneumonia in {place} cannot be excluded",
        ),
        described=(
            "the appearance of {place} is that of {degree} pneumonia",
            "there is {degree} pneumonia in {place}",
            "findings in {place} are those of {degree} pneumonia",
        ),
        words={"degree": ("limited", "moderate", "extensive")},
    ),
    "Consolidation": Wording(
        usual=(
            "{degree} consolidation with air bronchograms in {place}",
            "{degree} consolidation of {place}",
            "there is {degree} consolidation in {place}",
            "{place} {shows|show} {degree} consolidation",
        ),
        doubtful=(
            "early consolidation in {place} cannot be excluded",
            "possible {degree} consolidation in {place}",
            "questionable {degree} consolidation within {place}",
        ),
        described=(
            "there is {degree} consolidation in {place}, with visible air bronchograms",
            "{degree} consolidation obscures the vessels of {place}",
            "within {place}, there is an area of {degree} consolidation",
        ),
        words={"degree": ("focal", "dense", "widespread")},
    ),
    "Lung Opacity": Wording(
        usual=(
            "{degree} opacit{y|ies} projecting over {place}",
            "{degree} opacit{y|ies} in {place}",
            "there {is an ill-defined opacity|are ill-defined opacities} in {place}, {extent} in extent",
            "{extent} airspace opacit{y|ies} within {place}",
        ),
        doubtful=(
            "vague opacity over {place} is possible and may be overlap of shadows",
            "possible {extent} opacit{y|ies} in {place}",
            "{a |}{extent} opacit{y|ies} in {place} cannot be excluded",
        ),
        described=(
            "there {is a|are} {degree} opacit{y|ies} over {place}",
            "{degree} opacit{y|ies} {is|are} seen in {place}",
            "the lungs show {a |}{degree} opacit{y|ies} in {place}",
        ),
        words={"degree": ("subtle hazy", "patchy", "extensive confluent"), "extent": _SIZE},
    ),
    "Lung Lesion/nodule": Wording(
        usual=(
            "{degree} pulmonary nodule{|s} in {place}, for which CT follow-up is recommended",
            "{degree} nodule{|s} in {place}",
            "there {is a|are} {degree} round nodule{|s} projecting over {place}",
            "{degree} pulmonary nodule{|s} within {place}; chest CT is advised",
        ),
        doubtful=(
            "possible {degree} nodule{|s} in {place}, which chest CT could confirm",
            "{a |}{degree} nodule{|s} in {place} cannot be excluded",
            "questionable {degree} nodular density in {place}",
        ),
        described=(
            "{a |}well-defined, {degree} nodule{|s} {is|are} seen in {place}",
            "there {is a|are} {degree} round nodule{|s} in {place}",
            "{a |}{degree} nodule{|s} project{s|} over {place}",
        ),
        words={"degree": ("small", "medium-sized", "sizable")},
    ),
    "Lung Lesion/mass": Wording(
        usual=(
            "{degree} mass{|es} in {place}; tissue sampling is advised",
            "{degree} {side} lung mass{|es}",
            "there {is a|are} {degree} mass{|es} within {place}",
            "{degree} mass{|es} occupying part of {place}, to be assessed by CT",
        ),
        doubtful=(
            "a mass in {place} is suspected, and CT is advised",
            "possible {degree} mass{|es} in {place}",
            "{a |}{degree} mass{|es} in {place} cannot be excluded",
        ),
        described=(
            "{a |}{degree} lobulated mass{|es} {is|are} seen in {place}",
            "there {is a|are} {degree} mass{|es} in {place}",
            "{place} {contains|contain} {a |}{degree} mass{|es}",
        ),
        words={"degree": ("small", "moderate-sized", "large")},
    ),
    "Pleural Effusion": Wording(
        usual=(
            "{degree} {side} pleural effusion{|s} {manner}",
            "{degree} {side} pleural effusion{|s}",
            "there {is a|are} {degree} pleural effusion{|s} {on_side}",
            "layering {side} pleural effusion{|s}, {degree} in size",
        ),
        doubtful=(
            "{a |}{degree} {side} pleural effusion{|s} cannot be excluded",
            "possible {degree} {side} pleural effusion{|s}",
            "{degree} pleural effusion{|s} {on_side} may be present",
        ),
        described=(
            "there {is a|are} {degree} {side} pleural effusion{|s}, {manner}",
            "{a |}{degree} layering pleural effusion{|s} {is|are} noted {on_side}",
            "pleural fluid is seen {on_side}, {degree} in amount",
        ),
        words={
            "degree": _SIZE,
            "manner": (
                "blunting the costophrenic angle{|s}",
                "obscuring the hemidiaphragm{|s}",
                "filling much of the hemithora{x|ces}",
            ),
        },
    ),
    "Enlarged Cardiomediastinum": Wording(
        usual=(
            "{degree} widening of the superior mediastinum",
            "{adverb} widened mediastinum",
            "the mediastinal contour is {adverb} widened",
            "widened mediastinal silhouette, {degree} in degree",
        ),
        doubtful=(
            "apparent mediastinal widening may be positional",
            "possible {degree} mediastinal widening",
            "{degree} mediastinal widening cannot be excluded",
        ),
        described=(
            "the upper mediastinum is {adverb} widened",
            "mediastinal contours are {adverb} wide",
            "there is {degree} widening of the mediastinal silhouette",
        ),
        words={"degree": _GRADE, "adverb": ("mildly", "moderately", "markedly")},
    ),
    "Atelectasis": Wording(
        usual=(
            "{degree} atelectasis at {level}",
            "{grade} {side} atelectasis",
            "there is {grade} atelectasis in {place}",
            "{grade} volume loss in {place} in keeping with atelectasis",
        ),
        doubtful=(
            "streaky densities at {level} may reflect atelectasis",
            "possible {grade} atelectasis in {place}",
            "{grade} {side} atelectasis may be present",
        ),
        described=(
            "{level} {shows|show} {degree} atelectasis",
            "{grade} atelectasis is noted in {place}",
            "aeration of {place} is reduced by {grade} atelectasis",
        ),
        words={"degree": ("linear", "platelike bands of", "marked volume loss and"), "grade": _GRADE},
    ),
    "Cardiomegaly": Wording(
        usual=(
            "{degree}",
            "{grade} cardiomegaly",
            "the heart is {adverb} enlarged",
            "{adverb} enlarged cardiac silhouette",
        ),
        doubtful=(
            "heart size may be {adverb} increased",
            "possible {grade} cardiomegaly",
            "{grade} cardiomegaly cannot be excluded",
        ),
        described=(
            "the cardiac silhouette is {adverb} enlarged",
            "heart size is {adverb} increased",
            "there is {grade} cardiomegaly",
        ),
        words={
            "degree": (
                "heart size is mildly enlarged",
                "moderate cardiomegaly is noted",
                "severe cardiomegaly with a globular heart shadow",
            ),
            "grade": _GRADE,
            "adverb": ("mildly", "moderately", "severely"),
        },
    ),
    "Fracture": Wording(
        usual=(
            "{degree}",
            "{number} {side} rib fracture{plural}",
            "{number} fracture{plural} of the {side} ribs",
            "{number} broken rib{plural} {on_side}, in keeping with fracture",
        ),
        doubtful=(
            "cortical irregularity of {a |}{side} rib{|s} raises the question of possible fracture",
            "possible {side} rib fracture{plural}",
            "{side} rib fracture{plural} cannot be excluded",
        ),
        described=(
            "{number} {side} rib fracture{plural} {verb} seen",
            "the {side} {zone} ribs show {number} displaced fracture{plural}",
            "there {verb} {number} fracture{plural} of the {side} ribs",
        ),
        words={
            "degree": (
                "displaced fracture of one {side} {zone} rib",
                "two adjacent displaced {side} {zone} rib fractures",
                "multiple displaced fractures of {side} {zone} ribs",
            ),
            "number": ("one", "two", "multiple"),
            "plural": ("", "s", "s"),
            "verb": ("is", "are", "are"),
        },
    ),
    "Pleural Other": Wording(
        usual=(
            "{degree} thickening of the {side} {zone} pleura, chronic in appearance",
            "{degree} {side} pleural thickening",
            "{side} pleural thickening, {degree} in degree",
            "chronic {side} {zone} pleural thickening of {degree} extent",
        ),
        doubtful=(
            "possible {side} pleural thickening",
            "{side} pleural thickening may be present",
            "{degree} thickening of the {side} pleura cannot be excluded",
        ),
        described=(
            "there is {degree} pleural thickening {on_side}",
            "the {side} pleura is thickened, {degree} in degree",
            "{degree} {side} pleural thickening follows the {zone} lateral ribs",
        ),
        words={"degree": _GRADE},
    ),
}

_DEVICES: dict[str, tuple[str, ...]] = {
    "pacemaker": (
        "{side} pectoral pacemaker in situ, leads intact",
        "{side} chest wall pacemaker with intact leads",
        "pacemaker generator {on_side}",
        "{side}-sided pacemaker noted",
    ),
    "picc": (
        "{side} PICC reaches the superior vena cava",
        "{side} upper extremity PICC in place",
        "PICC inserted {on_side}",
        "{side} PICC noted",
    ),
    "central_line": (
        "{side} internal jugular central venous catheter in standard position",
        "{side} jugular central venous catheter in place",
        "central venous catheter inserted {on_side}",
        "{side} central venous catheter noted",
    ),
    "endotracheal_tube": (
        "endotracheal tube ends above the carina",
        "endotracheal tube in place",
        "the patient is intubated, with the endotracheal tube in the trachea",
        "endotracheal tube in standard position",
    ),
    "enteric_tube": (
        "enteric tube passes below the diaphragm into the stomach",
        "enteric tube extends to the stomach",
        "nasogastric tube in place",
        "enteric tube noted",
    ),
    "chest_tube": (
        "{side} thoracostomy chest tube remains within the pleural space",
        "{side} chest tube in place",
        "chest tube {on_side}",
        "{side} thoracostomy tube noted",
    ),
}

_DEVICE_DOUBT = ("possible {name} {on_side}", "{name} {on_side} may be present")


def wording(finding: Finding) -> Wording:
    """The templates of a finding. Raises KeyError for a label or detail that the phantom does not know."""
    if finding.label != "Support Devices":
        kind = f"{finding.label}/{finding.detail}" if finding.label == "Lung Lesion" else finding.label
        return _FINDINGS[kind]
    name = finding.detail.replace("_", " ")
    phrases = _DEVICES[finding.detail]
    return Wording(
        usual=phrases,
        doubtful=_DEVICE_DOUBT,
        described=phrases,
        words={"name": (name, name, name)},
    )
