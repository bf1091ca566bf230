"""The 14 CheXpert labels, in the column order of MIMIC-CXR-JPG's label files, and what -1 among them counts as."""

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

#: What an uncertain label (-1) counts as: left out of every count, negative, or positive (CheXpert, arXiv 1901.07031).
UNCERTAIN_POLICIES: tuple[str, ...] = ("ignore", "zeros", "ones")
DEFAULT_POLICY = "zeros"


def positives(labels: Mapping[str, int | None] | None, policy: str = DEFAULT_POLICY) -> tuple[str, ...]:
    """The labels that count as positive, in their fixed order; an unreadable line, None, has none.

    Under "ones" the uncertain ones do, too.
    """
    wanted = (1, -1) if policy == "ones" else (1,)
    return tuple(name for name in LABELS if labels and labels.get(name) in wanted)
