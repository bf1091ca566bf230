"""Checkpoints of other sizes in the original format: converted, they answer as arithmetic written down here does.

The arithmetic reads the original tensor names from the files and knows nothing of transformers. It is held against
the checkpoint that the original implementation wrote together with its logits.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from engine.errors import UserError
from engine.model.convert import convert
from engine.model.llava_mistral import read_config

FIXTURE = Path(__file__).parents[2] / "fixtures" / "llava_mistral_tiny"
IMAGE = -200  # the original's mark for the place of the image
TOWER = "model.vision_tower.vision_tower.vision_model."

Array = np.ndarray[Any, Any]


class Reference:
    """LLaVA-Med's forward pass in float64: CLIP's tower, two linear layers, Mistral; one sample at a time."""

    def __init__(self, directory: Path) -> None:
        self.config = json.loads((directory / "config.json").read_text())
        tower = directory / self.config["mm_vision_tower"] / "config.json"
        self.vision = json.loads(tower.read_text())
        self.vision = self.vision.get("vision_config", self.vision)
        self.weights: dict[str, Array] = {}
        for shard in directory.glob("*.safetensors"):
            with safe_open(shard, framework="pt") as file:
                self.weights |= {name: file.get_tensor(name).double().numpy() for name in file.keys()}  # noqa: SIM118

    def logits(self, ids: list[int], pixels: Array) -> Array:
        """(length with the image's patches, vocabulary). pixels: (3, side, side)."""
        embeddings = self.weights["model.embed_tokens.weight"]
        place = ids.index(IMAGE)
        hidden = np.concatenate([embeddings[ids[:place]], self.image(pixels), embeddings[ids[place + 1 :]]])
        for layer in range(self.config["num_hidden_layers"]):
            hidden = self.decoder_layer(hidden, f"model.layers.{layer}.")
        head = self.weights[
            "model.embed_tokens.weight" if self.config["tie_word_embeddings"] else "lm_head.weight"
        ]
        return self.rms(hidden, "model.norm.weight") @ head.T

    def image(self, pixels: Array) -> Array:
        patch = self.vision["patch_size"]
        grid = pixels.shape[1] // patch
        kernel = self.weights[f"{TOWER}embeddings.patch_embedding.weight"]
        pieces = pixels.reshape(3, grid, patch, grid, patch).transpose(1, 3, 0, 2, 4).reshape(grid * grid, -1)
        patches = pieces @ kernel.reshape(kernel.shape[0], -1).T
        hidden = np.concatenate([self.weights[f"{TOWER}embeddings.class_embedding"][None], patches])
        hidden = hidden + self.weights[f"{TOWER}embeddings.position_embedding.weight"]
        hidden = self.norm(hidden, f"{TOWER}pre_layrnorm")
        last = self.vision["num_hidden_layers"] + 1 + self.config["mm_vision_select_layer"]
        for layer in range(last):
            hidden = self.tower_layer(hidden, f"{TOWER}encoder.layers.{layer}.")
        projected = gelu(self.linear(hidden[1:], "model.mm_projector.0"))
        return self.linear(projected, "model.mm_projector.2")

    def tower_layer(self, hidden: Array, name: str) -> Array:
        normed = self.norm(hidden, f"{name}layer_norm1")
        q, k, v = (self.linear(normed, f"{name}self_attn.{one}_proj") for one in "qkv")
        heads = self.vision["num_attention_heads"]
        mixed = attend(split(q, heads), split(k, heads), split(v, heads), causal=False)
        hidden = hidden + self.linear(mixed, f"{name}self_attn.out_proj")
        inner = self.linear(self.norm(hidden, f"{name}layer_norm2"), f"{name}mlp.fc1")
        act = gelu(inner) if self.vision.get("hidden_act") == "gelu" else inner / (1 + np.exp(-1.702 * inner))
        return hidden + self.linear(act, f"{name}mlp.fc2")

    def decoder_layer(self, hidden: Array, name: str) -> Array:
        normed = self.rms(hidden, f"{name}input_layernorm.weight")
        q, k, v = (normed @ self.weights[f"{name}self_attn.{one}_proj.weight"].T for one in "qkv")
        heads, groups = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        q, k, v = self.turned(split(q, heads)), self.turned(split(k, groups)), split(v, groups)
        mixed = attend(q, k.repeat(heads // groups, 0), v.repeat(heads // groups, 0), causal=True)
        hidden = hidden + mixed @ self.weights[f"{name}self_attn.o_proj.weight"].T
        normed = self.rms(hidden, f"{name}post_attention_layernorm.weight")
        gate: Array = normed @ self.weights[f"{name}mlp.gate_proj.weight"].T
        up: Array = normed @ self.weights[f"{name}mlp.up_proj.weight"].T
        wider: Array = gate / (1 + np.exp(-gate)) * up
        added: Array = wider @ self.weights[f"{name}mlp.down_proj.weight"].T
        return hidden + added

    def turned(self, x: Array) -> Array:
        """Rotary positions on (heads, length, width)."""
        half = x.shape[-1] // 2
        speeds = self.config["rope_theta"] ** (-np.arange(half) / half)
        angles = np.arange(x.shape[1])[:, None] * speeds
        first, second = x[..., :half], x[..., half:]
        return np.concatenate(
            [
                first * np.cos(angles) - second * np.sin(angles),
                second * np.cos(angles) + first * np.sin(angles),
            ],
            axis=-1,
        )

    def linear(self, x: Array, name: str) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled: Array = centred / np.sqrt(
            (centred**2).mean(-1, keepdims=True) + self.vision.get("layer_norm_eps", 1e-5)
        )
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def rms(self, x: Array, name: str) -> Array:
        scale: Array = np.sqrt((x**2).mean(-1, keepdims=True) + self.config["rms_norm_eps"])
        return x / scale * self.weights[name]


def split(x: Array, heads: int) -> Array:
    """(length, width) as (heads, length, width of a head)."""
    return x.reshape(x.shape[0], heads, -1).transpose(1, 0, 2)


def attend(q: Array, k: Array, v: Array, causal: bool) -> Array:
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    mixed: Array = weights / weights.sum(-1, keepdims=True) @ v
    return mixed.transpose(1, 0, 2).reshape(q.shape[1], -1)


def gelu(x: Array) -> Array:
    passed: Array = 0.5 * x * (1 + torch.erf(torch.from_numpy(x / np.sqrt(2))).numpy())
    return passed


@dataclass(frozen=True)
class Size:
    """hidden, layers, heads, groups (key and value heads), inner: the decoder's. tower: its width, layers, heads."""

    hidden: int
    layers: int
    heads: int
    groups: int
    inner: int
    vocabulary: int
    tower: tuple[int, int, int]
    side: int
    patch: int
    select: int
    theta: float
    shards: int
    dtype: torch.dtype
    act: str = "quick_gelu"
    tied: bool = False


SIZES = {
    "grouped heads": Size(48, 3, 6, 2, 80, 131, (32, 4, 4), 28, 7, -2, 1e6, 2, torch.bfloat16),
    "every head its own": Size(40, 2, 5, 5, 96, 200, (24, 3, 3), 40, 8, -2, 1e4, 1, torch.float32),
    "one group, last layer": Size(64, 4, 8, 1, 64, 126, (48, 2, 2), 42, 14, -1, 1e6, 3, torch.float16),
    "tied words, other tower": Size(
        32, 2, 4, 2, 64, 127, (16, 3, 2), 24, 6, -3, 5e5, 2, torch.bfloat16, act="gelu", tied=True
    ),
}


def write_original(size: Size, seed: int, directory: Path) -> None:
    """Random weights in the original's files, names and configuration."""
    generator = torch.Generator().manual_seed(seed)
    width, tower_layers, _ = size.tower

    def draw(*shape: int, scale: float = 0.3, about: float = 0.0) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * scale + about).to(size.dtype)

    tensors = {
        "lm_head.weight": draw(size.vocabulary, size.hidden),
        "model.embed_tokens.weight": draw(size.vocabulary, size.hidden, scale=1.0),
        "model.norm.weight": draw(size.hidden, about=1.0),
        "model.mm_projector.0.weight": draw(size.hidden, width),
        "model.mm_projector.0.bias": draw(size.hidden),
        "model.mm_projector.2.weight": draw(size.hidden, size.hidden),
        "model.mm_projector.2.bias": draw(size.hidden),
        f"{TOWER}embeddings.class_embedding": draw(width),
        f"{TOWER}embeddings.patch_embedding.weight": draw(width, 3, size.patch, size.patch, scale=0.05),
        f"{TOWER}embeddings.position_embedding.weight": draw((size.side // size.patch) ** 2 + 1, width),
        # buffers that some releases saved as well
        f"{TOWER}embeddings.position_ids": torch.arange((size.side // size.patch) ** 2 + 1)[None],
        "model.layers.0.self_attn.rotary_emb.inv_freq": draw(4),
    }
    for name in (f"{TOWER}pre_layrnorm", f"{TOWER}post_layernorm"):
        tensors |= {f"{name}.weight": draw(width, about=1.0), f"{name}.bias": draw(width)}
    for layer in range(tower_layers):
        name = f"{TOWER}encoder.layers.{layer}."
        for norm in ("layer_norm1", "layer_norm2"):
            tensors |= {f"{name}{norm}.weight": draw(width, about=1.0), f"{name}{norm}.bias": draw(width)}
        shapes = {f"self_attn.{one}_proj": (width, width) for one in ("q", "k", "v", "out")}
        shapes |= {"mlp.fc1": (2 * width, width), "mlp.fc2": (width, 2 * width)}
        for one, shape in shapes.items():
            tensors |= {f"{name}{one}.weight": draw(*shape), f"{name}{one}.bias": draw(shape[0])}
    narrow = size.hidden // size.heads * size.groups
    for layer in range(size.layers):
        name = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{name}{norm}.weight"] = draw(size.hidden, about=1.0)
        for one, rows, columns in (
            ("self_attn.q_proj", size.hidden, size.hidden),
            ("self_attn.k_proj", narrow, size.hidden),
            ("self_attn.v_proj", narrow, size.hidden),
            ("self_attn.o_proj", size.hidden, size.hidden),
            ("mlp.gate_proj", size.inner, size.hidden),
            ("mlp.up_proj", size.inner, size.hidden),
            ("mlp.down_proj", size.hidden, size.inner),
        ):
            tensors[f"{name}{one}.weight"] = draw(rows, columns)
    if size.tied:
        del tensors["lm_head.weight"]
    write_files(tensors, size, directory)


def write_files(tensors: dict[str, torch.Tensor], size: Size, directory: Path) -> None:
    width, tower_layers, tower_heads = size.tower
    (directory / "tower").mkdir(parents=True)
    names = sorted(tensors)
    places: dict[str, str] = {}
    for shard in range(size.shards):
        file = f"model-{shard + 1:05d}-of-{size.shards:05d}.safetensors"
        own = names[shard :: size.shards]
        save_file({name: tensors[name] for name in own}, directory / file, metadata={"format": "pt"})
        places |= dict.fromkeys(own, file)
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": places})
    )
    config = json.loads((FIXTURE / "config.json").read_text()) | {
        "hidden_size": size.hidden,
        "intermediate_size": size.inner,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.groups,
        "vocab_size": size.vocabulary,
        "rope_theta": size.theta,
        "mm_hidden_size": width,
        "mm_vision_tower": "tower",
        "mm_vision_select_layer": size.select,
        "tie_word_embeddings": size.tied,
    }
    (directory / "config.json").write_text(json.dumps(config))
    tower = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": tower_layers,
        "num_attention_heads": tower_heads,
        "image_size": size.side,
        "patch_size": size.patch,
        "hidden_act": size.act,
        "layer_norm_eps": 1e-5,
    }
    (directory / "tower" / "config.json").write_text(json.dumps(tower))


def test_the_arithmetic_is_the_originals() -> None:
    expected = np.load(FIXTURE / "expected.npz")
    ours = Reference(FIXTURE).logits(expected["input_ids"][0].tolist(), expected["pixel_values"][0])
    np.testing.assert_allclose(ours, expected["logits"][0], atol=1e-5)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_other_sizes_and_seeds_convert_and_agree(size: Size, seed: int, tmp_path: Path) -> None:
    write_original(size, seed, tmp_path / "original")
    convert(tmp_path / "original", tmp_path / "converted")
    generator = np.random.default_rng(seed)
    pixels = generator.normal(size=(3, size.side, size.side)).astype(np.float32)
    ids = generator.integers(3, size.vocabulary, 17).tolist()
    ids.insert(4, IMAGE)

    config = read_config(tmp_path / "original").llava
    model = LlavaForConditionalGeneration.from_pretrained(tmp_path / "converted", dtype=torch.float32).eval()
    patches = [config.image_token_id] * config.image_seq_length
    placed = [one for given in ids for one in (patches if given == IMAGE else [given])]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([placed]), pixel_values=torch.from_numpy(pixels)[None]).logits
    ours = logits[0, :, : size.vocabulary].numpy()
    reference = Reference(tmp_path / "original").logits(ids, pixels.astype(np.float64))
    assert np.abs(reference).max() > 1  # the bound below means something
    np.testing.assert_allclose(ours, reference, atol=1e-4, rtol=0)


def test_a_checkpoint_without_its_tower_is_refused(tmp_path: Path) -> None:
    """The original falls back on another tower without a word."""
    write_original(SIZES["grouped heads"], 1, tmp_path / "original")
    for shard in (tmp_path / "original").glob("*.safetensors"):
        tensors = {name: one for name, one in load_file(shard).items() if "vision_tower" not in name}
        save_file(tensors, shard, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"missing: model\.vision_tower"):
        convert(tmp_path / "original", tmp_path / "converted")
    assert not (tmp_path / "converted").exists()
