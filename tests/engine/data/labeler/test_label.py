"""What is said of each label: every text is made up, the labels as a radiologist reads it."""

import pytest

from engine.data.labeler.label import label
from engine.data.labels import LABELS

P, N, U = 1, 0, -1


def said(text: str) -> dict[str, int]:
    return {name: value for name, value in label(text).items() if value is not None}


def one(text: str, name: str) -> int | None:
    return label(text)[name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No pneumothorax.", {"Pneumothorax": N}),
        ("There is no evidence of pneumonia.", {"Pneumonia": N}),
        ("Without pneumothorax.", {"Pneumothorax": N}),
        ("w/o pneumothorax.", {"Pneumothorax": N}),
        ("Lungs are free of consolidation.", {"Consolidation": N}),
        ("Negative for pneumothorax.", {"Pneumothorax": N}),
        ("No pleural effusion or pneumothorax.", {"Pleural Effusion": N, "Pneumothorax": N}),
        (
            "No focal consolidation, pleural effusion, or pneumothorax.",
            {"Consolidation": N, "Pleural Effusion": N, "Pneumothorax": N},
        ),
        (
            "No focal consolidation, effusion, edema, or pneumothorax is seen.",
            {"Consolidation": N, "Pleural Effusion": N, "Edema": N, "Pneumothorax": N},
        ),
        ("Neither effusion nor pneumothorax is seen.", {"Pleural Effusion": N, "Pneumothorax": N}),
        (
            "Lungs are clear without focal consolidation or effusion.",
            {"Consolidation": N, "Pleural Effusion": N},
        ),
        ("Pneumothorax is not seen.", {"Pneumothorax": N}),
        ("A pneumothorax is no longer visualized.", {"Pneumothorax": N}),
        (
            "Consolidation, effusion and pneumothorax are absent.",
            {"Consolidation": N, "Pleural Effusion": N, "Pneumothorax": N},
        ),
        ("The pleural effusion has resolved.", {"Pleural Effusion": N}),
        ("The left lower lobe consolidation has cleared.", {"Consolidation": N}),
        ("Interval resolution of pulmonary edema.", {"Edema": N}),
        ("Pneumonia is unlikely.", {"Pneumonia": N}),
        ("Pneumonia has been ruled out.", {"Pneumonia": N}),
        ("No finding to suggest pneumonia.", {"Pneumonia": N}),
        ("No consolidation concerning for pneumonia.", {"Consolidation": N, "Pneumonia": N}),
        ("Findings are not suggestive of edema.", {"Edema": N}),
        ("There isn't any effusion.", {"Pleural Effusion": N}),
        ("The chest tube has been removed.", {"Support Devices": N}),
        (
            "There is no pleural effusion, pneumothorax or consolidation worrisome for pneumonia.",
            {"Pleural Effusion": N, "Pneumothorax": N, "Consolidation": N, "Pneumonia": N},
        ),
        ("No new consolidation.", {"Consolidation": N}),
        ("No acute displaced rib fracture.", {"Fracture": N}),
    ],
)
def test_denied(text: str, expected: dict[str, int]) -> None:
    assert said(text) == expected | {"No Finding": P}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No change in the left pleural effusion.", {"Pleural Effusion": P}),
        ("No significant interval change in bilateral effusions.", {"Pleural Effusion": P}),
        ("Effusion without significant change.", {"Pleural Effusion": P}),
        ("No increase in the edema.", {"Edema": P}),
        ("The effusion has not resolved.", {"Pleural Effusion": P}),
        ("Not only atelectasis but effusion.", {"Atelectasis": P, "Pleural Effusion": P}),
        ("Not without effusion.", {"Pleural Effusion": P}),
        ("No pneumothorax, but small left effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
        ("No pneumothorax, small left effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
        ("No pneumothorax and mild pulmonary edema.", {"Pneumothorax": N, "Edema": P}),
        ("No pneumothorax; left effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
        ("No effusion is seen and there is atelectasis.", {"Pleural Effusion": N, "Atelectasis": P}),
        ("No pneumothorax with persistent left effusion.", {"Pneumothorax": N, "Pleural Effusion": P}),
        ("Left effusion, no pneumothorax.", {"Pleural Effusion": P, "Pneumothorax": N}),
        ("Left effusion without pneumothorax.", {"Pleural Effusion": P, "Pneumothorax": N}),
        ("The edema has resolved, the effusion persists.", {"Edema": N, "Pleural Effusion": P}),
        ("Bibasilar atelectasis is unchanged.", {"Atelectasis": P}),
        ("Improved but persistent pulmonary edema.", {"Edema": P}),
        (
            "No pneumonia. Atelectasis. No effusion. Edema.",
            {"Pneumonia": N, "Atelectasis": P, "Pleural Effusion": N, "Edema": P},
        ),
        ("1. No pneumonia\n2. Small effusion", {"Pneumonia": N, "Pleural Effusion": P}),
        ("1. No pneumonia 2. Small effusion", {"Pneumonia": N, "Pleural Effusion": P}),
        ("- No pneumonia\n- Small effusion", {"Pneumonia": N, "Pleural Effusion": P}),
        ("Pulmonary edema has nearly resolved.", {"Edema": P}),
        ("Near complete resolution of the edema.", {"Edema": P}),
        ("Status post lobectomy for lung cancer. Edema.", {"Edema": P}),
        ("Left lower lobe collapse.", {"Atelectasis": P}),
        ("Collapse of the right upper lobe.", {"Atelectasis": P}),
        ("Right hydropneumothorax.", {"Pneumothorax": P, "Pleural Effusion": P}),
        ("Fluid in the minor fissure.", {"Pleural Effusion": P}),
        ("Old healed left rib fractures.", {"Fracture": P}),
        ("Apical pleural thickening.", {"Pleural Other": P}),
        ("2.3 cm right upper lobe nodule.", {"Lung Lesion": P}),
        ("Patchy opacities in the left-lower lobe.", {"Lung Opacity": P}),
        ("Left lower lobe infiltrate consistent with pneumonia.", {"Lung Opacity": P, "Pneumonia": P}),
        ("Congestive heart failure.", {"Edema": P}),
    ],
)
def test_stated(text: str, expected: dict[str, int]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Opacity that may represent pneumonia.",
        "Possible pneumonia.",
        "Probable pneumonia.",
        "Findings likely reflect pneumonia.",
        "Pneumonia cannot be excluded.",
        "Pneumonia can't be excluded.",
        "Pneumonia is not excluded.",
        "Pneumonia is not entirely excluded.",
        "Underlying pneumonia cannot be ruled out.",
        "Cannot exclude pneumonia.",
        "Cannot rule out pneumonia.",
        "Pneumonia is possible.",
        "Pneumonia is likely in the left base.",
        "Pneumonia remains possible.",
        "This is likely pneumonia.",
        "This is possible left lower lobe pneumonia.",
        "Pneumonia should be considered.",
        "Findings suggestive of pneumonia.",
        "Findings concerning for pneumonia.",
        "Concern for pneumonia.",
        "?pneumonia",
        "? pneumonia",
        "Pneumonia?",
        "Questionable pneumonia.",
        "Differential diagnosis includes pneumonia.",
        "Pneumonia versus aspiration.",
        "Aspiration vs pneumonia.",
        "Opacity due to atelectasis versus pneumonia.",
        "Opacity which may be due to pneumonia.",
        "Opacity, possibly due to pneumonia.",
        "No effusion, but possible pneumonia.",
        "No effusion. Pneumonia could be present.",
    ],
)
def test_doubted(text: str) -> None:
    assert one(text, "Pneumonia") == U
    assert one(text, "No Finding") is None


