"""Configurations that people write, and what they are told about the ones that cannot be right."""

import os
from pathlib import Path

import pytest
import yaml

from engine.cadence import Cadence
from engine.config import demo_config, demo_config_path, freeze, load_config
from engine.errors import UserError

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_loads(path: Path) -> None:
    assert load_config(path).stages.stage_a.learning_rate > 0


def test_a_frozen_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    config = demo_config(7, tmp_path)
    freeze(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert (tmp_path / "config.yaml").stat().st_mode & 0o777 == 0o600


def test_a_key_s_former_name_is_read_as_ever_and_frozen_under_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(demo_config_path().read_text().replace("target_val_loss: 2.0", "bar: 1.75"))
    old = load_config(path, ["stages.stage_b.bar=1.25"])
    assert (old.stages.stage_a.target_val_loss, old.stages.stage_b.target_val_loss) == (1.75, 1.25)
    assert load_config(path, ["stages.stage_a.target_val_loss=1.5"]).stages.stage_a.target_val_loss == 1.5
    freeze(old, tmp_path / "config.yaml")
    assert "bar:" not in (tmp_path / "config.yaml").read_text()
    assert load_config(tmp_path / "config.yaml") == old


def test_what_is_wrong_under_a_former_name_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(demo_config_path().read_text().replace("target_val_loss: 2.0", "bar: low"))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "bar: low" in text)
    with pytest.raises(UserError, match=rf"old\.yaml:{line}: stages\.stage_a\.bar: must be a number"):
        load_config(path)


def test_a_death_while_it_is_frozen_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(demo_config(7, tmp_path), tmp_path / "config.yaml")

    def die(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="No space"):
        freeze(demo_config(8, tmp_path), tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml").seed == 7


def test_relative_paths_start_from_the_file(tmp_path: Path) -> None:
    raw = yaml.safe_load(demo_config_path().read_text())
    raw["data"] |= {"curriculum": "here.jsonl", "image_root": "films"}
    raw["model"]["base"] = "llava"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(raw))
    config = load_config(tmp_path / "c.yaml")
    assert config.data.curriculum == tmp_path / "here.jsonl"
    assert config.base_directory == tmp_path / "llava"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("lora.rnk=3", "unknown key lora.rnk; did you mean rank?"),
        ("stages.stage_a.epochs=many", "stages.stage_a.epochs: must be a whole number (it is 'many')"),
        ("cadence.sample=often", 'say "200 steps", "10 minutes" or "stage end"'),
        ("stages.stage_a.replay=0.5", "nothing to replay"),
        ("lora", "say section.key=value"),
        ("seed.deep=1", "seed is a value, not a section"),
    ],
)
def test_a_wrong_setting_is_one_line_that_says_how_to_mend_it(override: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(demo_config_path(), [override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_is_told_with_its_line(tmp_path: Path) -> None:
    text = demo_config_path().read_text().replace("  rank:", "  rnak:")
    (tmp_path / "c.yaml").write_text(text)
    line = text.splitlines().index(next(one for one in text.splitlines() if "rnak" in one)) + 1
    with pytest.raises(UserError, match=rf"c\.yaml:{line}: unknown key lora.rnak; did you mean rank"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("text", ["- a list", "seed: [", "\x00"])
def test_what_is_no_configuration_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=r"c\.yaml"):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("words", "cadence"),
    [
        ("200 steps", Cadence(steps=200)),
        ("1 step", Cadence(steps=1)),
        ("10 minutes", Cadence(seconds=600)),
        ("1.5 hours", Cadence(seconds=5400)),
        ("stage end", Cadence()),
    ],
)
def test_cadence_in_words(words: str, cadence: Cadence) -> None:
    assert Cadence.parse(words) == cadence


@pytest.mark.parametrize("words", ["", "soon", "0 steps", "-3 steps", "1.5 steps", "10", "10 fortnights"])
def test_cadence_that_cannot_be_read(words: str) -> None:
    with pytest.raises(ValueError, match=r"say|whole"):
        Cadence.parse(words)


def test_cadence_falls_due() -> None:
    assert [step for step in range(1, 7) if Cadence(steps=3).due(step, 0)] == [3, 6]
    assert Cadence(seconds=60).due(1, 60)
    assert not Cadence(seconds=60).due(1, 59)
    assert not Cadence().due(10**6, 10**6)
