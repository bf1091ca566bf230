"""An export answers as the run's model does when plain PEFT and plain transformers load it, or is refused."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import yaml
from peft import PeftModel
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

from engine.config import BUNDLED_BASE, RunConfig, demo_config_path, freeze, load_config
from engine.data.curriculum import Sample, write_curriculum
from engine.data.labels import LABELS
from engine.errors import UserError
from engine.model.companion_files import copy_files
from engine.model.convert import convert
from engine.model.exporting import export as exporting
from engine.model.exporting.card import Checked, model_card
from engine.model.exporting.card_facts import read_facts
from engine.model.exporting.export import export
from engine.model.loading import load_base
from engine.model.lora import add_adapter
from engine.model.trained import choose_checkpoint, load_trained
from engine.runs.checkpoints import CheckpointMeta, digest
from engine.runs.layout import RunPaths, create_run
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import GeneratedSample
from engine.stages import STAGE_A
from engine.training.checkpoint import write_checkpoint

MakeRun = Callable[..., RunPaths]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A run with one checkpoint. learned: how far its adapter's B matrices are from zero."""

    def make(learned: float = 0.05, **settings: Any) -> RunPaths:
        config = demo(tmp_path, settings)
        paths = create_run(tmp_path / "runs", "night")
        freeze(config, paths.config)
        precision = torch.bfloat16 if config.model.precision == "bfloat16" else torch.float32
        base = load_base(config.base_directory, precision)
        base.model.requires_grad_(False)
        model = add_adapter(base.model, config.lora, str(config.base_directory), seed=1)
        torch.manual_seed(2)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data = torch.randn_like(parameter) * learned
        with open_writer(paths) as writer:
            writer.open_attempt()
            writer.begin_attempt("stage_a", 0, {})
            writer.plan([{"stage": stage, "steps": 9} for stage in ("stage_a", "stage_b")])
            writer.state("training")
            writer.scalars("stage_b", 9, {"val/loss": 0.75})
            for purpose in ("evaluation", "baseline:constant"):
                writer.sample(row(purpose))
            optimizer = torch.optim.AdamW(one for one in model.parameters() if one.requires_grad)
            meta = CheckpointMeta("stage_b", 9, 9, "finished")
            write_checkpoint(paths.checkpoints, "stage_b-000009", model, optimizer, meta)
            writer.checkpoint("stage_b-000009", "stage_b", 9, 1, True)
            writer.state("finished")
        return paths

    return make


def demo(home: Path, settings: dict[str, Any]) -> RunConfig:
    chosen = {"data.curriculum": str(home / "none.jsonl"), "lora.rank": 4, **settings}
    return load_config(demo_config_path(), [f"{key}={json.dumps(value)}" for key, value in chosen.items()])


def row(purpose: str) -> GeneratedSample:
    return GeneratedSample(
        stage="stage_b",
        step=9,
        checkpoint="stage_b-000009",
        split="val",
        purpose=purpose,
        case="case-1",
        image="a.png",
        prompt="Secret question about Mrs X",
        reference="Secret reference.\nICD: J90 Pleural effusion",
        generated="Secret answer.\nICD: J90 Pleural effusion" if purpose == "evaluation" else "None.",
        labels=None,
        labels_reference=None,
        icd=["10:J90"] if purpose == "evaluation" else None,
        icd_reference=["10:J90"],
        scores={},
    )