def test_versus_doubts_both_and_or_neither() -> None:
    assert said("Atelectasis versus pneumonia.") == {"Atelectasis": U, "Pneumonia": U}
    assert said("Atelectasis or scarring.") == {"Atelectasis": P}
    assert said("May represent atelectasis or pneumonia.") == {"Atelectasis": U, "Pneumonia": U}


def test_a_doubt_about_one_leaves_its_neighbour_alone() -> None:
    assert said("Cardiomegaly with possible pericardial effusion.") == {"Cardiomegaly": P}
    assert said("Possible pneumonia, small effusion.") == {"Pneumonia": U, "Pleural Effusion": P}
    assert said("Pneumonia is possible, small effusion.") == {"Pneumonia": U, "Pleural Effusion": P}
    assert said("Opacity is new, and pneumonia is possible.") == {"Lung Opacity": P, "Pneumonia": U}
    assert said("Small effusion, possible pneumonia.") == {"Pneumonia": U, "Pleural Effusion": P}


@pytest.mark.parametrize(
    "text",
    [
        "History of pneumonia.",
        "Hx of pneumonia.",
        "h/o pneumonia.",
        "Evaluate for pneumonia.",
        "Please evaluate for pneumonia or edema.",
        "r/o pneumonia.",
        "Rule out pneumonia.",
        "Please correlate clinically for pneumonia.",
        "INDICATION: Cough, pneumonia.",
        "INDICATION: Pneumonia?\nCOMPARISON: Film with pneumonia.\nFINDINGS: The lungs are clear.",
        "REASON FOR EXAM: pneumonia. IMPRESSION: Normal.",
        "History: Pneumonia.\nFindings: Clear.",
    ],
)
def test_another_time_a_question_and_a_section_without_findings(text: str) -> None:
    assert one(text, "Pneumonia") is None


