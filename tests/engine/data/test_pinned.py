"""A run goes on with what it began with, or says what is another."""

import json
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from engine.config import RunConfig, load_config
from engine.data import pinned
from engine.data.curriculum import Sample
from engine.data.labels import LABELS
from engine.data.pinned import Inputs, differences, inputs_of, pin, refuse_changes
from engine.errors import UserError


def sample(number: int, target: str = "Clear lungs.") -> Sample:
    labels = dict.fromkeys(LABELS)
    return Sample(
        f"s{number}",
        f"p{number}",
        f"t{number}",
        "stage_a",
        f"{number}.png",
        "What?",
        target,
        labels,
        None,
        (),
        "train",
    )


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """Three samples, their films and a base of two files."""
    base = tmp_path / "base"
    (base / "vision_tower").mkdir(parents=True)
    (base / "config.json").write_text("{}")
    (base / "vision_tower" / "model.safetensors").write_bytes(bytes(1000))
    (base / "README.md").write_text("not read")
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(bytes(10 + number))
    write(tmp_path, [sample(number) for number in range(3)])
    (tmp_path / "config.yaml").write_text(
        f"data: {{curriculum: curriculum.jsonl, image_root: .}}\nmodel: {{base: {base}}}\n"
        "stages: {stage_a: {learning_rate: 1.0e-3}, stage_b: {learning_rate: 1.0e-3}}\n"
    )
    return load_config(tmp_path / "config.yaml")


def write(directory: Path, samples: list[Sample]) -> None:
    (directory / "curriculum.jsonl").write_text("".join(json.dumps(asdict(one)) + "\n" for one in samples))


def test_nothing_changed_is_nothing_said(tmp_path: Path, config: RunConfig) -> None:
    path = tmp_path / "inputs.json"
    pin(path, inputs_of(config, [sample(number) for number in range(3)]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Clear lungs" not in path.read_text()
    refuse_changes(path, config)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda home: write(home, [sample(0, "Effusion."), sample(1), sample(2)]), "1 sample changed, s0"),
        (lambda home: write(home, [sample(0), sample(1)]), "1 sample gone, s2"),
        (lambda home: write(home, [sample(n) for n in range(5)]), "2 samples new, e.g. s3"),
        (lambda home: (home / "1.png").write_bytes(bytes(99)), "1 film changed, 1.png"),
        (
            lambda home: (home / "base" / "config.json").write_text("[]"),
            "1 file of the base model changed, config.json",
        ),
        (
            lambda home: (home / "base" / "tokenizer.model").write_bytes(b"x"),
            "of the base model new, tokenizer.model",
        ),
        (
            lambda home: (home / "base" / "vision_tower" / "model.safetensors").unlink(),
            "of the base model gone",
        ),
    ],
)
def test_what_changed_is_named(tmp_path: Path, config: RunConfig, change: object, said: str) -> None:
    path = tmp_path / "inputs.json"
    pin(path, inputs_of(config, [sample(number) for number in range(3)]))
    assert callable(change)
    change(tmp_path)
    with pytest.raises(UserError, match="not what it began with") as refused:
        refuse_changes(path, config)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert "--accept-changes" in str(refused.value)


def test_a_lost_film_is_counted_elsewhere(tmp_path: Path, config: RunConfig) -> None:
    path = tmp_path / "inputs.json"
    pin(path, inputs_of(config, [sample(number) for number in range(3)]))
    (tmp_path / "1.png").unlink()
    refuse_changes(path, config)


def test_a_base_elsewhere_with_the_same_files_is_the_same(tmp_path: Path, config: RunConfig) -> None:
    before = inputs_of(config, [])
    (tmp_path / "base").rename(tmp_path / "moved")
    model = config.model.model_copy(update={"base": str(tmp_path / "moved")})
    assert differences(before, inputs_of(config.model_copy(update={"model": model}), [])) == []


def test_a_large_file_is_known_by_its_size_ends_and_blocks(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinned, "WHOLE", 100)
    monkeypatch.setattr(pinned, "BLOCK", 10)
    weights = tmp_path / "base" / "vision_tower" / "model.safetensors"
    before = inputs_of(config, [])
    for place in (0, 999):
        content = bytearray(1000)
        content[place] = 1
        weights.write_bytes(content)
        assert differences(before, inputs_of(config, []))
    weights.write_bytes(bytes(1001))
    assert differences(before, inputs_of(config, []))


def test_a_run_begun_before_has_nothing_to_hold_against(tmp_path: Path, config: RunConfig) -> None:
    refuse_changes(tmp_path / "inputs.json", config)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"samples": {}}', '{"samples": [], "films": {}, "base": {}}', "{" * 9999]
)
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, config: RunConfig, content: str) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"inputs\.json"):
        refuse_changes(path, config)


def test_every_field_of_a_sample_counts() -> None:
    one = sample(1)
    changed = [
        replace(one, target="Other."),
        replace(one, prompt="Why?"),
        replace(one, split="val"),
        replace(one, labels={**one.labels, "Edema": 1}),
        replace(one, icd=("10:I509",)),
        replace(one, image="2.png"),
    ]
    digests = {pinned._digest_of(each) for each in [one, *changed]}
    assert len(digests) == 1 + len(changed)
    assert differences(Inputs({"a": "1"}, {}, {}), Inputs({"a": "1"}, {}, {})) == []