def answer(model: Any, directory: Path) -> tuple[torch.Tensor, list[int]]:
    """Logits and a greedy answer to a film that no export was checked on."""
    processor = AutoProcessor.from_pretrained(directory)
    film = Image.effect_noise((200, 260), 60)
    film.putdata([(x * 7 + y * 3) % 251 for y in range(260) for x in range(200)])
    inputs = processor(images=film, text="[INST] <image>\nWhat is new? [/INST]", return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
        written = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    return logits, written[0].tolist()


def test_adapter_and_merged_answer_alike_in_plain_libraries(make_run: MakeRun, tmp_path: Path) -> None:
    paths = make_run()
    adapter = export(paths, tmp_path / "adapter", merged=False, checkpoint=None)
    told: list[tuple[str, int, int]] = []
    merged = export(paths, tmp_path / "merged", True, None, lambda *how_far: told.append(how_far))
    tensors = [(done, total) for what, done, total in told if what == "writing tensors"]
    assert tensors and tensors[-1] == (len(tensors), len(tensors))
    assert adapter.error <= adapter.tolerance == 1e-4
    assert merged.error <= merged.tolerance == 1e-4 < merged.effect

    convert(BUNDLED_BASE, tmp_path / "base")
    base = LlavaForConditionalGeneration.from_pretrained(tmp_path / "base", dtype=torch.float32).eval()
    untouched, _ = answer(base, tmp_path / "base")
    with_adapter = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    ours, written = answer(with_adapter, tmp_path / "base")
    whole = LlavaForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    theirs, written_whole = answer(whole, tmp_path / "merged")
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert written == written_whole
    assert (ours - untouched).abs().max() > 1e-2

    assert {file.name for file in (tmp_path / "adapter").iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "README.md",
    }
    named = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert named["base_model_name_or_path"] == BUNDLED_BASE.name
    files = [*(tmp_path / "adapter").iterdir(), *(tmp_path / "merged").iterdir()]
    assert not [file for file in files if str(BUNDLED_BASE.parent) in file.read_bytes().decode("latin-1")]


def test_a_converted_base_and_bfloat16_export_too(make_run: MakeRun, tmp_path: Path) -> None:
    convert(BUNDLED_BASE, tmp_path / "base")
    paths = make_run(
        **{"model.base": str(tmp_path / "base"), "model.precision": "bfloat16", "lora.train_projector": False}
    )
    checked = export(paths, tmp_path / "merged", merged=True, checkpoint=None)
    assert checked.error <= checked.tolerance == 5e-2
    assert LlavaForConditionalGeneration.from_pretrained(tmp_path / "merged").dtype == torch.bfloat16
    assert AutoProcessor.from_pretrained(tmp_path / "merged").patch_size


def in_hub_cache(base: Path, cache: Path) -> Path:
    """The model as the hub's cache has it: files by their hashes, and links to them by their names."""
    snapshot = cache / "models--some--base" / "snapshots" / "c0ffee"
    blobs = cache / "models--some--base" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in base.iterdir():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blobs / digest)
        (snapshot / file.name).symlink_to(Path("../../blobs") / digest)
    return snapshot


@pytest.mark.parametrize("cached", [False, True])
def test_nothing_from_outside_the_base_is_exported(make_run: MakeRun, tmp_path: Path, cached: bool) -> None:
    convert(BUNDLED_BASE, tmp_path / "converted")
    base = in_hub_cache(tmp_path / "converted", tmp_path / "cache") if cached else tmp_path / "converted"
    secret = tmp_path / "curriculum.jsonl"
    secret.write_text("Mrs X has pneumonia")
    paths = make_run(**{"model.base": str(base)})
    (base / "notes.txt").symlink_to(secret)  # a name that no model has
    (base / "LICENSE").write_text("free")
    export(paths, tmp_path / "merged", merged=True, checkpoint=None)
    assert not [file for file in (tmp_path / "merged").rglob("*") if b"Mrs X" in file.read_bytes()]
    assert not any(file.is_symlink() for file in (tmp_path / "merged").iterdir())
    assert AutoProcessor.from_pretrained(tmp_path / "merged").patch_size
    assert (tmp_path / "merged" / "LICENSE").read_text() == "free"

    (tmp_path / "data").symlink_to(tmp_path)
    for way_out in (secret, os.path.relpath(secret, base), tmp_path / "data" / "curriculum.jsonl"):
        (base / "LICENSE.txt").symlink_to(way_out)
        with pytest.raises(UserError, match=r"LICENSE\.txt: leads out of the model's directory"):
            export(paths, tmp_path / "again", merged=True, checkpoint=None)
        (base / "LICENSE.txt").unlink()
    assert not (tmp_path / "again").exists()


