"""One foreign record, one sample: where it says what we need in its own way, and what it leaves us to guess."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.data.answers import has_line, icd_line, label_line, read_answer
from engine.data.curriculum import NO_EHR, Sample, complete_labels, sample_from_json, sample_to_json
from engine.data.importing.conversation import first_exchange, is_turns
from engine.data.importing.fields import FieldMap, Understood, plain_name, understand
from engine.data.importing.identity import identifier
from engine.data.importing.image_path import image_path
from engine.data.importing.missing import is_missing, without_missing
from engine.data.importing.target import lines_of, target_text, without_image_tokens
from engine.data.importing.unusable import Unusable
from engine.data.importing.values import decoded, ehr_of, icd_of, labels_of, split_of, stage_meant, version_of
from engine.stages import STAGE_A, STAGE_B, Stage
from engine.words.printable import clean_line

#: Hears a remark on what was guessed or not understood.
Note = Callable[[str], None]
Labels = dict[str, int | None]
Diagnoses = list[tuple[str, str]]

_MIMIC_PATH = re.compile(r"(?:^|/)p(1\d{7})/s(5\d{7})(?:/|\.)")
_CONTEXT_LINE = re.compile(r"^clinical context:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Importer:
    """What all records of an import share. image_root: where images are looked for; None looks for none."""

    field_map: FieldMap
    image_root: Path | None

    def sample(
        self,
        record: Mapping[str, Any],
        note: Note,
        unknown: Callable[[list[str]], None],
        file_split: str | None = None,
    ) -> Sample:
        """The record as a sample, with split "" where it has none. Raises Unusable with the reason.

        unknown: hears the names of the fields that nothing was made of. file_split: what the file's name says.
        """
        understood = understand(record, self.field_map)
        unknown(understood.unknown)
        for name, mark in understood.marks:
            note(f"{name[:40]}: {mark!r} read as missing")
        ours, names = _with_exchange(understood, note)
        _join_input(record, names, ours, note)
        target = target_text(ours.get("target"), names.get("target", "target"), note)
        image = image_path(ours.get("image"), self.image_root, note)
        stage = _stage(ours, note)
        patient, study = _patient_and_study(ours, image, note)
        labels = _labels(understood.columns, ours.get("labels"), note)
        diagnoses = _diagnoses(ours, names.get("icd", ""), note)
        if stage.line == "labels":
            target, labels = _with_label_line(target, labels, note)
        else:
            target, diagnoses = _with_icd_line(target, diagnoses, note)
        prompt, ehr = _prompt(stage, ours, note)
        sample = Sample(
            id=_name(ours.get("id"), note) or f"{study}-{stage.letter.lower()}",
            subject_id=patient,
            study_id=study,
            stage=stage.name,
            image=image,
            prompt=prompt,
            target=target,
            labels=complete_labels(labels),
            ehr=ehr,
            icd=tuple(code for code, _ in diagnoses),
            split=_split(ours.get("split"), file_split, note),
        )
        _refuse_unreadable(sample)
        return sample


def _with_exchange(understood: Understood, note: Note) -> tuple[dict[str, Any], dict[str, str]]:
    """Our fields, and what they were called, with those that a conversation tells.

    Prompt and target of their own, by just these names or a mapping's, count more than the conversation.
    """
    ours, names = dict(understood.ours), dict(understood.names)
    turns = decoded(ours.get("conversations"))
    prompt, target = (decoded(ours.get(name)) for name in ("prompt", "target"))
    if turns is None and is_turns(prompt):
        # Question and answer as two lists of turns.
        answer = target if is_turns(target) else [{"role": "assistant", "content": target}]
        turns = prompt + (answer if target is not None else [])
        ours = {name: value for name, value in ours.items() if name not in ("prompt", "target")}
    if turns is None:
        return ours, names
    told = {name: value for name, value in first_exchange(turns, note).items() if not is_missing(value)}
    for name, value in told.items():
        if name not in ours:
            ours[name], names[name] = value, "conversations"
        elif name != "image" and plain_name(names[name]) not in ("prompt", "target", "constants"):
            note(f"{names[name][:40]} not used: the conversation has its own {name}")
            ours[name], names[name] = value, "conversations"
        elif name != "image" and value != ours[name]:
            note(f"{name} taken instead of the conversation's")
    return ours, names


def _join_input(
    record: Mapping[str, Any], names: Mapping[str, str], ours: dict[str, Any], note: Note
) -> None:
    """Alpaca's form has half of the question in `instruction` and the other half in `input`."""
    more = next((value for name, value in record.items() if plain_name(name) == "input"), None)
    if (
        plain_name(names.get("prompt", "")) == "instruction"
        and isinstance(more, str)
        and not is_missing(more)
    ):
        ours["prompt"] = f"{ours['prompt']}\n{more}"
        note("input put below the instruction")


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


