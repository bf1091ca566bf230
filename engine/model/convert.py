"""`model convert`: an original checkpoint written as a directory that plain transformers loads.

Tensors get the names every transformers release reads ("legacy" LLaVA names): those saved by newer releases lose the
vision tower in older ones without an error.
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken
from transformers import LlamaTokenizer

from engine.errors import UserError
from engine.files.new_directory import new_directory, refuse_existing
from engine.files.temporary import holder
from engine.model import weight_files
from engine.model.companion_files import FILES, TOKENIZER_FILES, copy_files
from engine.model.image_processor import ImageProcessor
from engine.model.json_file import read_object
from engine.model.llava_mistral import OriginalConfig, read_config
from engine.model.tokenizer import IMAGE_TOKEN, PAD_TOKEN

#: Output shards stay below this, so that no more than one is in memory at a time.
SHARD_BYTES = 4 * 2**30


def convert(source: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the converted model into the new directory `target`; a failure leaves nothing there.

    progress: called with (tensors written, tensors in all). Raises `UserError` on tensors that do not fit.
    """
    refuse_existing(target)
    original = read_config(source)
    found = weight_files.refuse_unless_complete(original)
    with new_directory(target, found.bytes) as partial:
        write_shards(weight_files.renamed_tensors(original), found.tensors, partial, progress)
        write_companion_files(original, partial, _dominant_dtype(found))


def write_companion_files(original: OriginalConfig, out: Path, dtype: torch.dtype) -> None:
    """Everything but the weights that plain transformers asks of a directory."""
    original.llava.dtype = dtype
    original.llava.save_pretrained(out)
    _write_generation_config(original, out)
    _write_processor(original, out)
    _write_tokenizer(original, out)


def copy_companion_files(source: Path, out: Path, dtype: torch.dtype) -> None:
    """The same from a directory that has it already, a converted one; `dtype` is that of the weights in `out`."""
    copy_files(source, FILES, out)
    config = read_object(out / "config.json")
    for section in (config, config.get("text_config", {}), config.get("vision_config", {})):
        for key in ("dtype", "torch_dtype"):
            if key in section:
                section[key] = str(dtype).removeprefix("torch.")
    _write_json(out / "config.json", config)


def _dominant_dtype(found: weight_files.Audit) -> torch.dtype:
    names = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
    return names.get(max(found.dtypes, key=lambda name: found.dtypes[name]), torch.float32)


def write_shards(
    tensors: Iterable[tuple[str, torch.Tensor]],
    total: int,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write named tensors, `total` of them, as shards with an index.

    progress: called with (tensors written, tensors in all).
    """
    groups: list[list[str]] = []
    pending: dict[str, torch.Tensor] = {}
    size = bytes_in_all = 0

    def flush() -> None:
        nonlocal pending, size
        save_file(pending, out / f"part-{len(groups)}.safetensors", metadata={"format": "pt"})
        groups.append(list(pending))
        pending, size = {}, 0

    for written, (name, tensor) in enumerate(tensors, 1):
        length = tensor.numel() * tensor.element_size()
        if pending and size + length > SHARD_BYTES:
            flush()
        pending[name] = tensor.contiguous()
        size += length
        bytes_in_all += length
        if progress:
            progress(written, total)
    flush()

    weight_map: dict[str, str] = {}
    for number, names in enumerate(groups):
        file = f"model-{number + 1:05d}-of-{len(groups):05d}.safetensors"
        (out / f"part-{number}.safetensors").rename(out / file)
        weight_map.update(dict.fromkeys(names, file))
    index = {"metadata": {"total_size": bytes_in_all}, "weight_map": dict(sorted(weight_map.items()))}
    _write_json(out / "model.safetensors.index.json", index)


def _write_generation_config(original: OriginalConfig, out: Path) -> None:
    text = original.llava.text_config
    _write_json(
        out / "generation_config.json",
        {
            "bos_token_id": text.bos_token_id,
            "eos_token_id": text.eos_token_id,
            "pad_token_id": text.pad_token_id,
            # the rows behind the vocabulary were never trained
            "suppress_tokens": list(range(original.vocabulary, text.vocab_size)),
        },
    )


def _write_processor(original: OriginalConfig, out: Path) -> None:
    """Padding, patch size and the class token are said outright: each default is wrong for this model."""
    vision = original.llava.vision_config
    processor = ImageProcessor.for_tower(
        original.directory / str(original.raw["mm_vision_tower"]), vision.image_size
    )
    _write_json(
        out / "preprocessor_config.json",
        {
            "image_processor_type": "LlavaImageProcessor",
            "processor_class": "LlavaProcessor",
            "do_pad": True,
            "do_resize": True,
            "size": {"shortest_edge": processor.size},
            "do_center_crop": True,
            "crop_size": {"height": processor.size, "width": processor.size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(processor.mean),
            "image_std": list(processor.std),
            "do_convert_rgb": True,
            "resample": 3,
        },
    )
    _write_json(
        out / "processor_config.json",
        {
            "processor_class": "LlavaProcessor",
            "patch_size": vision.patch_size,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
            "image_token": IMAGE_TOKEN,
        },
    )


def _write_tokenizer(original: OriginalConfig, out: Path) -> None:
    if not any((original.directory / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        return  # a checkpoint without a tokenizer still converts; loading it for training will ask for one
    with holder(out) as own:  # transformers would follow links, and take files that it finds below
        copy_files(original.directory, TOKENIZER_FILES, own.path)
        with contextlib.redirect_stderr(io.StringIO()):
            tokenizer = LlamaTokenizer.from_pretrained(str(own.path))
    # in this order: they take the two ids behind the vocabulary
    tokenizer.add_tokens([AddedToken(IMAGE_TOKEN, special=True, normalized=False)], special_tokens=True)
    tokenizer.add_special_tokens({"pad_token": AddedToken(PAD_TOKEN, special=True, normalized=False)})
    wanted = (original.llava.image_token_id, original.llava.text_config.pad_token_id)
    if (tokenizer.convert_tokens_to_ids(IMAGE_TOKEN), tokenizer.pad_token_id) != wanted:
        raise UserError(
            f"{original.directory}: the tokenizer has {len(tokenizer) - 2} tokens, the model {original.vocabulary}"
        )
    tokenizer.save_pretrained(str(out))


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