def test_a_cache_whose_blobs_lie_elsewhere_is_none(tmp_path: Path) -> None:
    snapshot = tmp_path / "model" / "snapshots" / "x"
    snapshot.mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "curriculum.jsonl").write_text("Mrs X")
    (tmp_path / "model" / "blobs").symlink_to(tmp_path / "data")
    (snapshot / "LICENSE").symlink_to("../../blobs/curriculum.jsonl")
    with pytest.raises(UserError, match="leads out"):
        copy_files(snapshot, ["LICENSE"], tmp_path)


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer_config.json"])
def test_nothing_from_outside_the_base_is_converted(tmp_path: Path, name: str) -> None:
    """transformers reads a template next to the tokenizer whatever it is, and saves it with the tokenizer."""
    shutil.copytree(BUNDLED_BASE, tmp_path / "base")
    (tmp_path / "secret").write_text('{"text": "Mrs X has pneumonia"}')
    (tmp_path / "base" / name).unlink(missing_ok=True)
    (tmp_path / "base" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=f"{name}: leads out of the model's directory"):
        convert(tmp_path / "base", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "secret"]


def test_a_checkpoint_with_a_link_in_it_is_not_exported(make_run: MakeRun, tmp_path: Path) -> None:
    paths = make_run()
    config = paths.checkpoints / "stage_b-000009" / "adapter_config.json"
    (tmp_path / "secret.json").write_bytes(config.read_bytes())  # the manifest agrees with it
    config.unlink()
    config.symlink_to(tmp_path / "secret.json")
    with pytest.raises(UserError, match=r"no checkpoint|adapter_config\.json is a link"):
        export(paths, tmp_path / "adapter", merged=False, checkpoint=None)
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize("content", ["[", "[]", '{"peft_type": "X", "note": "Mrs X"}'])
def test_an_adapter_config_from_a_stranger_is_not_believed(
    make_run: MakeRun, tmp_path: Path, content: str
) -> None:
    paths = make_run()
    place = paths.checkpoints / "stage_b-000009"
    config = place / "adapter_config.json"
    config.write_text(content)
    manifest = json.loads((place / "manifest.json").read_text())
    about = {"bytes": config.stat().st_size, "blake2b": digest(config)}
    (place / "manifest.json").write_text(json.dumps(manifest | {"adapter_config.json": about}))
    export(paths, tmp_path / "adapter", merged=False, checkpoint=None)
    written = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert written["peft_type"] == "LORA" and "note" not in written


@pytest.mark.parametrize("merged", [False, True])
def test_an_adapter_that_does_nothing_is_refused(make_run: MakeRun, tmp_path: Path, merged: bool) -> None:
    with pytest.raises(UserError, match="does not change what the base answers"):
        export(make_run(learned=0.0), tmp_path / "out", merged=merged, checkpoint=None)
    assert not (tmp_path / "out").exists()


