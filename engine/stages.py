"""The stages of the curriculum, one record each: whatever differs between stages is asked of their records."""

from dataclasses import dataclass
from typing import Literal

#: The one line of an answer that machines read: CheXpert labels or ICD codes.
Line = Literal["labels", "icd"]


@dataclass(frozen=True, slots=True)
class Stage:
    """name: in data, runs and options. letter: for eyes. title: what it teaches. task: from what to what.

    line: what its answers end with. prompt: the question in this project's words, `{ehr}` where the record stands.
    share: of the samples of a curriculum. lengths: tokens of a prompt without its image and of an answer, taken where
    there is no curriculum yet: rounded up from phantom ones.
    """

    name: str
    letter: str
    title: str
    task: str
    line: Line
    prompt: str
    share: float
    lengths: tuple[int, int]

    @property
    def reads_record(self) -> bool:
        """Whether its prompts tell of the patient."""
        return "{ehr}" in self.prompt


STAGE_A = Stage(
    name="stage_a",
    letter="A",
    title="impression + labels",
    task="image → impression + CheXpert labels",
    line="labels",
    prompt="Write the impression of this chest X-ray and list the CheXpert labels.",
    share=0.35,
    lengths=(60, 120),
)
STAGE_B = Stage(
    name="stage_b",
    letter="B",
    title="reasoning + ICD",
    task="image + EHR → reasoning + ICD",
    line="icd",
    prompt="Clinical context: {ehr}\nGive the clinical reasoning and the ICD diagnoses.",
    share=0.65,
    lengths=(450, 220),
)
STAGES: tuple[Stage, ...] = (STAGE_A, STAGE_B)  # in the order they are trained in
STAGE_NAMES: tuple[str, ...] = tuple(stage.name for stage in STAGES)


def find_stage(name: str) -> Stage | None:
    """The stage of that name; None for one that only a run of another version knows."""
    return next((stage for stage in STAGES if stage.name == name), None)


def stage_of(name: str) -> Stage:
    """The stage of that name. Raises ValueError if there is none."""
    stage = find_stage(name)
    if stage is None:
        raise ValueError(f"unknown stage {name!r}; known are {', '.join(STAGE_NAMES)}")
    return stage


def reads_record(name: str) -> bool:
    """Whether the stage's prompts tell of the patient; those of a stage that is not known do not."""
    stage = find_stage(name)
    return stage is not None and stage.reads_record
