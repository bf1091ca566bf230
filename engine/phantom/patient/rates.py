"""How often phantom patients have which disease, and which findings the diseases bring.

Rare labels are deliberately more frequent than in MIMIC-CXR, so that a small model sees enough of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: Diseases that stay with a patient from study to study, side and zone included.
CHRONIC = (
    "heart_failure",
    "diabetes",
    "anemia",
    "atrial_fibrillation",
    "lung_tumour",
    "paced_heart",
    "pleural_scar",
)

_SICK = {
    "heart_failure": 0.30,
    "pneumonia": 0.31,
    "effusion": 0.17,
    "collapse": 0.17,
    "pneumothorax": 0.095,
    "rib_fracture": 0.085,
    "lung_tumour": 0.085,
    "pleural_scar": 0.073,
}
_EVERYBODY = {
    "paced_heart": 0.06,
    "diabetes": 0.22,
    "anemia": 0.20,
    "hyponatremia": 0.16,
    "kidney_injury": 0.17,
    "atrial_fibrillation": 0.14,
    "hyperkalemia": 0.12,
}
_ALONE = {
    "Cardiomegaly": 0.075,
    "Enlarged Cardiomediastinum": 0.10,
    "Edema": 0.047,
    "Consolidation": 0.045,
    "Lung Opacity": 0.085,
    "Pneumonia": 0.025,
    "Atelectasis": 0.065,
    "Pneumothorax": 0.017,
    "Fracture": 0.016,
    "Lung Lesion": 0.038,
    "Pleural Other": 0.015,
}


def _frozen(values: Mapping[str, float]) -> Mapping[str, float]:
    return MappingProxyType(dict(values))


@dataclass(frozen=True)
class Rates:
    """Probabilities that drive `sample_patients`.

    healthy: share of studies without any disease that shows in the picture (a pacemaker apart).
    sick: probability of each picture-showing disease in the other studies.
    everybody: probability of each remaining disease, before heart and kidney disease raise it.
    alone: probability, in studies that are not healthy, of a finding without a disease behind it.
    uncertain: probability that a finding is drawn faint and hedged, where another one stays certain.
    """

    healthy: float = 0.17
    sick: Mapping[str, float] = field(default_factory=lambda: _frozen(_SICK))
    everybody: Mapping[str, float] = field(default_factory=lambda: _frozen(_EVERYBODY))
    alone: Mapping[str, float] = field(default_factory=lambda: _frozen(_ALONE))
    uncertain: float = 0.14
