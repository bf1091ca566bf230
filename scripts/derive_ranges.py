"""Try again what the ranges in knowledge.yaml rest on: every set that is said to fail, and every one said to work.

    python scripts/derive_ranges.py FOLDER [ENTRY …]
    python scripts/derive_ranges.py FOLDER --set trainer "transformers 4.57.6, accelerate 1.2.1, peft 0.17.1"

FOLDER receives an environment with torch and, one folder each, the releases laid over it: some gigabytes, and the
second run needs no network. A set that an entry does not name in full is filled up with the newest releases of
tokenizers and huggingface_hub that its transformers asks for, and of accelerate where there is peft. Exit status 1 if
anything went otherwise than stated; a failure without the entry's own words is one that is.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import venv
from importlib.metadata import PathDistribution
from pathlib import Path

from packaging.requirements import Requirement

from engine.setup_check.probe import stack
from engine.setup_check.rules.knowledge import knowledge, versions_of
from engine.setup_check.versions import applies, canonical

TORCH = "2.13.0"
#: What the releases of years need besides themselves, in one environment under all of them.
BESIDE = [
    f"torch=={TORCH}", "numpy==2.4.6", "safetensors==0.8.0", "pillow", "psutil", "pyyaml", "regex", "requests", "httpx",
    "httpx2", "hf-xet", "tqdm", "packaging", "filelock", "typer", "jinja2",
]  # fmt: skip
SECONDS = 300

IMPORTS = """
import importlib.util
for module in ("tokenizers", "transformers", "accelerate", "peft"):
    if importlib.util.find_spec(module):
        __import__(module)
from transformers import AutoTokenizer, LlavaConfig, LlavaForConditionalGeneration
getattr(LlavaForConditionalGeneration, "from_pretrained", None)
"""
_SOURCE = Path(str(stack.__file__)).with_name("probe_training.py").read_text(encoding="utf-8")
TRAINING = _SOURCE + "\nwith tempfile.TemporaryDirectory() as folder:\n    train({}, folder)\n"
FIT = (
    _SOURCE
    + r"""
import torch
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainingArguments

ids = torch.tensor([1, IMAGE, 4, 5, 6])
row = {"input_ids": ids, "attention_mask": torch.ones(5, dtype=torch.long),
       "pixel_values": torch.zeros(3, 4, 4), "labels": ids.masked_fill(ids < 4, -100).masked_fill(ids == IMAGE, -100)}

def trainer(folder, steps):
    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=r".*language_model.*\.(q_proj|v_proj)", task_type="CAUSAL_LM")
    settings = TrainingArguments(output_dir=folder, per_device_train_batch_size=1, max_steps=steps, save_steps=1,
                                 logging_steps=1, report_to=[], disable_tqdm=True)
    return Trainer(model=get_peft_model(smallest_model(), lora), args=settings, train_dataset=[row] * 4)

folder = tempfile.TemporaryDirectory()
trainer(folder.name, 1).train()
"""
)
TRAINER = FIT + "trainer(folder.name, 2).train(resume_from_checkpoint=True)\n"
#: The programs of each way; what an entry was tried with by use has none here.
PROGRAMS = {"imports": IMPORTS, "training": TRAINING, "fit": FIT, "trainer": TRAINER}


class Store:
    """The environment, and over it one folder for each release that was ever asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "base" / "bin" / "python"
        if not self._python.exists():
            venv.create(folder / "base", with_pip=True)
            self._pip(*BESIDE)

    def try_set(self, by: str, versions: dict[str, str], recorded: list[str]) -> str:
        """Empty if it went well, else what was said."""
        path = os.pathsep.join(str(one) for one in self._layers(versions, recorded))
        quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        ended = subprocess.run(
            [self._python, "-P", "-c", PROGRAMS[by]],
            env=os.environ | quiet | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        lines = ended.stderr.strip().splitlines()
        return (
            "" if ended.returncode == 0 else next((one for one in reversed(lines) if one.strip()), "no word")
        )

    def _layers(self, versions: dict[str, str], recorded: list[str]) -> list[Path]:
        layers = [
            self._record(name, version) if name in recorded else self._release(f"{name}=={version}")
            for name, version in versions.items()
            if (name, version) != ("torch", TORCH)
        ]
        for wanted in self._wanted_by_transformers(layers):
            if canonical(wanted.name) not in versions:
                layers.append(self._release(f"{wanted.name}{wanted.specifier}"))
        if "peft" in versions and "accelerate" not in versions:
            layers.append(self._release("accelerate"))
        return layers

    def _wanted_by_transformers(self, layers: list[Path]) -> list[Requirement]:
        infos = [info for layer in layers for info in layer.glob("transformers-*.dist-info")]
        wanted = [Requirement(text) for info in infos for text in PathDistribution(info).requires or []]
        pinned = ("tokenizers", "huggingface-hub")
        return [one for one in wanted if canonical(one.name) in pinned and applies(one, {})]

    def _release(self, requirement: str) -> Path:
        place = self._folder / "releases" / re.sub(r"[^\w.=-]", "_", requirement)
        if not place.exists():
            part = place.with_name(place.name + ".part")
            self._pip("--no-deps", "--no-compile", "--target", str(part), requirement)
            part.rename(place)
        return place

    def _record(self, name: str, version: str) -> Path:
        place = self._folder / "recorded" / f"{name}-{version}"
        info = place / f"{name}-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return place

    def _pip(self, *arguments: str) -> None:
        subprocess.run([self._python, "-m", "pip", "install", "--quiet", *arguments], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("entries", nargs="*")
    parser.add_argument("--set", nargs=2, metavar=("WAY", "VERSIONS"))
    given = parser.parse_args()
    store = Store(given.folder)
    if given.set:
        said = store.try_set(given.set[0], versions_of(given.set[1]), [])
        print(said or "works", flush=True)
        return int(bool(said))
    wrong = 0
    for entry in knowledge().entries:
        if entry.tried and entry.tried.by in PROGRAMS and (not given.entries or entry.id in given.entries):
            for text in entry.tried.works + entry.tried.fails:
                said = store.try_set(entry.tried.by, versions_of(text), entry.tried.recorded)
                symptom = re.search(entry.match or "", said) if said else None
                as_stated = bool(symptom) if text in entry.tried.fails else not said
                wrong += not as_stated
                mark = "" if as_stated else "OTHERWISE THAN STATED "
                last = said.splitlines()[-1][:200] if said else "works"
                print(f"{mark}{entry.id}: {text}: {last}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
