"""One foreign record, one sample: where it says what we need in its own way, and what it leaves us to guess."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.data.answers import has_line, icd_line, label_line, read_answer
from engine.data.curriculum import (
    NO_EHR,
    Sample,
    complete_labels,
    image_path_problem,
    sample_from_json,
    sample_to_json,
)
from engine.data.importing.fields import FieldMap, understand
from engine.data.importing.values import ehr_of, icd_of, labels_of, split_of, stage_meant
from engine.stages import STAGE_A, STAGE_B, Stage
from engine.words.printable import clean_line

#: Hears a remark on what was guessed or not understood.
Note = Callable[[str], None]
Labels = dict[str, int | None]
Diagnoses = list[tuple[str, str]]

_MIMIC_PATH = re.compile(r"(?:^|/)p(1\d{7})/s(5\d{7})(?:/|\.)")
_MIMIC_TREE = re.compile(r"(?:^|.*/)(files/p1\d/.*)")
_IMAGE_TOKEN = re.compile(r"\s*<image>\s*")
_CONTEXT_LINE = re.compile(r"^clinical context:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_HUMAN, _MODEL = ("human", "user"), ("gpt", "assistant", "model")


class Unusable(Exception):
    """Why a record becomes no sample."""


@dataclass(frozen=True, slots=True)
class Importer:
    """What all records of an import share. image_root: where images are looked for; None looks for none."""

    field_map: FieldMap
    image_root: Path | None

    def sample(self, record: Mapping[str, Any], note: Note, unknown: Callable[[list[str]], None]) -> Sample:
        """The record as a sample, with split "" where it has none. Raises Unusable with the reason.

        unknown: hears the names of the fields that nothing was made of.
        """
        understood = understand(record, self.field_map)
        unknown(understood.unknown)
        ours = {name: value for name, value in understood.ours.items() if value not in (None, "", [], {})}
        if "conversations" in ours:
            ours = {**_conversation(ours["conversations"], note), **ours}
        target = _lines(ours.get("target"))
        if not target:
            raise Unusable("no target (answer, impression, report …)")
        image = self._image(ours.get("image"), note)
        stage = _stage(ours, note)
        patient, study = _patient_and_study(ours, image, note)
        labels = _labels(understood.columns, ours.get("labels"), note)
        diagnoses = _diagnoses(ours.get("icd"), note)
        if stage.line == "labels":
            target, labels = _with_label_line(target, labels, note)
        else:
            target, diagnoses = _with_icd_line(target, diagnoses, note)
        prompt, ehr = _prompt(stage, ours, note)
        sample = Sample(
            id=clean_line(str(ours.get("id", ""))) or f"{study}-{stage.letter.lower()}",
            subject_id=patient,
            study_id=study,
            stage=stage.name,
            image=image,
            prompt=prompt,
            target=target,
            labels=complete_labels(labels),
            ehr=ehr,
            icd=tuple(code for code, _ in diagnoses),
            split=_split(ours.get("split")),
        )
        _refuse_unreadable(sample)
        return sample

    def _image(self, value: Any, note: Note) -> str:
        """The path relative to the image root, cut down to files/p1… where only that is there."""
        if isinstance(value, list):
            if len(value) > 1:
                note("only the first of several images taken")
            value = value[0]
        if not isinstance(value, str):
            raise Unusable("no image")
        path = value.strip().replace("\\", "/")
        path = path[2:] if path.startswith("./") else path
        candidates = [path]
        if self.image_root is not None and path.startswith(f"{self.image_root.absolute()}/"):
            candidates.insert(0, path.removeprefix(f"{self.image_root.absolute()}/"))
        if tree := _MIMIC_TREE.fullmatch(path):
            candidates.append(tree[1])
        usable = [candidate for candidate in candidates if image_path_problem(candidate) is None]
        if not usable:
            raise Unusable(f"image path {image_path_problem(path)}")
        if self.image_root is None:
            return usable[0]
        for candidate in usable:
            if (self.image_root / candidate).is_file():
                return candidate
        raise Unusable("image file missing below the image root")


def _conversation(turns: Any, note: Note) -> dict[str, str]:
    """Prompt and target of the first question and answer; both LLaVA's and the chat form are understood."""
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        raise Unusable("conversations are no list of turns")
    said = [
        (str(turn.get("from", turn.get("role"))).casefold(), turn.get("value", turn.get("content")))
        for turn in turns
    ]
    said = [(who, text) for who, text in said if who in _HUMAN + _MODEL and isinstance(text, str)]
    if len(said) < 2 or said[0][0] not in _HUMAN or said[1][0] not in _MODEL:
        raise Unusable("conversation does not begin with a question and its answer")
    if len(said) > 2:
        note("only the first question and answer of a longer conversation taken")
    prompt = _IMAGE_TOKEN.sub("\n", str(said[0][1])).strip()
    return {name: text for name, text in (("prompt", prompt), ("target", str(said[1][1]))) if text}


