"""On which rows each sentence of a stage B sample stands: written beside the curriculum, for `data explain`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.mimic.ehr_context import EhrContext
from engine.data.mimic.reasoning import Sentence
from engine.data.mimic.studies import Study
from engine.errors import UserError
from engine.files.plain_file import open_plain

NAME = "sources.jsonl"


def sources_line(sample_id: str, study: Study, target: Sequence[Sentence]) -> str:
    """The line of one sample: `{"id","prompt":[[what, source]…],"target":[[sentence, [source…]]…],"icd":[…]}`."""
    return json.dumps(
        {
            "id": sample_id,
            "prompt": _told(study.context) + [[one.title, one.source] for one in study.history],
            "target": [[sentence.text, list(sentence.sources)] for sentence in target],
            "icd": [[one.code, one.source, one.group] for one in study.diagnoses],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def explained(curriculum: Path, sample_id: str) -> Mapping[str, Any]:
    """What `sources_line` wrote of the sample. Raises UserError if it is not there."""
    path = (curriculum if curriculum.is_dir() else curriculum.parent) / NAME
    wanted = f'{{"id":{json.dumps(sample_id, ensure_ascii=False)},'
    try:
        with open_plain(path) as lines:
            found = next((line for line in lines if line.startswith(wanted)), None)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); `data build` writes it beside the curriculum"
        ) from error
    if found is None:
        raise UserError(f"{path}: tells nothing of a sample {sample_id}; stage B's ids end with -b")
    record: dict[str, Any] = json.loads(found)
    return record


def lines(record: Mapping[str, Any]) -> list[str]:
    """For people."""
    told = [f"  {what}\n      {source}" for what, source in record["prompt"]]
    said = [
        f"  {text}\n" + "\n".join(f"      {source}" for source in sources)
        for text, sources in record["target"]
    ]
    codes = [f"  {code} ({group})\n      {source}" for code, source, group in record["icd"]]
    return [record["id"], "known before the film:", *told, "target:", *said, "codes:", *codes]


def _told(context: EhrContext) -> list[list[str]]:
    return [
        [f"{name} {value}" + (f" ({value.mark})" if value.mark else ""), value.source]
        for name, value in (*context.vitals.items(), *context.labs.items())
    ]
