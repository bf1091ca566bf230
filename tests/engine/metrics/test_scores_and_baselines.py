import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.answers import read_answer
from engine.data.curriculum import Sample, complete_labels
from engine.metrics.baselines import constant_rows, shuffled_rows
from engine.metrics.scores import figure, read_and_scored, scalars_of, scores_of
from engine.runs.store.rows import GeneratedSample
from engine.stages import stage_of

NORMAL = "No acute cardiopulmonary process.\nCheXpert: No Finding"
EFFUSION = "Small left pleural effusion is seen.\nCheXpert: Pleural Effusion"
EDEMA = "Mild pulmonary edema is now seen.\nCheXpert: Edema, Support Devices"


def row(stage: str, case: str, generated: str, reference: str) -> GeneratedSample:
    wanted = read_answer(reference, stage_of(stage).line)
    labelled = stage == "stage_a"
    return read_and_scored(
        GeneratedSample(
            stage=stage,
            step=10,
            checkpoint=f"{stage}-000010",
            split="val",
            purpose="evaluation",
            case=case,
            image="a.jpg",
            prompt="?",
            reference=reference,
            generated=generated,
            labels=None,
            labels_reference=complete_labels(wanted.labels or {}) if labelled else None,
            icd=None,
            icd_reference=None if labelled else wanted.icd,
            scores=None,
        )
    )


def sample(id: str, stage: str, target: str, **labels: int) -> Sample:
    icd = tuple(read_answer(target, "icd").icd or ())
    return Sample(id, id, id, stage, "a.jpg", "?", target, complete_labels(labels), None, icd, "train")


def test_scores_a() -> None:
    rows = [
        row("stage_a", "1", NORMAL, NORMAL),
        row("stage_a", "2", NORMAL, EFFUSION),
        row("stage_a", "3", "Edema.\nCheXpert: Swelling", EDEMA),
        row("stage_a", "4", "Wires.\nCheXpert: No Finding, Support Devices", NORMAL),
    ]
    scores = scores_of(rows, loss=1.25)
    assert list(scores) == (
        [
            "n",
            "loss",
            "bleu1",
            "bleu4",
            "rouge_l",
            "chexpert",
            "labeler",
            "distinct_outputs",
            "normal_fraction",
            "format_errors",
        ]
    )
    assert scores["n"] == 4
    assert scores["loss"] == 1.25
    assert scores["distinct_outputs"] == 3
    assert scores["normal_fraction"] == 0.75
    assert scores["format_errors"] == 1
    assert scores["labeler"] is None
    # Positives wanted: No Finding, Pleural Effusion, Edema, Support Devices, No Finding.
    # Given: No Finding, No Finding, none, No Finding, Support Devices. Hits 2, extra 2, missed 3.
    assert scores["chexpert"]["micro_f1_14"] == pytest.approx(4 / 9)
    json.dumps(scores, allow_nan=False)


def test_label_line_is_no_part_of_the_text_scores() -> None:
    rows = [
        row(
            "stage_a",
            "1",
            "Lungs are clear today.\nCheXpert: Edema",
            "Lungs are clear today.\nCheXpert: No Finding",
        )
    ]
    scores = scores_of(rows, None)
    assert scores["bleu4"] == pytest.approx(1.0)
    assert scores["rouge_l"] == pytest.approx(1.0)
    assert scores["chexpert"]["micro_f1_14"] == 0.0


def test_scores_b() -> None:
    rows = [
        row(
            "stage_b",
            "1",
            "Heart failure is likely here.\nICD: I50.9 HF; J90",
            "Heart failure is likely here.\nICD: I50.9 HF",
        ),
        row("stage_b", "2", "No line.", "Other words entirely now.\nICD: J18.9"),
    ]
    scores = scores_of(rows, loss=0.5)
    assert list(scores) == ["n", "loss", "bleu4", "rouge_l", "icd", "distinct_outputs", "format_errors"]
    assert scores["icd"]["micro_f1"] == pytest.approx(2 / 4)
    assert scores["format_errors"] == 1
    assert scores["distinct_outputs"] == 2


def test_nothing_to_score_and_mixed_stages_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        scores_of([], None)
    with pytest.raises(ValueError, match="several stages: stage_a, stage_b"):
        scores_of([row("stage_b", "1", "x", "y"), row("stage_a", "1", NORMAL, NORMAL)], None)


def test_sample_scores() -> None:
    assert row("stage_a", "1", EDEMA, EDEMA).scores == pytest.approx(
        {"bleu4": 1.0, "rouge_l": 1.0, "label_f1": 1.0}
    )
    scores = row("stage_b", "1", "Different", "Reasoning.\nICD: J90").scores
    assert scores == {"bleu4": 0.0, "rouge_l": 0.0, "icd_f1": 0.0}