def _stage(ours: Mapping[str, Any], note: Note) -> Stage:
    if "stage" in ours:
        stage = stage_meant(ours["stage"])
        if stage is None:
            raise Unusable(f"unknown stage {clean_line(str(ours['stage']))[:40]!r}")
        return stage
    evidence = [name for name in ("icd", "ehr") if name in ours]
    if evidence or read_answer(str(ours.get("target", "")), "icd").icd:
        note(f"stage {STAGE_B.letter} guessed: ICD codes or EHR context are there")
        return STAGE_B
    note(f"stage {STAGE_A.letter} guessed: neither ICD codes nor EHR context are there")
    return STAGE_A


def _split(value: Any) -> str:
    if value is None:
        return ""
    split = split_of(value)
    if split is None:
        raise Unusable(f"unknown split {clean_line(str(value))[:40]!r}")
    return split


def _patient_and_study(ours: Mapping[str, Any], image: str, note: Note) -> tuple[str, str]:
    """Both ids as given, else from a path in MIMIC's form, else from the image: patients cannot be told apart then."""
    patient, study = (_identifier(ours.get(name)) for name in ("subject_id", "study_id"))
    if (match := _MIMIC_PATH.search(image)) is not None:
        return patient or match[1], study or match[2]
    if not patient:
        note("no patient id: the image counts as a patient of its own, and splits may share patients")
    stem = image.rsplit(".", 1)[0]
    return patient or stem, study or stem


def _identifier(value: Any) -> str:
    text = clean_line(str(value)) if value is not None else ""
    # A column with gaps comes out of many tools as floating point numbers.
    return text.removesuffix(".0")


def _labels(columns: Mapping[str, Any], value: Any, note: Note) -> Labels:
    labels, unknown = labels_of(dict(columns))
    if value is not None:
        more, strange = labels_of(value)
        labels, unknown = {**labels, **more}, unknown + strange
    for text in unknown:
        note(f"label not understood: {text[:60]}")
    return labels


def _diagnoses(value: Any, note: Note) -> Diagnoses:
    diagnoses, unknown = icd_of(value) if value is not None else ([], [])
    for text in unknown:
        note(f"ICD code not understood: {text[:60]}")
    return diagnoses


def _with_label_line(target: str, labels: Labels, note: Note) -> tuple[str, Labels]:
    """The target with its label line, and the labels; each comes from the other where it is missing."""
    if not has_line(target, "labels"):
        if any(value is not None for value in labels.values()):
            return f"{target}\n{label_line(labels)}", labels
        note("stage A sample without CheXpert labels: its target has no label line")
        return target, labels
    parsed = read_answer(target, "labels").labels
    if parsed is None:
        note("label line in the target that cannot be read")
        return target, labels
    if not any(value is not None for value in labels.values()):
        return target, {name: 1 for name, positive in parsed.items() if positive}
    return target, labels


def _with_icd_line(target: str, diagnoses: Diagnoses, note: Note) -> tuple[str, Diagnoses]:
    """The target with its ICD line, and the codes; each comes from the other where it is missing."""
    if not has_line(target, "icd"):
        if diagnoses:
            return f"{target}\n{icd_line(diagnoses)}", diagnoses
        note("stage B sample without ICD codes: its target has no ICD line")
        return target, diagnoses
    parsed = read_answer(target, "icd", [code for code, _ in diagnoses]).icd
    if parsed is None:
        note("ICD line in the target that cannot be read")
        return target, diagnoses
    return target, diagnoses or [(code, "") for code in parsed]


def _prompt(stage: Stage, ours: Mapping[str, Any], note: Note) -> tuple[str, dict[str, Any] | None]:
    """The prompt, and the EHR context that stands in it word for word."""
    prompt = _lines(_IMAGE_TOKEN.sub("\n", str(ours.get("prompt", ""))))
    if "ehr" in ours:
        text, values = ehr_of(ours["ehr"])
        if text := (_lines(text) if _lines(text) in prompt else clean_line(text)):
            ehr = {**values, "text": text}
            if not prompt:
                return STAGE_B.prompt.format(ehr=text), ehr
            return (prompt if text in prompt else f"Clinical context: {text}\n{prompt}"), ehr
    if not prompt:
        note(f"no prompt: ours for {stage.name.replace('_', ' ')} taken")
        return stage.prompt.format(ehr=NO_EHR), None
    if (match := _CONTEXT_LINE.search(prompt)) is not None:
        return prompt, {"text": match[1]}
    if stage.reads_record:
        note(
            f"stage {stage.letter} prompt whose EHR context cannot be told apart: it cannot be blanked for comparison"
        )
    return prompt, None


def _refuse_unreadable(sample: Sample) -> None:
    """Whatever the record held, a line that is written must be one that can be read."""
    try:
        line = sample_to_json(replace(sample, split=sample.split or "train"))
        sample_from_json(json.loads(line.encode("utf-8")))
    except (ValueError, TypeError) as error:
        raise Unusable(f"makes no readable sample: {clean_line(str(error))[:120]}") from error


def _lines(value: Any) -> str:
    """The text with its line ends, every line cleaned of control characters, blank ones gone."""
    lines = map(clean_line, str(value).splitlines()) if isinstance(value, str) else ()
    return "\n".join(line for line in lines if line)
