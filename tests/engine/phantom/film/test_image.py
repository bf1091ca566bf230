"""Phantom films: the same bytes every time, and signs that show on the right side of the right place."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.phantom.film.image import Style, jpeg, render
from engine.phantom.patient.sampling import sample_patients
from engine.phantom.patient.truth import Finding, PatientTruth, Severity, StudyTruth

#: One fixed geometry and exposure, so that regions lie at the same place in every film.
STILL = Style(
    aspect=(1.0, 1.0),
    scale=(1.0, 1.0),
    shift=(0.0, 0.0),
    tilt=(0.0, 0.0),
    exposure=(0.0, 0.0),
    contrast=(1.0, 1.0),
    equalise=(0.0, 0.0),
    noise=(0.0, 0.0),
)
SIZE = 256
PATIENTS = sample_patients(8, seed=4)


def film(patient: PatientTruth, *findings: Finding, style: Style = STILL) -> NDArray[np.int64]:
    study = replace(patient.studies[0], findings=findings, view="PA")
    return render(study, patient, SIZE, style).astype(np.int64)


def sick(patient: PatientTruth, *findings: Finding) -> NDArray[np.int64]:
    """How much brighter each pixel is than on the same patient's film without the findings."""
    return film(patient, *findings) - film(patient)


def box(picture: NDArray[np.int64], rows: tuple[float, float], columns: tuple[float, float]) -> float:
    """Mean over a box given in shares of the picture."""
    height, width = picture.shape
    part = picture[
        int(rows[0] * height) : int(rows[1] * height), int(columns[0] * width) : int(columns[1] * width)
    ]
    return float(part.mean())


#: Where a side's lung lies in a film of style STILL (columns); the patient's left is the picture's right.
COLUMNS = {"left": (0.68, 0.84), "right": (0.16, 0.32)}
OTHER = {"left": "right", "right": "left"}


def test_the_same_film_has_the_same_bytes_in_any_thread() -> None:
    jobs = [(study, patient) for patient in PATIENTS[:6] for study in patient.studies]
    alone = [jpeg(render(study, patient, 128)) for study, patient in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: jpeg(render(job[0], job[1], 128)), jobs[::-1]))
    assert together[::-1] == alone
    assert len(set(alone)) == len(alone)


@pytest.mark.parametrize("size", [96, 128, 256, 512])
def test_the_longer_side_has_the_size_asked_for(size: int) -> None:
    for patient in PATIENTS[:4]:
        picture = render(patient.studies[0], patient, size)
        assert picture.dtype == np.uint8
        assert max(picture.shape) == size
        assert 0.80 <= picture.shape[0] / picture.shape[1] <= 1.24
        assert np.percentile(picture, 2) < 60
        assert np.percentile(picture, 98) > 200


def test_a_size_too_small_to_show_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 64 pixels"):
        render(PATIENTS[0].studies[0], PATIENTS[0], 32)


def test_the_jpeg_is_a_grey_picture_close_to_the_film() -> None:
    picture = render(PATIENTS[0].studies[0], PATIENTS[0], SIZE)
    with Image.open(BytesIO(jpeg(picture))) as stored:
        assert stored.format == "JPEG"
        assert stored.mode == "L"
        assert np.abs(np.asarray(stored).astype(int) - picture).mean() < 2


def test_the_base_style_develops_other_films() -> None:
    patient = PATIENTS[0]
    study: StudyTruth = patient.studies[0]
    assert jpeg(render(study, patient, 128, Style.for_base())) != jpeg(render(study, patient, 128))


@pytest.mark.parametrize("patient", PATIENTS[:3])
@pytest.mark.parametrize("side", ["left", "right"])
def test_effusion_fills_the_base_of_its_side(patient: PatientTruth, side: str) -> None:
    low = [
        box(sick(patient, Finding("Pleural Effusion", s, side)), (0.50, 0.70), COLUMNS[side])
        for s in Severity
    ]
    assert low[0] < low[1] < low[2]
    assert low[1] > 3
    assert low[2] > 40
    moderate = sick(patient, Finding("Pleural Effusion", Severity.MODERATE, side))
    assert abs(box(moderate, (0.50, 0.70), COLUMNS[OTHER[side]])) < 1


@pytest.mark.parametrize("patient", PATIENTS[:3])
@pytest.mark.parametrize("side", ["left", "right"])
def test_pneumothorax_darkens_the_outer_upper_lung_of_its_side(patient: PatientTruth, side: str) -> None:
    change = sick(patient, Finding("Pneumothorax", Severity.MODERATE, side, "upper"))
    columns = (0.70, 0.78) if side == "left" else (0.22, 0.30)
    mirror = (0.22, 0.30) if side == "left" else (0.70, 0.78)
    assert box(change, (0.22, 0.30), columns) < -6
    assert abs(box(change, (0.22, 0.30), mirror)) < 1