def test_the_sections_with_findings_are_read() -> None:
    text = "INDICATION: Pneumonia?\n \n FINDINGS: Edema.\n \n IMPRESSION: 1. Left effusion. NOTIFICATION: Pneumothorax."
    assert said(text) == {"Edema": P, "Pleural Effusion": P}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("The heart is enlarged.", P),
        ("Heart size is mildly enlarged.", P),
        ("Mildly enlarged heart.", P),
        ("Mild enlargement of the cardiac silhouette.", P),
        ("The cardiac silhouette remains moderately enlarged.", P),
        ("Stable cardiomegaly.", P),
        ("Borderline cardiomegaly.", P),
        ("The heart is borderline enlarged.", P),
        ("The heart is mildly enlarged but stable.", P),
        ("Heart size is normal.", N),
        ("Normal heart size.", N),
        ("The heart is not enlarged.", N),
        ("The heart is top normal in size.", N),
        ("Heart size is at the upper limits of normal.", N),
        ("The heart size and mediastinal contours are within normal limits.", N),
        ("Cardiac and mediastinal contours are unremarkable.", N),
        ("Heart, mediastinum and hila are unremarkable.", N),
        ("Unremarkable heart, mediastinum and hila.", N),
        ("No cardiomegaly.", N),
        ("Heart size is stable.", U),
        ("The heart may be enlarged.", U),
        ("Prominent cardiac silhouette.", U),
        ("The left heart border is obscured by effusion.", None),
        ("Known heart disease.", None),
        ("The cardiac silhouette is obscured by the effusion.", None),
    ],
)
def test_the_heart(text: str, status: int | None) -> None:
    assert one(text, "Cardiomegaly") == status


@pytest.mark.parametrize(
    ("text", "heart", "mediastinum"),
    [
        ("The cardiomediastinal silhouette is normal.", N, N),
        ("Cardiomediastinal contours are unchanged.", U, U),
        ("Mediastinal contours are normal and the heart is enlarged.", P, N),
        ("The mediastinum is widened.", None, P),
        ("Mediastinal widening may be positional.", None, U),
        ("Widening of the superior mediastinum.", None, P),
        ("Normal heart size. Stable mediastinal contours.", N, U),
        ("Normal heart size, widened mediastinum.", N, P),
    ],
)
def test_heart_and_mediastinum(text: str, heart: int | None, mediastinum: int | None) -> None:
    labels = label(text)
    assert (labels["Cardiomegaly"], labels["Enlarged Cardiomediastinum"]) == (heart, mediastinum)


@pytest.mark.parametrize(
    "text",
    [
        "Right PICC line ends in the SVC.",
        "The endotracheal tube ends 4 cm above the carina.",
        "ET tube and NG tube in place.",
        "Left chest wall pacemaker with leads in the right atrium.",
        "Median sternotomy wires are intact.",
        "Status post placement of a right internal jugular catheter.",
        "Port-A-Cath in the left chest.",
        "Lines and tubes are unchanged.",
    ],
)
def test_devices_are_no_finding(text: str) -> None:
    assert said(text) == {"Support Devices": P, "No Finding": P}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No acute cardiopulmonary process.", P),
        ("The lungs are clear.", P),
        ("Normal chest.", P),
        ("Hyperinflation. No acute disease.", None),
        ("Mild scoliosis.", None),
        ("Calcified granuloma.", None),
        ("Possible hiatal hernia.", None),
        ("No scoliosis.", P),
        ("Edema.", None),
        ("Possible edema.", None),
        ("No edema.", P),
        ("", None),
        ("___", None),
    ],
)
def test_no_finding_is_one_or_blank(text: str, expected: int | None) -> None:
    assert one(text, "No Finding") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No edema. Possible edema. Edema.", P),
        ("No edema. Possible edema.", U),
        ("No edema. Mild edema.", P),
        ("No edema.", N),
    ],
)
def test_positive_before_uncertain_before_negative(text: str, expected: int) -> None:
    assert one(text, "Edema") == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Pnuemonia.", "Pneumonia"),
        ("Penumonia.", "Pneumonia"),
        ("Pnemonia.", "Pneumonia"),
        ("Small pneumothroax.", "Pneumothorax"),
        ("Left effussion.", "Pleural Effusion"),
        ("Basilar atelectesis.", "Atelectasis"),
        ("Atlectasis.", "Atelectasis"),
        ("Cardiomegally.", "Cardiomegaly"),
        ("Consoldation.", "Consolidation"),
        ("Left lower lobe opactiy.", "Lung Opacity"),
        ("Rib fractrue.", "Fracture"),
        ("Mild pulmonary oedema.", "Edema"),
    ],
)
def test_a_letter_may_be_wrong(text: str, name: str) -> None:
    assert one(text, name) == P


