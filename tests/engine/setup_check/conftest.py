"""Small environments that behave like a training stack: stubs with honest metadata, in real virtual environments."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.setup_check.check import Check
from engine.setup_check.finding import Finding, worst_first
from engine.setup_check.probe.facts import Facts
from engine.setup_check.probe.target import ask, find_target
from engine.setup_check.rules.diagnose import package_findings, working
from engine.setup_check.rules.interpreter import interpreter_findings
from engine.setup_check.rules.knowledge import knowledge

PIN_CHECK = """
import importlib.metadata as metadata
def _check(name, low, high, text):
    found = metadata.version(name)
    number = tuple(int(part) for part in found.split(".")[:3])
    if not low <= number < high:
        raise ImportError(
            f"{text} is required for a normal functioning of this module, but found {name}=={found}.\\n"
            "Try: `pip install transformers -U`"
        )
"""

STUBS: dict[str, dict[str, str]] = {
    "numpy": {
        "numpy/__init__.py": """
            __version__ = {version!r}
            class ndarray(list):
                def sum(self): return sum(list(self))
            def ones(count): return ndarray([1] * count)
            def dot(a, b): return sum(x * y for x, y in zip(a, b))
            """
    },
    "torch": {
        "torch/__init__.py": """
            __version__ = {version!r}
            import contextlib, random, numpy
            from torch import nn, optim
            long = "long"
            class Scalar(float):
                def backward(self): pass
            class Tensor(list):
                requires_grad = False
                def __matmul__(self, other): return self
                def __getitem__(self, at): return self if isinstance(at, tuple) else list.__getitem__(self, at)
                def sum(self): return Scalar(sum(list(self)))
                def abs(self): return Tensor(abs(one) for one in self)
                def float(self): return self
                def numpy(self): return numpy.ndarray(self)
            def tensor(rows): return Tensor(rows[0])
            def ones(*shape, requires_grad=False, dtype=None): return Tensor([1] * shape[0])
            def zeros(*shape): return Tensor([0] * shape[0])
            def from_numpy(array): return Tensor(array)
            def manual_seed(seed): random.seed(seed)
            def equal(one, other): return list(one) == list(other)
            no_grad = contextlib.nullcontext
            class cuda:
                @staticmethod
                def is_available(): return False
            """,
        "torch/nn.py": """
            class functional:
                @staticmethod
                def cross_entropy(logits, labels): return logits.sum()
            """,
        "torch/optim.py": """
            class AdamW:
                def __init__(self, parameters, lr): self.parameters = list(parameters)
                def step(self):
                    for one in self.parameters: one[0] += 1
                def zero_grad(self): pass
            """,
    },
    "pillow": {
        "PIL/__init__.py": "__version__ = {version!r}",
        "PIL/_imaging.py": "",
        "PIL/ImageOps.py": "",
        "PIL/Image.py": """
            from PIL import _imaging
            class Image:
                def save(self, file, kind): file.write(b"picture")
                def load(self): pass
            def new(*_): return Image()
            def open(file): return Image()
            """,
    },
    "tokenizers": {
        "tokenizers/__init__.py": """
            __version__ = {version!r}
            class Tokenizer:
                def __init__(self, model): pass
                def encode(self, text): return []
            """,
        "tokenizers/models.py": "class BPE: pass",
    },
    "safetensors": {
        "safetensors/__init__.py": "__version__ = {version!r}\ndef safe_open(*_): pass",
        "safetensors/torch.py": """
            import torch
            def save(tensors): return b"x"
            def load(data): return {{"x": torch.ones(2)}}
            """,
    },
    "huggingface_hub": {
        "huggingface_hub/__init__.py": "__version__ = {version!r}\ndef snapshot_download(): pass"
    },
    "regex": {"regex/__init__.py": "__version__ = {version!r}"},
    "filelock": {"filelock/__init__.py": "__version__ = {version!r}"},
    "transformers": {
        "transformers/__init__.py": """
            __version__ = {version!r}
            from transformers.dependency_versions_check import check
            check()
            import filelock, huggingface_hub, tokenizers, numpy
            from huggingface_hub import snapshot_download
            class AutoTokenizer: pass
            class Config:
                def __init__(self, **sizes): self.sizes = sizes
            class CLIPVisionConfig(Config): pass
            class MistralConfig(Config): pass
            class LlavaConfig(Config): pass
            class Cache: pass
            class EncoderDecoderCache: pass
            class HybridCache: pass
            class PreTrainedModel: pass
            def __getattr__(name):
                if name == "LlavaForConditionalGeneration":
                    import importlib
                    return importlib.import_module("transformers.models").llava()
                raise AttributeError(name)
            """,
        "transformers/models.py": """
            def llava():
                import torch
                from PIL import Image
                return Llava
            class Llava:
                def __init__(self, config): pass
                def requires_grad_(self, wanted): pass
                def gradient_checkpointing_enable(self, kwargs): pass
                def gradient_checkpointing_disable(self): pass
                def generate(self, **batch): pass
            """,
        "transformers/modeling_layers.py": "class GradientCheckpointingLayer: pass",
        "transformers/dependency_versions_check.py": PIN_CHECK.replace("{", "{{").replace("}", "}}")
        + "\ndef check():\n"
        + '    _check("tokenizers", (0, 22), (0, 23, 1), "tokenizers>=0.22.0,<=0.23.0")\n'
        + '    _check("huggingface-hub", (0, 34), (1,), "huggingface-hub>=0.34.0,<1.0")\n',
    },
    "accelerate": {
        "accelerate/__init__.py": "__version__ = {version!r}\nfrom accelerate.accelerator import Accelerator",
        "accelerate/accelerator.py": """
            import torch
            class Accelerator:
                def __init__(self, cpu): pass
                def prepare(self, one): return one
                def backward(self, loss): loss.backward()
                def clip_grad_norm_(self, parameters, most): pass
            """,
        "accelerate/utils/__init__.py": "",
        "accelerate/utils/memory.py": "def clear_device_cache(): pass",
    },
    "peft": {
        "peft/__init__.py": """
            __version__ = {version!r}
            from peft.peft_model import PeftModel
            class LoraConfig:
                def __init__(self, **sizes): pass
            def get_peft_model(base, config):
                from peft import back_ends
                return PeftModel(base, [0])
            """,
        "peft/back_ends.py": "",
        "peft/peft_model.py": """
            import torch
            from accelerate.utils.memory import clear_device_cache
            from transformers import Cache, EncoderDecoderCache, HybridCache, PreTrainedModel
            class PeftModel:
                def __init__(self, base, weights):
                    self.base, self.lora = base, torch.Tensor(weights)
                    self.lora.requires_grad = True
                    self.logits = torch.ones(3)
                def __call__(self, **batch): return self
                def named_parameters(self): return [("q_proj.lora_B", self.lora)]
                def train(self): pass
                def eval(self): pass
                def generate(self, **batch): return self.base.generate(**batch)
                def save_pretrained(self, folder):
                    with open(folder + "/adapter", "w") as file: file.write(repr(list(self.lora)))
                @classmethod
                def from_pretrained(cls, base, folder):
                    with open(folder + "/adapter") as file: return cls(base, eval(file.read()))
            """,
    },
}
VERSIONS = {
    "numpy": "2.4.6", "torch": "2.13.0", "pillow": "13.0.0", "tokenizers": "0.22.2", "safetensors": "0.8.0",
    "huggingface_hub": "0.36.2", "regex": "2026.11.15", "filelock": "4.2.11", "transformers": "4.57.6",
    "accelerate": "1.10.1", "peft": "0.17.1",
}  # fmt: skip
REQUIRES = {
    "transformers": [
        "filelock",
        "tokenizers",
        "huggingface-hub",
        "numpy>=1.17",
        "regex",
        "torch; extra == 'torch'",
    ],
    "peft": ["transformers", "accelerate>=0.21.0", "torch"],
    "accelerate": ["torch>=2.0", "numpy"],
}


class Environment:
    """A virtual environment under test. `work` is the folder that programs are started from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root.parent / (root.name + "-work")
        self.python = root / "bin" / "python"
        self.site = next(root.glob("lib/python*/site-packages"))

    def install(
        self,
        name: str,
        version: str | None = None,
        files: dict[str, str] | None = None,
        requires: Iterable[str] | None = None,
    ) -> None:
        """Write a package with its metadata; what was installed under that name goes."""
        self.remove(name)
        for file, text in contents(name, version, files, requires).items():
            path = self.site / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def remove(self, name: str) -> None:
        for metadata in self.site.glob(f"{name}-*.dist-info"):
            for row in (metadata / "RECORD").read_text().splitlines():
                (self.site / row.split(",")[0]).unlink(missing_ok=True)
            shutil.rmtree(metadata)
        for folder in sorted(self.site.rglob("*"), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def edit(self, file: str, text: str) -> None:
        """Replace a file's text, as an accident would."""
        (self.site / file).write_text(textwrap.dedent(text))

    def metadata(self, name: str) -> Path:
        return next(self.site.glob(f"{name}-*.dist-info"))

    def facts(self, seconds: float = 20.0) -> Facts:
        facts = Facts()
        for part, value in ask(find_target(str(self.python)), seconds):
            facts.take(part, value)
        return facts

    def findings(self, seconds: float = 20.0) -> list[Finding]:
        """All that is said of the interpreter and its packages; pip is not asked, so that nothing has a fix."""
        facts = self.facts(seconds)
        well = [working(one, facts) for one in facts.imports.values() if one.ok]
        return worst_first([*interpreter_findings(facts), *well, *package_findings(facts, knowledge())])

    def check(self) -> Check:
        return Check(find_target(str(self.python)), runs=self.work / "runs")


def contents(
    name: str,
    version: str | None = None,
    files: dict[str, str] | None = None,
    requires: Iterable[str] | None = None,
) -> dict[str, str]:
    """The files of a stub package, RECORD included; `files` replace or join those of the stub."""
    version = version or VERSIONS[name]
    texts = STUBS.get(name, {}) | (files or {})
    found = {
        file: textwrap.dedent(text).strip().format(version=version) + "\n" for file, text in texts.items()
    }
    info = f"{name}-{version}.dist-info"
    wanted = "".join(
        f"Requires-Dist: {one}\n" for one in (REQUIRES.get(name, []) if requires is None else requires)
    )
    found[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}"
    found[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    found[f"{info}/INSTALLER"] = "pip\n"
    rows = []
    for file, text in found.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{file},sha256={digest},{len(text.encode())}")
    found[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    return found


def wheel(folder: Path, name: str, version: str, **named: object) -> Path:
    """The stub as a wheel that pip installs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents(name, version, **named).items():  # type: ignore[arg-type]
            if not file.endswith("INSTALLER"):
                archive.writestr(file, text)
    return path


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment in which everything fits."""
    root = tmp_path_factory.mktemp("healthy") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    made = Environment(root)
    for name in VERSIONS:
        made.install(name)
    return root


@pytest.fixture
def environment(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A copy of it to break; the working folder is an empty one."""
    root = tmp_path / "env"
    shutil.copytree(healthy, root, symlinks=True)
    made = Environment(root)
    made.work.mkdir()
    monkeypatch.chdir(made.work)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.work))  # nothing is offered there
    return made


@pytest.fixture
def make_wheel() -> Callable[..., Path]:
    return wheel


@pytest.fixture
def make_files() -> Callable[..., dict[str, str]]:
    return contents