@pytest.mark.parametrize("patient", PATIENTS[:3])
def test_the_heart_grows_with_its_severity(patient: PatientTruth) -> None:
    changed = [
        int((sick(patient, Finding("Cardiomegaly", s))[110:170] > 20).sum())
        for s in (1, 2, 3)
        for s in [Severity(s)]
    ]
    assert 150 < changed[0] < changed[1] < changed[2]


@pytest.mark.parametrize("patient", PATIENTS[:3])
def test_a_wide_mediastinum_is_wide_above_the_heart_only(patient: PatientTruth) -> None:
    change = sick(patient, Finding("Enlarged Cardiomediastinum", Severity.SEVERE))
    assert box(change, (0.20, 0.34), (0.36, 0.66)) > 5
    assert box(change, (0.20, 0.34), (0.36, 0.66)) > 3 * box(change, (0.50, 0.62), (0.36, 0.66))


@pytest.mark.parametrize("label", ["Consolidation", "Pneumonia", "Lung Opacity", "Lung Lesion"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_opacities_brighten_the_lung_of_their_side_only(label: str, side: str) -> None:
    for patient in PATIENTS[:3]:
        change = sick(
            patient, Finding(label, Severity.SEVERE, side, "mid", "mass" if label == "Lung Lesion" else "")
        )
        half = (0.5, 1.0) if side == "left" else (0.0, 0.5)
        other = (0.0, 0.5) if side == "left" else (0.5, 1.0)
        assert box(change, (0.25, 0.65), half) > 1.5
        assert abs(box(change, (0.25, 0.65), other)) < 0.1


@pytest.mark.parametrize("label", ["Consolidation", "Pneumonia", "Lung Opacity"])
def test_opacities_lie_in_their_zone(label: str) -> None:
    for patient in PATIENTS[:3]:
        rows = np.arange(SIZE)
        middles = []
        for zone in ("upper", "mid", "lower"):
            change = np.clip(sick(patient, Finding(label, Severity.MODERATE, "right", zone)), 0, None).sum(
                axis=1
            )
            middles.append(float((change * rows).sum() / change.sum()))
        assert middles[0] + 8 < middles[1] < middles[2] - 8


def test_edema_clouds_both_lungs_around_the_hila() -> None:
    for patient in PATIENTS[:3]:
        change = sick(patient, Finding("Edema", Severity.MODERATE, "both"))
        assert box(change, (0.35, 0.55), (0.25, 0.38)) > 12
        assert box(change, (0.35, 0.55), (0.64, 0.76)) > 12


@pytest.mark.parametrize(
    "finding",
    [
        Finding("Atelectasis", Severity.MODERATE, "left", "lower"),
        Finding("Pleural Other", Severity.MODERATE, "left", "upper"),
        Finding("Fracture", Severity.MODERATE, "left", "mid"),
        Finding("Support Devices", Severity.MODERATE, "left", None, "pacemaker"),
        Finding("Support Devices", Severity.MODERATE, "left", None, "chest_tube"),
        Finding("Support Devices", Severity.MODERATE, "left", None, "picc"),
    ],
    ids=lambda f: f.detail or f.label,
)
def test_every_other_sign_is_plain_on_its_side(finding: Finding) -> None:
    for patient in PATIENTS[:3]:
        change = np.abs(sick(patient, finding))
        left, right = change[:, SIZE * 56 // 100 :], change[:, : SIZE * 44 // 100]
        assert (left > 25).sum() > 40
        assert (left > 25).sum() > 3 * (right > 25).sum()


@pytest.mark.parametrize("kind", ["endotracheal_tube", "enteric_tube", "central_line"])
def test_lines_down_the_middle_are_bright(kind: str) -> None:
    change = sick(PATIENTS[0], Finding("Support Devices", Severity.MODERATE, None, None, kind))
    assert (change > 25).sum() > 40
    assert change.min() > -3


def test_uncertain_signs_are_fainter() -> None:
    for label, zone in [("Pleural Effusion", None), ("Pneumonia", "lower"), ("Lung Opacity", "mid")]:
        plain = Finding(label, Severity.MODERATE, "left", zone)
        patient = PATIENTS[1]
        faint = np.abs(sick(patient, replace(plain, certain=False))).sum()
        assert 0.2 < faint / np.abs(sick(patient, plain)).sum() < 0.8
