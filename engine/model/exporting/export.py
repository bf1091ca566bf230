"""`export`: what a run has learned, as an adapter for plain PEFT or as a whole model for plain transformers.

Nothing leaves the run before it is shown to answer as the run's own model does: the files that were written are
loaded by the plain library and their logits held against those of base plus adapter.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel
from PIL import Image
from safetensors.torch import save_file
from transformers import LlavaForConditionalGeneration

from engine.data.curriculum import NO_EHR
from engine.errors import UserError
from engine.files.new_directory import new_directory, refuse_existing
from engine.model.convert import copy_companion_files, write_companion_files, write_shards
from engine.model.exporting.card import Checked, model_card
from engine.model.exporting.card_facts import read_facts
from engine.model.llava_mistral import read_config
from engine.model.loading import Base, model_type_of
from engine.model.lora import adapter_state, save_adapter_config
from engine.model.trained import Trained, load_trained
from engine.model.weight_files import legacy_name
from engine.runs.layout import RunPaths
from engine.stages import STAGES

#: Largest difference between the exported model's logits and the run's, as a share of the largest logit. In float32
#: only the order of sums differs; bfloat16 keeps 8 bits of a merged weight.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}

#: An adapter whose answer differs from the base's by less than this does nothing.
LEAST_EFFECT = 1e-6

#: What is done, how much of it and of how much.
Tell = Callable[[str, int, int], None]

_ANSWER = "The lungs are clear. There is no pleural effusion.\nCheXpert: No Finding"


@dataclass(frozen=True)
class _Probe:
    """A film and a question with its answer: what exported and trained model are compared on."""

    ids: torch.Tensor
    pixels: torch.Tensor


def _silent(_what: str, _done: int, _total: int) -> None: ...


def export(
    paths: RunPaths, target: Path, merged: bool, checkpoint: str | None, tell: Tell = _silent
) -> Checked:
    """Write the new directory `target`; a failure leaves nothing there.

    tell: called with what is done, how much of it and of how much, 0 of 0 where that is not known.
    Raises `UserError` where the adapter does nothing, or what was written does not answer as the run's model does.
    """
    refuse_existing(target)
    tell("loading the base and the adapter", 0, 0)
    trained = load_trained(paths, checkpoint)
    probes = _probes(trained.base)
    vocabulary = trained.base.vocabulary
    adapted = _logits(trained.model, probes, vocabulary)
    with trained.model.disable_adapter():
        effect = distance(_logits(trained.model, probes, vocabulary), adapted)
    if effect < LEAST_EFFECT:
        raise UserError(
            f"{trained.checkpoint}: the adapter does not change what the base answers; there is nothing to export"
        )
    with new_directory(target, _bytes_of(trained, merged)) as out:
        write = _write_merged if merged else _write_adapter
        answers = write(trained, out, probes, tell)
        error, tolerance = distance(answers, adapted), _tolerance(trained)
        if error > tolerance or error > effect / 2:
            raise UserError(
                f"{trained.checkpoint}: what was exported answers differently from the run's model (by {error:.1e} of "
                f"the largest logit; allowed are {tolerance:.0e} and half of the adapter's effect, {effect / 2:.1e}); "
                + ("export without --merged" if merged else "nothing was kept")
            )
        checked = Checked(merged, effect, error, tolerance)
        card = model_card(read_facts(paths, trained.config, trained.checkpoint), checked)
        (out / "README.md").write_text(card, encoding="utf-8")
    return checked


def distance(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    """Largest difference of two arrays of logits, as a share of the largest of `theirs`; infinite where one is NaN."""
    gap = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return gap if np.isfinite(gap) else float("inf")


def _probes(base: Base) -> list[_Probe]:
    """A synthetic film, portrait, and the questions of both stages: no patient is needed to compare two models."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:320, 0:256]
    shade = 96 + 64 * np.sin(rows / 37) * np.cos(columns / 29) + generator.normal(0, 12, rows.shape)
    film = Image.fromarray(shade.clip(0, 255).astype(np.uint8))
    pixels = torch.from_numpy(base.image_processor(film))[None]
    return [
        _Probe(torch.tensor([base.encoder.training(prompt, _ANSWER)[0]]), pixels)
        for prompt in (stage.prompt.format(ehr=NO_EHR) for stage in STAGES)
    ]


def _logits(model: Any, probes: list[_Probe], vocabulary: int) -> np.ndarray[Any, Any]:
    """(positions of all probes, vocabulary) float32."""
    with torch.inference_mode():
        rows = [
            model(input_ids=probe.ids, pixel_values=probe.pixels.to(model.dtype), use_cache=False)
            .logits[0, :, :vocabulary]
            .float()
            .numpy()
            for probe in probes
        ]
    return np.concatenate(rows)


def _tolerance(trained: Trained) -> float:
    return TOLERANCE[trained.base.model.dtype]


def _write_adapter(trained: Trained, out: Path, probes: list[_Probe], tell: Tell) -> np.ndarray[Any, Any]:
    """PEFT's own two files, from what was loaded: the run may be a stranger's, and its files links to anything.

    Returns the logits that plain PEFT gives with them.
    """
    save_file(adapter_state(trained.model), out / "adapter_model.safetensors", metadata={"format": "pt"})
    # a path on the machine it was trained on says nothing elsewhere
    save_adapter_config(trained.model, out, trained.config.base_directory.name)
    tell("loading it again, to check what it answers", 0, 0)
    written = LoraConfig.from_pretrained(str(out))
    # PEFT would match the expression without a limit of time
    written.target_modules = trained.model.peft_config["default"].target_modules
    loaded = PeftModel.from_pretrained(trained.model.unload(), str(out), config=written)
    return _logits(loaded.eval(), probes, trained.base.vocabulary)


def _write_merged(trained: Trained, out: Path, probes: list[_Probe], tell: Tell) -> np.ndarray[Any, Any]:
    """A whole model directory; the logits that plain transformers gives with it."""
    dtype, vocabulary = trained.base.model.dtype, trained.base.vocabulary
    tell("merging", 0, 0)
    model = trained.model.merge_and_unload(safe_merge=True)
    count = sum(1 for _ in model.named_parameters())
    write_shards(_named_as_on_disk(model), count, out, partial(tell, "writing tensors"))
    base = trained.config.base_directory
    if model_type_of(base) == "llava":
        copy_companion_files(base, out, dtype)
    else:
        write_companion_files(read_config(base), out, dtype)
    tell("loading it again, to check what it answers", 0, 0)
    loaded = LlavaForConditionalGeneration.from_pretrained(
        str(out), dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
    )
    return _logits(loaded.eval(), probes, vocabulary)


def _named_as_on_disk(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, parameter in model.named_parameters():
        on_disk = legacy_name(name)
        assert on_disk is not None, name
        yield on_disk, parameter.detach()


def _bytes_of(trained: Trained, merged: bool) -> int:
    if merged:
        return sum(one.numel() * one.element_size() for one in trained.base.model.parameters())
    return sum(file.stat().st_size for file in trained.checkpoint.glob("adapter_model*"))