@pytest.mark.parametrize(
    "text",
    [
        "Opaque right hemithorax drawing.",
        "Contrast injection.",
        "Clinical confusion.",
        "Pericardial effusion.",
        "Soft tissue edema.",
        "Vertebral height loss.",
        "Muscle mass.",
        "Portable film.",
    ],
)
def test_words_that_look_like_a_finding(text: str) -> None:
    assert set(said(text)) <= {"No Finding"}


@pytest.mark.parametrize("ending", ["\n", " \n ", "\r\n", "  "])
def test_a_wrapped_sentence_is_one(ending: str) -> None:
    assert said(f"There is no pleural{ending}effusion or{ending}pneumothorax.") == {
        "Pleural Effusion": N,
        "Pneumothorax": N,
        "No Finding": P,
    }


def test_laterality_and_places_between_a_cue_and_its_finding() -> None:
    assert one("No large left-sided or right-sided layering pleural effusion.", "Pleural Effusion") == N
    assert one("No definite focal left mid or right lower lung consolidation.", "Consolidation") == N
    assert one("Left lower, right upper and middle lobe consolidations.", "Consolidation") == P


def test_the_fourteen_in_their_order() -> None:
    assert tuple(label("Edema.")) == LABELS


# What users of such labelers found wrong, and said in public.


def test_cues_before_and_after_in_an_ordinary_report() -> None:
    """https://github.com/stanfordmlgroup/chexpert-labeler/issues/15: denied findings came out as positive."""
    text = (
        "The lungs are clear without evidence of focal airspace disease. There is no evidence of pneumothorax or large "
        "pleural effusion. The cardiac and mediastinal contours are within normal limits."
    )
    assert said(text) == {
        "Cardiomegaly": N,
        "Enlarged Cardiomediastinum": N,
        "Lung Opacity": N,
        "Pleural Effusion": N,
        "Pneumothorax": N,
        "No Finding": P,
    }


def test_a_heart_that_is_only_named() -> None:
    """https://github.com/LX-doctorAI1/M2KT/issues/4: a normal heart came out as cardiomegaly."""
    text = "The heart and lungs have XXXX XXXX in the interval. Both lungs are clear. Heart and mediastinum normal."
    assert said(text) == {"Cardiomegaly": N, "Enlarged Cardiomediastinum": N, "No Finding": P}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Pleural effusion: No", N),
        ("Pleural effusion: none.", N),
        ("Pleural effusion: No pleural effusion.", N),
        ("Pleural effusion: possible.", U),
        ("Pleural effusion: small, left.", P),
        ("Pleural effusion: No change.", P),
        ("PLEURA: No effusion.", N),
    ],
)
def test_a_form_with_names_and_values(text: str, status: int) -> None:
    """https://github.com/medspacy/medspacy/pull/49, https://github.com/jenojp/negspacy/issues/44."""
    assert one(text, "Pleural Effusion") == status


def test_a_slash_joins_and_a_verb_before_the_cue_changes_nothing() -> None:
    """https://github.com/medspacy/medspacy/issues/232: "is negative for a/b" denied nothing."""
    assert said("The film is negative for effusion/pneumothorax.") == {
        "Pleural Effusion": N,
        "Pneumothorax": N,
        "No Finding": P,
    }


def test_calcified_nodules_are_no_lesion_of_the_lung() -> None:
    """https://github.com/stanfordmlgroup/chexpert-labeler/issues/26: as the annotators of CheXpert were told."""
    assert said("Calcified right upper lobe nodule.") == {}