def test_constant_is_the_most_frequent_target_of_each_stage() -> None:
    train = [
        sample("1", "stage_a", EDEMA, Edema=1),
        sample("2", "stage_a", NORMAL),
        sample("3", "stage_a", NORMAL),
        sample("4", "stage_b", "One.\nICD: J90"),
        sample("5", "stage_b", "Two.\nICD: I50.9; J90"),
        sample("6", "stage_b", "Three.\nICD: J90; I50.9"),
    ]
    rows = [
        row("stage_a", "1", EFFUSION, EFFUSION),
        row("stage_b", "2", "x", "y\nICD: J90"),
        row("stage_a", "3", EDEMA, NORMAL),
    ]
    constant = constant_rows(train, rows)
    # In stage B every target is different: the first of those with the most frequent set of codes.
    assert [r.generated for r in constant] == [NORMAL, "Two.\nICD: I50.9; J90", NORMAL]
    assert {r.purpose for r in constant} == {"baseline:constant"}
    assert constant[0].labels["No Finding"] == 1
    assert constant[1].icd == ["10:I509", "10:J90"]
    assert constant[0].scores["label_f1"] == 0.0
    assert constant[2].scores["label_f1"] == 1.0
    assert [r.case for r in constant] == ["1", "2", "3"]
    assert rows[0].purpose == "evaluation"
    assert constant_rows(list(reversed(train)), rows) == constant
    scores = scores_of([constant[0], constant[2]], None)
    assert (scores["distinct_outputs"], scores["normal_fraction"]) == (1, 1.0)


def test_constant_needs_training_samples() -> None:
    with pytest.raises(ValueError, match="stage_b"):
        constant_rows([sample("1", "stage_a", NORMAL)], [row("stage_b", "2", "x", "y\nICD: J90")])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers())
def test_no_patient_keeps_its_own_report(patients: list[int], seed: int) -> None:
    subjects = {str(case): str(patient) for case, patient in enumerate(patients)}
    rows = [
        row("stage_a", case, f"Report of {subject}/{case}.", NORMAL) for case, subject in subjects.items()
    ]
    shuffled = shuffled_rows(rows, seed, subjects)
    for new in shuffled:
        assert not new.generated.startswith(f"Report of {subjects[new.case]}/")
    assert len({new.generated for new in shuffled}) == len(shuffled)
    if max(patients.count(patient) for patient in patients) * 2 <= len(patients):
        assert [new.case for new in shuffled] == list(subjects)
    assert shuffled == shuffled_rows(rows, seed, subjects)


def test_shuffled_stays_within_the_stage_and_rescores() -> None:
    rows = [row("stage_a", str(n), EDEMA if n % 2 else NORMAL, EDEMA if n % 2 else NORMAL) for n in range(2)]
    rows += [row("stage_b", str(n), f"T.\nICD: J9{n}", f"T.\nICD: J9{n}") for n in range(2)]
    shuffled = shuffled_rows(rows, seed=1)
    assert [r.generated for r in shuffled] == [EDEMA, NORMAL, "T.\nICD: J91", "T.\nICD: J90"]
    assert shuffled[0].scores["label_f1"] == 0.0
    assert shuffled[2].icd == ["10:J91"]
    assert {r.purpose for r in shuffled} == {"baseline:shuffled"}


def test_codes_of_another_version_and_categories() -> None:
    scores = scores_of(
        [
            row("stage_b", "1", "x\nICD: I50.0; J90", "y\nICD: I50.9; J90"),
            row("stage_b", "2", "x", "y\nICD: 428.0"),
            row("stage_b", "3", "x\nICD: J90", "y"),
        ],
        None,
    )
    assert figure(scores, "icd.micro_f1") == pytest.approx(2 / (2 + 2 + 2))
    assert figure(scores, "icd.micro_f1_category") == pytest.approx(4 / (4 + 1 + 1))
    assert figure(scores, "chexpert.micro_f1_14") is None and figure(scores, "n.of") is None


def test_what_becomes_a_scalar() -> None:
    scores = scores_of([row("stage_a", "1", EDEMA, EDEMA)], loss=1.0)
    assert scalars_of(scores) == pytest.approx(
        {"val/bleu4": 1.0, "val/rouge_l": 1.0, "val/chexpert_micro_f1": 1.0}
    )
    scores = scores_of([row("stage_b", "1", "x\nICD: J90", "y\nICD: J90")], loss=None)
    assert scalars_of(scores) == {"val/bleu4": 0.0, "val/rouge_l": 0.0, "val/icd_micro_f1": 1.0}
