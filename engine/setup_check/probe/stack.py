"""The training stack: what must import and work together, and what rests on what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Trial:
    """One import in a process of its own. `action` uses the module the way training does.

    It finds there `notes`, a dict for what it has to say, and `scratch`, a folder that is removed afterwards.
    """

    id: str
    package: str
    module: str
    action: str = ""
    after: tuple[str, ...] = ()
    """Trials whose packages it loads; the same fault there is the cause here."""
    if_well: bool = False
    """Whether it is worth trying only where all of those went well."""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "module": self.module,
            "action": self.action,
            "after": list(self.after),
            "if_well": self.if_well,
        }


_PILLOW = """
import io
from PIL import Image, ImageOps
file = io.BytesIO()
Image.new("L", (16, 16), 7).save(file, "JPEG")
Image.open(io.BytesIO(file.getvalue())).load()
"""
_TORCH = """
x = torch.ones(2, 2, requires_grad=True)
(x @ x).sum().backward()
backends = getattr(torch, "backends", None)
mps = getattr(backends, "mps", None)
notes["mps_built"] = bool(mps and mps.is_built())
notes["mps_available"] = bool(mps and mps.is_available())
notes["cuda_available"] = bool(torch.cuda.is_available())
"""
_TORCH_NUMPY = """
import numpy
assert torch.ones(2).numpy().sum() == 2 and torch.from_numpy(numpy.ones(2)).sum() == 2
"""
# Where transformers does without torch, there is a stand-in of that name; any question makes it say so.
_TRANSFORMERS = """
from transformers import AutoTokenizer, LlavaConfig, LlavaForConditionalGeneration
getattr(LlavaForConditionalGeneration, "from_pretrained", None)
"""
_SAFETENSORS_TORCH = """
import torch, safetensors.torch
assert safetensors.torch.load(safetensors.torch.save({"x": torch.ones(2)}))["x"].sum() == 2
"""
_TRAINING = Path(__file__).with_name("probe_training.py").read_text(encoding="utf-8")

STACK: tuple[Trial, ...] = (
    Trial("numpy", "numpy", "numpy", "assert numpy.dot(numpy.ones(2), numpy.ones(2)) == 2"),
    Trial("torch", "torch", "torch", _TORCH, ("numpy",)),
    Trial("pillow", "pillow", "PIL", _PILLOW),
    Trial(
        "tokenizers",
        "tokenizers",
        "tokenizers",
        "from tokenizers import Tokenizer, models; Tokenizer(models.BPE()).encode('')",
    ),
    Trial("safetensors", "safetensors", "safetensors", "from safetensors import safe_open"),
    Trial(
        "huggingface-hub",
        "huggingface-hub",
        "huggingface_hub",
        "from huggingface_hub import snapshot_download",
    ),
    Trial(
        "transformers",
        "transformers",
        "transformers",
        _TRANSFORMERS,
        ("torch", "numpy", "tokenizers", "safetensors", "huggingface-hub", "pillow"),
    ),
    Trial(
        "peft",
        "peft",
        "peft",
        "from peft import LoraConfig, PeftModel, get_peft_model",
        (
            "torch",
            "numpy",
            "tokenizers",
            "safetensors",
            "huggingface-hub",
            "transformers",
            "accelerate",
        ),
    ),
    Trial(
        "accelerate",
        "accelerate",
        "accelerate",
        "from accelerate import Accelerator",
        ("torch", "numpy", "safetensors", "huggingface-hub"),
    ),
    Trial("torch-numpy", "torch", "torch", _TORCH_NUMPY, ("torch", "numpy")),
    Trial(
        "safetensors-torch",
        "safetensors",
        "safetensors",
        _SAFETENSORS_TORCH,
        ("torch", "numpy", "safetensors"),
    ),
    Trial(
        "training",
        "peft",
        "peft",
        _TRAINING + "\ntrain(notes, scratch)\n",
        (
            "torch",
            "numpy",
            "tokenizers",
            "safetensors",
            "huggingface-hub",
            "transformers",
            "accelerate",
            "peft",
            "torch-numpy",
            "safetensors-torch",
        ),
        if_well=True,
    ),
)

PACKAGES: tuple[str, ...] = tuple(
    dict.fromkeys(trial.package for trial in STACK)
)  # each once, in the order above

_SENTENCEPIECE = """
import io
model = io.BytesIO()
words = ["the heart is normal in size", "no acute process"]
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(words), model_writer=model, vocab_size=24, hard_vocab_limit=False, minloglevel=2
)
assert sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).encode(words[0])
"""
_PROTOBUF = """
from google.protobuf.descriptor_pb2 import FileDescriptorProto
said = FileDescriptorProto(name="model").SerializeToString()
assert FileDescriptorProto.FromString(said).name == "model"
"""
_ROUGE = """
from rouge_score.rouge_scorer import RougeScorer
assert RougeScorer(["rougeL"]).score("no effusion", "no effusion")["rougeL"].fmeasure == 1
"""

# What the cockpit's own interpreter needs besides.
COCKPIT: tuple[Trial, ...] = tuple(
    Trial(package, package, module, action)
    for package, module, action in (
        ("sentencepiece", "sentencepiece", _SENTENCEPIECE),
        ("protobuf", "google.protobuf", _PROTOBUF),
        ("textual", "textual", "from textual.app import App; App()"),
        ("plotext", "plotext", "plotext.plot([1, 2]); assert plotext.build()"),
        ("duckdb", "duckdb", "assert duckdb.connect().execute('SELECT 41 + 1').fetchone() == (42,)"),
        ("psutil", "psutil", "assert psutil.virtual_memory().total"),
        ("sacrebleu", "sacrebleu", "assert sacrebleu.corpus_bleu(['a b c d'], [['a b c d']]).score > 99"),
        ("rouge-score", "rouge_score.rouge_scorer", _ROUGE),
    )
)

TITLES = {
    "torch-numpy": "torch with numpy",
    "safetensors-torch": "safetensors with torch",
    "training": "training with LoRA",
}

# What can be said of a trial that went well, where "imports and works" is not it.
WELL = {
    "torch-numpy": "torch with numpy work together",
    "safetensors-torch": "safetensors with torch work together",
    "training": "A small model trains with LoRA, generates, and its adapter is saved and loaded",
}


def title(trial_id: str) -> str:
    return TITLES.get(trial_id, trial_id)
