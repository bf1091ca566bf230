"""The model card of an export: what it is, what it was made of, how good it is and what it must not be used for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from engine.metrics import registry
from engine.metrics.scores import figure
from engine.model.exporting.card_facts import THIS_MODEL, Facts, Scores
from engine.stages import STAGE_NAMES, STAGES, stage_of

_BUNDLED = "the tiny one that ships with cxr-cockpit, in `engine/model/base`"
_MEANINGS = {
    THIS_MODEL: THIS_MODEL,
    "constant": "one constant answer",
    "shuffled": "its answers given to the wrong case",
    "blank_image": "the image blanked",
    "blank_ehr": "the record blanked",
    "base_model": "the base without the adapter",
}


@dataclass(frozen=True)
class Checked:
    """What was seen when the exported files were loaded again; the figures are shares of the largest logit.

    effect: how far the adapter moves the base's answer. error: how far the exported model's is from the run's.
    """

    merged: bool
    effect: float
    error: float
    tolerance: float


def model_card(facts: Facts, checked: Checked) -> str:
    """The card as Markdown with the hub's front matter."""
    parts = [
        _front_matter(facts, checked),
        f"# {facts.run}: {facts.checkpoint}",
        _purpose(facts, checked),
        "## Base and training",
        "\n".join(_training(facts)),
        "## Data",
        "\n".join(_data(facts)),
        "## Scores",
        "\n\n".join(_scores(facts)),
        "## Checked at export",
        _check(checked),
        "## How to load it",
        _loading(facts, checked),
        "## Limits",
        _limits(facts),
        "## Licence and terms",
        _terms(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(facts: Facts, checked: Checked) -> str:
    lines = [
        "---",
        "license: other",
        f"library_name: {'transformers' if checked.merged else 'peft'}",
        "pipeline_tag: image-text-to-text",
        "tags: [chest-x-ray, radiology, llava, lora]",
        *([f"base_model: {facts.repo}"] if facts.repo else []),
        "---",
    ]
    return "\n".join(lines)


def _purpose(facts: Facts, checked: Checked) -> str:
    what = (
        "A LLaVA model with a LoRA adapter merged into it"
        if checked.merged
        else "A LoRA adapter for a LLaVA model"
    )
    drawn = (
        " It was trained on phantoms, drawn pictures with drawn-up records, and knows nothing of patients."
    )
    return (
        f"{what}, trained on chest X-rays in two stages.{drawn if facts.phantoms else ''} "
        "**For research. Not a medical device; nothing it writes is fit for clinical use.**"
        + ("" if facts.phantoms else f"\n\n{_RESTRICTED}")
    )


_RESTRICTED = (
    "**Made from patients' data: before you pass these files on, read the terms at the end. "
    "With MIMIC among the data, only credentialed users may have them.**"
)


def _training(facts: Facts) -> Iterator[str]:
    config, reached = facts.config, facts.meta
    base = _BUNDLED if facts.bundled else f"`{facts.base}`"
    if facts.repo:
        base += f", fetched as `{facts.repo}` at commit `{facts.commit}`"
    yield f"- base: {base}; its weights were frozen, in {config.model.precision}"
    lora = config.lora
    projector = "; the projector was trained whole" if lora.train_projector else ""
    scaling = ", rank-stabilised" if lora.rslora else ""
    yield f"- adapter: LoRA of rank {lora.rank}, alpha {lora.alpha:g}, dropout {lora.dropout:g}{scaling}{projector}"
    ended = {"finished": "its end", "stopped": "where it was stopped"}.get(reached.ended, "under way")
    yield f"- this checkpoint: {reached.stage}, step {reached.step:,} of {reached.steps:,} ({ended})"
    for place, name in enumerate(STAGE_NAMES[: STAGE_NAMES.index(reached.stage) + 1]):
        stage = facts.stage(name)
        earlier = " and ".join(one.letter for one in STAGES[:place])
        replay = f", {stage.replay:.0%} of stage {earlier} mixed in" if stage.replay else ""
        loss = f"; {_loss(facts, name)}" if name in facts.losses else ""
        yield (
            f"- stage {_task(name)}: {stage.epochs} epochs, learning rate {stage.learning_rate:g}, "
            f"{stage.batch_size} × {stage.accumulation} samples a step{replay}{loss}"
        )
    yield f"- seed {config.seed}; a run's order, dropout and fresh weights follow from it"


def _task(name: str) -> str:
    stage = stage_of(name)
    return f"{stage.letter}: {stage.task}"


def _loss(facts: Facts, stage: str) -> str:
    """`last validation loss 1.410, a token of an answer's mean over 1,125 samples`"""
    validated = facts.counts.get((stage, "val"))
    limit = facts.config.evaluation.validation_limit
    over = f" over {min(validated.samples, limit or validated.samples):,} samples" if validated else ""
    return f"last validation loss {facts.losses[stage]:.3f} (cross-entropy of an answer's token, mean{over})"


def _data(facts: Facts) -> Iterator[str]:
    if not facts.counts:
        yield "The curriculum was not at hand when this card was written."
        return
    yield "| stage | split | samples | patients | films |"
    yield "|---|---|---:|---:|---:|"
    for (stage, split), one in facts.counts.items():
        yield f"| {stage} | {split} | {one.samples:,} | {one.patients:,} | {one.films:,} |"
    yield ""
    yield "Splits are by patient." + (" All patients are phantoms." if facts.phantoms else "")


def _scores(facts: Facts) -> Iterator[str]:
    if not facts.scores:
        yield (
            f"This checkpoint was not evaluated. `cxr-cockpit evaluate {facts.run} --checkpoint {facts.checkpoint}` "
            "does it, with baselines; then export again."
        )
        return
    for split, scores in facts.scores.items():
        yield "\n".join(_table(split, scores))
        if scores.keys() == {THIS_MODEL}:
            yield (
                f"Without baselines these figures say little: `cxr-cockpit evaluate {facts.run} --checkpoint "
                f"{facts.checkpoint}` measures them."
            )
    if "val" in facts.scores:
        yield "`val` also chose among checkpoints while it trained: expect less on cases that nobody has looked at."
    policy = next(
        (
            policy
            for conditions in facts.scores.values()
            for stages in conditions.values()
            for one in stages.values()
            if (policy := figure(one, "chexpert.policy"))
        ),
        "",
    )
    yield (
        "BLEU is sacrebleu's corpus BLEU (13a, cased) on the prose without the label or ICD line, divided by 100. "
        + (f"Labels F1: {policy}. " if policy else "")
        + "The references' labels come from an automatic labeler and are wrong now and then. "
        "ICD F1: micro, whole codes; an unreadable line counts as no codes."
    )


def _table(split: str, scores: Scores) -> Iterator[str]:
    yield f"Split `{split}`:"
    yield ""
    shown = [metric for metric in registry.METRICS if metric.card]
    yield f"| | stage | n | {' | '.join(metric.card for metric in shown)} |"
    yield f"|---|---|---:|{'---:|' * len(shown)}"
    for condition, meaning in _MEANINGS.items():
        for stage, one in sorted(scores.get(condition, {}).items()):
            figures = " | ".join(_figure(figure(one, metric.id)) for metric in shown)
            yield f"| {meaning} | {stage} | {one['n']:,} | {figures} |"


def _figure(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


def _check(checked: Checked) -> str:
    library = "transformers" if checked.merged else "peft"
    how = f"plain {library} {version(library)}"
    return (
        f"The files were loaded again by {how} and asked two questions about a synthetic film. Their logits are within "
        f"{checked.error:.1e} of those of the run's model (allowed {checked.tolerance:.0e}); the adapter moves the "
        f"base's by {checked.effect:.1e}. All as shares of the largest logit."
    )


def _loading(facts: Facts, checked: Checked) -> str:
    if checked.merged:
        model = 'model = LlavaForConditionalGeneration.from_pretrained("THIS_DIRECTORY")\n'
        return f"```python\n{_IMPORTS}\n{model}{_ask('THIS_DIRECTORY')}```\n\n{_questions(facts)}"
    base = _BUNDLED if facts.bundled else f"`{facts.repo or facts.base}`"
    return (
        f"The base is {base}. transformers does not know its format by itself: "
        "`cxr-cockpit model convert BASE --to BASE_HF` writes one that it does.\n\n"
        f"```python\nfrom peft import PeftModel\n{_IMPORTS}\n"
        'base = LlavaForConditionalGeneration.from_pretrained("BASE_HF")\n'
        'model = PeftModel.from_pretrained(base, "THIS_DIRECTORY")\n'
        f"{_ask('BASE_HF')}```\n\n{_questions(facts)}"
    )


_IMPORTS = "from PIL import Image\nfrom transformers import AutoProcessor, LlavaForConditionalGeneration\n"


def _ask(processor: str) -> str:
    """A film and a question, to the text of the answer."""
    return (
        f'processor = AutoProcessor.from_pretrained("{processor}")\n'
        'asked = "[INST] <image>\\nQUESTION [/INST]"\n'
        'inputs = processor(images=Image.open("film.png"), text=asked, return_tensors="pt")\n'
        "written = model.generate(**inputs, max_new_tokens=256, do_sample=False)\n"
        'print(processor.decode(written[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))\n'
    )


def _questions(facts: Facts) -> str:
    if not facts.questions:
        return "It knows the questions of its curriculum, in their words; to others it answers worse."
    asked = [f"- {_task(stage)}: `{json.dumps(words)[1:-1]}`" for stage, words in facts.questions.items()]
    return "\n".join(
        ["It knows these questions, in these words (`{ehr}`: what is known of the patient):", "", *asked]
    )


def _limits(facts: Facts) -> str:
    seen = "drawn films" if facts.phantoms else "the films named above, with reports in one language"
    return (
        "- It invents findings, measurements and comparisons with earlier films that it has never seen.\n"
        f"- It was trained on {seen}; it is not known to hold anywhere else.\n{_LIMITS}"
    )


_LIMITS = """\
- Rare labels are learned worst; a micro-averaged F1 hides that, the macro-averaged one shows it.
- Scores against reference reports reward the same words, not the truth of what is said.
- Weights remember: text of training reports may be brought out of them."""


def _terms(facts: Facts) -> str:
    lines = []
    if facts.bundled:
        lines.append("- base: Apache-2.0, as cxr-cockpit")
    else:
        lines.append(
            "- base: the terms of the model it was made from. LLaVA-Med v1.5's card names Apache-2.0 and restricts it "
            "to research, not for clinical care; its authors' code and data are under the Microsoft Research License"
        )
    if facts.phantoms:
        lines.append("- data: phantoms made by cxr-cockpit, no restriction")
    else:
        lines.append(
            "- data: if it was MIMIC, these weights fall under PhysioNet's guidelines for models made from MIMIC "
            "and the data use agreement: credentialed users only, no sharing with third parties, no re-identification"
        )
    return "\n".join(lines)
