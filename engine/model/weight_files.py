"""The safetensors of a model directory: index, headers, and the audit of names and shapes before anything loads."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import SafetensorError, safe_open
from transformers import LlavaConfig, LlavaForConditionalGeneration

from engine.errors import UserError
from engine.model.json_file import read_object
from engine.model.llava_mistral import IGNORED, OriginalConfig, target_name

Shape = tuple[int, ...]


@dataclass
class Audit:
    """Names and shapes of a checkpoint held against those its configuration asks for."""

    tensors: int = 0
    parameters: int = 0
    bytes: int = 0
    dtypes: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not (self.missing or self.unexpected or self.reshaped)

    def complaint(self) -> str:
        """One line that lists what is wrong by name."""
        parts = [
            f"{len(names)} {word}: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"
            for word, names in (
                ("missing", self.missing),
                ("unexpected", self.unexpected),
                ("of another shape", self.reshaped),
            )
            if names
        ]
        return "; ".join(parts)


def shards(directory: Path) -> list[Path]:
    """The safetensors files of a model directory in index order. Raises `UserError` if one is not there."""
    index = directory / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(read_object(index)["weight_map"].values()))
        except (KeyError, AttributeError, TypeError):
            raise UserError(f"{index}: not a shard index; fetch the file again") from None
        if any(not isinstance(name, str) or Path(name).name != name for name in names):
            raise UserError(f"{index}: names files outside the directory")
        absent = [name for name in names if not (directory / name).is_file()]
        if absent:
            raise UserError(
                f"{directory}: {len(absent)} of {len(names)} shards are missing: {', '.join(absent)}; fetch them"
            )
        return [directory / name for name in names]
    single = directory / "model.safetensors"
    if single.is_file():
        return [single]
    raise UserError(f"{directory}: no model.safetensors and no model.safetensors.index.json")


def headers(directory: Path) -> dict[str, tuple[Shape, str, Path]]:
    """Every tensor's shape, dtype and file, from the shards' headers alone."""
    found: dict[str, tuple[Shape, str, Path]] = {}
    for shard in shards(directory):
        try:
            with safe_open(shard, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  (not a mapping)
                    view = file.get_slice(name)
                    found[name] = (tuple(view.get_shape()), str(view.get_dtype()), shard)
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{shard}: cannot be read as safetensors ({error}); fetch the file again"
            ) from None
    return found


def expected_shapes(original: OriginalConfig) -> dict[str, Shape]:
    """Every original tensor name the configuration asks for, with the checkpoint's own vocabulary."""
    shapes: dict[str, Shape] = {}
    for name, shape in in_memory_shapes(original.llava, original.directory).items():
        if name.endswith(("embed_tokens.weight", "lm_head.weight")):
            shape = (original.vocabulary, *shape[1:])
        shapes[original_name(name)] = shape
    return shapes


def in_memory_shapes(config: LlavaConfig, directory: Path) -> dict[str, Shape]:
    """Every parameter of the in-memory model, built without its values. Raises `UserError` where none can be built."""
    try:
        with init_empty_weights():
            model = LlavaForConditionalGeneration(config)
    except (TypeError, ValueError, KeyError, ArithmeticError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{directory / 'config.json'}: no model can be built from it: {reason}") from None
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    if config.tie_word_embeddings:  # the head is the embedding, and no file has it twice
        shapes.pop("lm_head.weight", None)
    return shapes


def tensors_of(directory: Path) -> dict[str, tuple[Shape, str, Path]]:
    """The headers without the buffers that are computed, not learned."""
    return {name: entry for name, entry in headers(directory).items() if not IGNORED.search(name)}


def audit(original: OriginalConfig) -> Audit:
    """Hold the shards' headers against the configuration; names are the original ones."""
    return hold_against(expected_shapes(original), tensors_of(original.directory))


def hold_against(expected: dict[str, Shape], found: dict[str, tuple[Shape, str, Path]]) -> Audit:
    """What there is against what there should be."""
    result = Audit()
    for name, (shape, dtype, _) in found.items():
        count = 1
        for extent in shape:
            count *= extent
        result.tensors += 1
        result.parameters += count
        result.bytes += count * _BYTES.get(dtype, 4)
        result.dtypes[dtype] = result.dtypes.get(dtype, 0) + 1
        if name not in expected:
            result.unexpected.append(name)
        elif shape != expected[name]:
            result.reshaped.append(f"{name} {list(shape)}, expected {list(expected[name])}")
    result.missing = sorted(set(expected) - set(found))
    result.unexpected.sort()
    return result


def refuse_unless_complete(original: OriginalConfig) -> Audit:
    """The audit of a checkpoint that loads whole. Raises `UserError` naming each tensor that does not fit."""
    result = audit(original)
    if not result.ok:
        raise UserError(f"{original.directory}: tensors do not fit config.json: {result.complaint()}")
    return result


def renamed_tensors(
    original: OriginalConfig, dtype: torch.dtype | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor under its transformers name, with rows for `<image>` and `<pad>` appended.

    The new input rows are the mean embedding (they are never looked up for their own sake); the new output rows
    are zero, and both loss and generation leave them out.
    """
    rows = original.llava.text_config.vocab_size - original.vocabulary
    for shard in shards(original.directory):
        with safe_open(shard, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                if IGNORED.search(name):
                    continue
                tensor = file.get_tensor(name)
                if name == "model.embed_tokens.weight":
                    mean = tensor.float().mean(dim=0, keepdim=True).to(tensor.dtype)
                    tensor = torch.cat([tensor, mean.expand(rows, -1)])
                elif name == "lm_head.weight":
                    tensor = torch.cat([tensor, tensor.new_zeros(rows, tensor.shape[1])])
                target = target_name(name)
                assert target is not None, name  # the audit has refused every other name
                yield target, tensor if dtype is None else tensor.to(dtype)


def legacy_name(parameter: str) -> str | None:
    """The name that every transformers release reads from disk, of a parameter of the in-memory model; else None."""
    return target_name(original_name(parameter))


_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "I64": 8, "I32": 4, "U8": 1}


def original_name(name: str) -> str:
    """The original name of a parameter of transformers' in-memory model."""
    if name.startswith("model.vision_tower."):
        rest = name.removeprefix("model.vision_tower.").removeprefix("vision_model.")
        return f"model.vision_tower.vision_tower.vision_model.{rest}"
    if name.startswith("model.multi_modal_projector."):
        rest = name.removeprefix("model.multi_modal_projector.")
        return "model.mm_projector." + rest.replace("linear_1.", "0.").replace("linear_2.", "2.")
    if name.startswith("model.language_model."):
        return "model." + name.removeprefix("model.language_model.")
    return name