def _split(value: Any, file_split: str | None, note: Note) -> str:
    """The record's own split, else the one that its file is named by, else ""."""
    if value is None:
        if file_split is None:
            return ""
        note(f"split {file_split} taken from the file's name")
        return file_split
    split = split_of(value)
    if split is None:
        raise Unusable(f"unknown split {clean_line(str(value))[:40]!r}")
    if file_split not in (None, split):
        note(f"split {split} of the record counts, not {file_split} of the file's name")
    return split


def _patient_and_study(ours: Mapping[str, Any], image: str, note: Note) -> tuple[str, str]:
    """Both ids as given, else from a path in MIMIC's form, else from the image: patients cannot be told apart then."""
    patient, study = (_identifier(name, ours.get(name)) for name in ("subject_id", "study_id"))
    if (match := _MIMIC_PATH.search(image)) is not None:
        if patient not in ("", match[1]) or study not in ("", match[2]):
            note("patient or study id is another one than in the image's path: the field counts")
        return patient or match[1], study or match[2]
    if not patient:
        note("no patient id: the image counts as a patient of its own, and splits may share patients")
    # With its ending: a film "3.png" must not become patient 3.
    return patient or image, study or image.rsplit(".", 1)[0]


def _identifier(name: str, value: Any) -> str:
    if value is None:
        return ""
    try:
        return identifier(value)
    except ValueError as error:
        raise Unusable(f"{name} {error}") from None


def _name(value: Any, note: Note) -> str:
    if isinstance(value, str | int | float):
        return clean_line(str(value))
    if value is not None:
        note("id is neither text nor number: ours taken")
    return ""


def _labels(columns: Mapping[str, Any], value: Any, note: Note) -> Labels:
    marks: list[str] = []
    labels, unknown = labels_of({name: without_missing(state, marks) for name, state in columns.items()})
    for mark in dict.fromkeys(marks):
        note(f"label {mark!r} read as blank")
    if value is not None:
        more, strange = labels_of(value)
        if any(labels.get(name) not in (None, state) for name, state in more.items()):
            note("label columns and labels say different things: the labels count")
        labels, unknown = {**labels, **more}, unknown + strange
    for text in unknown:
        note(f"label not understood: {text[:60]}")
    return labels


def _diagnoses(ours: Mapping[str, Any], name: str, note: Note) -> Diagnoses:
    """The codes; their version is the record's own, else the one that the field is named by, else told by the form."""
    if "icd" not in ours:
        return []
    version = None
    if "icd_version" in ours:
        version = version_of(ours["icd_version"])
        if version is None:
            note(f"ICD codes left out: version not understood: {clean_line(str(ours['icd_version']))[:40]}")
            return []
    elif plain_name(name) in ("icd9", "icd10"):
        version = plain_name(name).removeprefix("icd")
    codes = icd_of(ours["icd"], version)
    for text in codes.unknown:
        note(f"ICD code not understood: {text[:60]}")
    for text in codes.guessed:
        note(f"ICD version guessed from the form of {text}, which fits both")
    return codes.diagnoses


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
    given = ours.get("prompt", "")
    if not isinstance(given, str):
        raise Unusable("prompt is no text")
    prompt = lines_of(without_image_tokens(given))
    if "ehr" in ours:
        marks: list[str] = []
        text, values = ehr_of(without_missing(decoded(ours["ehr"]), marks))
        for mark in dict.fromkeys(marks):
            note(f"value {mark!r} in the EHR context read as missing")
        if text := (lines_of(text) if lines_of(text) in prompt else clean_line(text)):
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
