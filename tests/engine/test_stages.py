import pytest

from engine.config import StagesSection
from engine.data.answers import PREFIXES
from engine.data.curriculum import NO_EHR
from engine.stages import STAGE_A, STAGE_B, STAGE_NAMES, STAGES, find_stage, reads_record, stage_of


def test_every_stage_is_told_from_the_others() -> None:
    for field in ("name", "letter", "title", "prompt"):
        assert len({getattr(stage, field) for stage in STAGES}) == len(STAGES)
    assert sum(stage.share for stage in STAGES) == pytest.approx(1.0)
    assert {stage.line for stage in STAGES} <= PREFIXES.keys()
    assert tuple(StagesSection.model_fields) == STAGE_NAMES


def test_a_stage_by_its_name() -> None:
    assert stage_of("stage_b") is STAGE_B
    assert find_stage("stage_z") is None
    with pytest.raises(ValueError, match=r"stage_z.*stage_a, stage_b"):
        stage_of("stage_z")


def test_the_record_stands_in_the_prompts_of_those_that_read_it() -> None:
    assert [reads_record(name) for name in (*STAGE_NAMES, "stage_z")] == [False, True, False]
    assert STAGE_A.prompt.format(ehr=NO_EHR) == STAGE_A.prompt
    assert NO_EHR in STAGE_B.prompt.format(ehr=NO_EHR)
