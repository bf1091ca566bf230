"""`report`: what a run's model writes about films of one's own."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.data.answers import read_answer
from engine.data.curriculum import NO_EHR, Sample, complete_labels, read_curriculum, without_ehr
from engine.data.images import open_image
from engine.data.mimic.ehr_context import EhrContext, Measurement
from engine.errors import UserError
from engine.files.plain_file import open_plain
from engine.model.trained import load_trained
from engine.runs.layout import RunPaths
from engine.stages import STAGES, Stage
from engine.training.batches import Collator
from engine.training.device.device import choose_device
from engine.training.sampling import generate
from engine.words.printable import clean_line

#: No record is that long, and no model reads so much.
MAX_RECORD_BYTES = 100_000

NOTICE = "Research only: not a medical device, nothing here is fit for clinical use."


@dataclass(frozen=True)
class Question:
    """A stage's prompt. known: whether it is the one that the run was trained on, rather than this project's own."""

    stage: Stage
    prompt: str
    known: bool


def reports(
    paths: RunPaths, images: Sequence[Path], ehr: Path | None, checkpoint: str | None
) -> Iterator[dict[str, Any]]:
    """One report an image, as it is written: stage A's answer, or with a patient's record stage B's.

    Raises `UserError` before the model is loaded where an image or the record cannot be read.
    """
    context = read_ehr(ehr) if ehr else None
    films = [(path, path.resolve()) for path in images]
    for given, film in films:
        if not film.exists():
            raise UserError(f"{given}: no such image")
        open_image(film.parent, film.name)
    trained = load_trained(paths, checkpoint)
    asked = question(trained.config.data.curriculum, context)
    base, settings = trained.base, trained.config.evaluation
    length, longest = len(base.encoder.prompt(asked.prompt)), trained.config.data.max_length
    if length > longest:
        raise UserError(
            f"{ehr}: makes a prompt of {length:,} tokens, and the run has learned from up to {longest:,} "
            "(data.max_length); shorten it"
        )
    trained.model.to(choose_device(trained.config.model.device))
    for given, film in films:
        collator = Collator(film.parent, base.image_processor, base.pad_id)
        sample = _sample(film.name, asked)
        (text,) = generate(trained.model, base, [sample], collator, 1, settings.max_new_tokens, lambda: None)
        yield {
            "image": str(given),
            "stage": asked.stage.name,
            "checkpoint": trained.checkpoint.name,
            "prompt": asked.prompt,
            "prompt_known": asked.known,
            **asdict(read_answer(text, asked.stage.line)),
            "generated": text,
            "notice": NOTICE,
        }


def question(curriculum: Path, context: str | None) -> Question:
    """The prompt that the run was trained on, with `context` as the record; ours where there is no curriculum."""
    stage = next(one for one in STAGES if one.reads_record == (context is not None))
    try:
        samples = read_curriculum(curriculum)
    except UserError:
        samples = []
    prompts = Counter(
        without_ehr(one).prompt for one in samples if one.stage == stage.name and one.split == "train"
    )
    commonest = prompts.most_common(1)
    known = commonest[0][0] if commonest else stage.prompt.format(ehr=NO_EHR)
    if context is None:
        return Question(stage, known, bool(commonest))
    if NO_EHR not in known:  # the record cannot be told apart in these prompts
        return Question(stage, stage.prompt.format(ehr=context), False)
    return Question(stage, known.replace(NO_EHR, context, 1), bool(commonest))


def read_ehr(path: Path) -> str:
    """The context for a prompt: a text file as it is, on one line, or JSON with the fields of a sample's `ehr`."""
    try:
        with open_plain(path, "rb") as file:
            raw: bytes = file.read(MAX_RECORD_BYTES + 1)
        content = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read as text ({reason})") from None
    if len(raw) > MAX_RECORD_BYTES:
        raise UserError(
            f"{path}: is more than {MAX_RECORD_BYTES:,} bytes; give what is known before the film alone"
        )
    if path.suffix.lower() == ".json":
        try:
            text = _from_json(json.loads(content))
            text.encode()  # half a character, which JSON can spell, is none
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path}: not a record ({error}); known are age, sex, complaint, history, and vitals and labs as "
                '{"Creatinine": {"value": 2.4, "unit": "", "mark": "high"}}; or text alone'
            ) from None
    else:
        text = clean_line(content)
    if not text:
        raise UserError(f"{path}: is empty")
    return text


def _from_json(raw: dict[str, Any]) -> str:
    if raw.get("text"):
        return clean_line(str(raw["text"]))
    unknown = raw.keys() - {"age", "sex", "complaint", "vitals", "labs", "history", "text"}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)}")
    vitals, labs = (
        {name: Measurement(float(one["value"]), one.get("unit") or "", one.get("mark")) for name, one in
         (raw.get(kind) or {}).items()}
        for kind in ("vitals", "labs")
    )  # fmt: skip
    history = [str(one) for one in raw.get("history") or []]
    return EhrContext(
        raw.get("age"), raw.get("sex"), raw.get("complaint") or "", vitals, labs, history
    ).text()


def _sample(image: str, asked: Question) -> Sample:
    """Nothing of it but image and prompt is looked at."""
    return Sample(
        id=image,
        subject_id="-",
        study_id="-",
        stage=asked.stage.name,
        image=image,
        prompt=asked.prompt,
        target="-",
        labels=complete_labels({}),
        ehr=None,
        icd=(),
        split="test",
    )