def test_a_merge_that_answers_otherwise_is_refused_and_leaves_nothing(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make_run()
    named = exporting._named_as_on_disk

    def spoilt(model: torch.nn.Module) -> Any:
        for name, tensor in named(model):
            yield name, tensor * 1.05 if name.endswith("layers.0.mlp.up_proj.weight") else tensor

    monkeypatch.setattr(exporting, "_named_as_on_disk", spoilt)
    with pytest.raises(UserError, match="answers differently"):
        export(paths, tmp_path / "out", merged=True, checkpoint=None)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_what_is_in_the_way_is_told_before_anything_loads(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists already"):
        export(RunPaths(tmp_path / "none"), tmp_path, merged=True, checkpoint=None)


def test_checkpoints_are_chosen_without_touching_the_run(make_run: MakeRun) -> None:
    paths = make_run()
    (paths.checkpoints / ".stage_b-000010.partial").mkdir()  # an engine is writing it
    newer = paths.checkpoints / "stage_b-000012"
    newer.mkdir()
    (newer / "manifest.json").write_text('{"adapter_model.safetensors": {"bytes": 1, "blake2b": "0"}}')
    assert choose_checkpoint(paths, None).name == "stage_b-000009"
    assert (paths.checkpoints / ".stage_b-000010.partial").is_dir()
    with pytest.raises(UserError, match="there are: stage_b-000009, stage_b-000012"):
        choose_checkpoint(paths, "stage_b-000099")
    with pytest.raises(UserError, match="stage_b-000012: not a whole checkpoint"):
        choose_checkpoint(paths, "stage_b-000012")
    assert not any(one.requires_grad for one in load_trained(paths, None).model.parameters())


def test_the_card_has_the_runs_figures_and_no_word_of_its_reports(make_run: MakeRun, tmp_path: Path) -> None:
    paths = make_run()
    export(paths, tmp_path / "adapter", merged=False, checkpoint="stage_b-000009")
    card = (tmp_path / "adapter" / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["library_name"] == "peft" and "base_model" not in front
    assert "last validation loss 0.750 (cross-entropy of an answer's token, mean)" in card
    assert re.search(r"\| this model \| stage_b \| 1 \| .* \| 1\.000 \|", card)
    assert re.search(r"\| one constant answer \| stage_b \| 1 \| .* \| 0\.000 \|", card)
    assert "stage_b, step 9 of 9 (its end)" in card
    assert "not at hand" in card  # the curriculum
    assert "knows nothing of patients" in card
    assert "Secret" not in card and str(tmp_path) not in card


def test_the_card_of_a_run_on_patients_names_their_terms(make_run: MakeRun, tmp_path: Path) -> None:
    paths = make_run()
    config = load_config(paths.config)
    facts = read_facts(paths, config, paths.checkpoints / "stage_b-000009")
    real = dataclasses.replace(
        facts,
        phantoms=False,
        bundled=False,
        base="llava-med",
        repo="some/llava-med",
        commit="c" * 40,
        scores={},
    )
    card = model_card(real, Checked(True, 0.3, 1e-6, 1e-4))
    assert yaml.safe_load(card.split("---")[1])["base_model"] == "some/llava-med"
    assert "c" * 40 in card and "PhysioNet" in card and "Microsoft Research License" in card
    assert "was not evaluated" in card and "phantom" not in card
    assert card.index("Made from patients' data") < card.index("## Base and training")


@pytest.mark.parametrize(("asked", "told"), [(STAGE_A.prompt, True), (f"{STAGE_A.prompt} Mrs X, 78", False)])
def test_the_card_tells_questions_only_in_the_projects_own_words(
    make_run: MakeRun, tmp_path: Path, asked: str, told: bool
) -> None:
    one = Sample(
        "1", "p", "s", "stage_a", "a.png", asked, "Clear.", dict.fromkeys(LABELS, None), None, (), "train"
    )
    samples = [one, dataclasses.replace(one, id="2", subject_id="q", stage="stage_b", split="val")]
    write_curriculum(tmp_path / "c.jsonl", samples)
    paths = make_run(**{"data.curriculum": str(tmp_path / "c.jsonl"), "data.phantom": None})
    config = load_config(paths.config)
    facts = read_facts(paths, config, paths.checkpoints / "stage_b-000009")
    card = model_card(facts, Checked(True, 0.3, 1e-6, 1e-4))
    assert (asked in card) is told and "Mrs X" not in card
    assert "mean over 1 samples)" in card
    assert "`val` also chose among checkpoints" in card
    assert f"plain transformers {transformers.__version__}" in card


def test_what_the_card_says_of_loading_does_what_it_says(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = make_run()
    convert(BUNDLED_BASE, tmp_path / "base")
    Image.effect_noise((90, 70), 60).save(tmp_path / "film.png")
    monkeypatch.chdir(tmp_path)
    answers = []
    for merged in (False, True):
        export(paths, tmp_path / f"out-{merged}", merged=merged, checkpoint=None)
        card = (tmp_path / f"out-{merged}" / "README.md").read_text()
        code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
        assert code
        words = code[1].replace("THIS_DIRECTORY", f"out-{merged}").replace("BASE_HF", "base")
        exec(words.replace("max_new_tokens=256", "max_new_tokens=8"), {})
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] != "\n"
