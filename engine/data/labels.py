"""The 14 CheXpert labels, in the column order of MIMIC-CXR-JPG's label files."""

from collections.abc import Mapping

LABELS: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)

#: The five labels of the CheXpert competition, the second averaging set of the field.
LABELS_5: tuple[str, ...] = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")


def positives(labels: Mapping[str, int | None] | None) -> tuple[str, ...]:
    """The names that are 1, in their fixed order; an unreadable line, None, has none."""
    return tuple(name for name in LABELS if labels and labels.get(name) == 1)
