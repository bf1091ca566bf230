"""`model inspect`: what a model directory is, and whether it is whole, without reading a weight."""

from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.model import weight_files
from engine.model.converted import audit_converted, read_converted_config
from engine.model.json_file import read_object
from engine.model.llava_mistral import OriginalConfig, read_config
from engine.model.tokenizer import load_tokenizer
from engine.model.weight_files import Audit
from engine.words.plural import counted
from engine.words.sizes import on_disk


def inspect_model(directory: Path) -> dict[str, Any]:
    """The audit as JSON-ready values; `ok` says whether the weights would load, `tokenizer_flaw` what training lacks.

    Raises `UserError` where there is no model to look at.
    """
    config = directory / "config.json"
    if config.is_file() and read_object(config).get("model_type") == "llava":
        return _inspect_converted(directory)
    original = read_config(directory)
    found, findings = weight_files.audit(original), _config_findings(original)
    return {
        **(files := _files(directory, "llava_mistral", found)),
        "ok": files["ok"] and not findings,
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
        "findings": findings,
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
    config = read_converted_config(directory)
    text, vision = config.text_config, config.vision_config
    return {
        **_files(directory, "llava", audit_converted(directory, config)),
        "vocabulary": int(config.image_token_id),
        "image": {
            "tower": "its own",
            "size": vision.image_size,
            "patch": vision.patch_size,
            "tokens": (vision.image_size // vision.patch_size) ** 2,
            "aspect_ratio": None,
        },
        "text": {
            "hidden_size": text.hidden_size,
            "num_hidden_layers": text.num_hidden_layers,
            "rope_theta": (getattr(text, "rope_parameters", None) or {}).get("rope_theta"),
            "rms_norm_eps": text.rms_norm_eps,
            "max_position_embeddings": text.max_position_embeddings,
            "sliding_window": getattr(text, "sliding_window", None),
        },
        "findings": [],
    }


def _files(directory: Path, layout: str, found: Audit) -> dict[str, Any]:
    tokenizers = [name for name in ("tokenizer.json", "tokenizer.model") if (directory / name).is_file()]
    flaw = ""
    try:
        load_tokenizer(directory)
    except UserError as error:
        flaw = str(error)
    return {
        "directory": str(directory),
        "format": layout,
        "ok": found.ok,
        "tensors": found.tensors,
        "parameters": found.parameters,
        "bytes": found.bytes,
        "dtypes": found.dtypes,
        "shards": len(weight_files.shards(directory)),
        "missing": found.missing,
        "unexpected": found.unexpected,
        "reshaped": found.reshaped,
        "tokenizer": tokenizers,
        "tokenizer_flaw": flaw,
    }


def describe(found: dict[str, Any]) -> list[str]:
    """The audit as lines for a person."""
    parts = [found["format"], counted(found["shards"], "shard"), counted(found["tensors"], "tensor")]
    lines = [f"{found['directory']}  ({', '.join(parts)})"]
    image, text = found["image"], found["text"]
    lines += [
        f"  size     {found['parameters']:,} parameters, {on_disk(found['bytes'])}, "
        f"{', '.join(found['dtypes'])}",
        f"  image    {image['size']} px, patch {image['patch']}, {image['tokens']} tokens, "
        f"tower {image['tower']}",
        f"  text     {counted(text['num_hidden_layers'], 'layer')} of {text['hidden_size']}, "
        f"vocabulary {found['vocabulary']}, "
        f"rope theta {text['rope_theta'] or 0:g}, eps {text['rms_norm_eps']:g}",
        f"  tokens   {', '.join(found['tokenizer']) or 'none'}",
    ]
    if found["tokenizer_flaw"]:
        lines.append(f"  ⚠ {found['tokenizer_flaw']}; training would be refused until then")
    for word in ("missing", "unexpected", "reshaped"):
        lines += [f"  ✖ {word}  {name}" for name in found[word]]
    lines += [f"  ✖ {finding}" for finding in found["findings"]]
    whole = "the weights are whole" if found["tokenizer_flaw"] else "complete: it would load"
    lines.append(f"  ✔ {whole}" if found["ok"] else "  ✖ it would be refused")
    return lines
