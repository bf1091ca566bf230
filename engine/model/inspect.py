"""`model inspect`: what a model directory is, and whether it is whole, from its headers alone."""

from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.model import checkpoint_files
from engine.model.json_file import read_object
from engine.model.llava_mistral import OriginalConfig, read_config


def inspect_model(directory: Path) -> dict[str, Any]:
    """The audit as JSON-ready values; `ok` says whether the directory would load.

    Raises `UserError` where there is no model to look at.
    """
    config = directory / "config.json"
    if config.is_file() and read_object(config).get("model_type") == "llava":
        return _inspect_converted(directory)
    original = read_config(directory)
    found = checkpoint_files.audit(original)
    return {
        "directory": str(directory),
        "format": "llava_mistral",
        "ok": found.ok and not _config_findings(original),
        "tensors": found.tensors,
        "parameters": found.parameters,
        "bytes": found.bytes,
        "dtypes": found.dtypes,
        "shards": len(checkpoint_files.shards(directory)),
        "missing": found.missing,
        "unexpected": found.unexpected,
        "reshaped": found.reshaped,
        "vocabulary": original.vocabulary,
        "image": _image_facts(original),
        "text": {
            key: original.raw[key]
            for key in (
                "hidden_size",
                "num_hidden_layers",
                "rope_theta",
                "rms_norm_eps",
                "max_position_embeddings",
            )
        }
        | {"sliding_window": original.raw.get("sliding_window")},
        "tokenizer": [name for name in ("tokenizer.json", "tokenizer.model") if (directory / name).is_file()],
        "findings": _config_findings(original),
    }


def _image_facts(original: OriginalConfig) -> dict[str, Any]:
    vision = original.llava.vision_config
    return {
        "tower": original.raw["mm_vision_tower"],
        "size": vision.image_size,
        "patch": vision.patch_size,
        "tokens": original.llava.image_seq_length,
        "aspect_ratio": original.raw.get("image_aspect_ratio"),
    }


def _config_findings(original: OriginalConfig) -> list[str]:
    findings = []
    if original.raw.get("image_aspect_ratio") != "pad":
        findings.append(f"image_aspect_ratio is {original.raw.get('image_aspect_ratio')!r}, films need 'pad'")
    if original.raw.get("sliding_window") is not None:
        findings.append(f"sliding_window is {original.raw['sliding_window']}, this base model has none")
    return findings


def _inspect_converted(directory: Path) -> dict[str, Any]:
    entries = checkpoint_files.headers(directory)
    if not entries:
        raise UserError(f"{directory}: its safetensors files hold no tensor")
    dtypes: dict[str, int] = {}
    for _, dtype, _ in entries.values():
        dtypes[dtype] = dtypes.get(dtype, 0) + 1
    return {
        "directory": str(directory),
        "format": "llava",
        "ok": True,
        "tensors": len(entries),
        "dtypes": dtypes,
        "shards": len(checkpoint_files.shards(directory)),
        "findings": [],
    }


def describe(found: dict[str, Any]) -> str:
    """The audit as lines for a person."""
    lines = [
        f"{found['directory']}  ({found['format']}, {found['shards']} shards, {found['tensors']} tensors)"
    ]
    if "parameters" in found:
        image, text = found["image"], found["text"]
        lines += [
            f"  size     {found['parameters']:,} parameters, {found['bytes'] / 1e9:.2f} GB, "
            f"{', '.join(found['dtypes'])}",
            f"  image    {image['size']} px, patch {image['patch']}, {image['tokens']} tokens, "
            f"tower {image['tower']}",
            f"  text     {text['num_hidden_layers']} layers of {text['hidden_size']}, "
            f"vocabulary {found['vocabulary']}, "
            f"rope theta {text['rope_theta']:g}, eps {text['rms_norm_eps']:g}",
            f"  tokens   {', '.join(found['tokenizer']) or 'no tokenizer file'}",
        ]
        for word in ("missing", "unexpected", "reshaped"):
            lines += [f"  ✖ {word}  {name}" for name in found[word]]
    lines += [f"  ✖ {finding}" for finding in found["findings"]]
    lines.append("  ✔ whole: it would load" if found["ok"] else "  ✖ it would be refused")
    return "\n".join(lines)
