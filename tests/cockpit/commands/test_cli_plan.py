"""`plan` from the outside: what it prints at 80 columns, its JSON, its exit code, and wrong input in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cockpit.cli import main
from engine.config import demo_config_path
from engine.words.sizes import GIB

pytestmark = pytest.mark.usefixtures("engine_here")
CONFIGS = demo_config_path().parent
MODEL = "llava-med-v1.5-mistral-7b"


@pytest.fixture
def few(tmp_path: Path) -> list[str]:
    """The demo with so few phantoms that it is planned quickly."""
    changes = ("data.phantom.patients=12", f"data.curriculum={tmp_path / 'none.jsonl'}")
    return [f"--what-if={change}" for change in (*changes, f"data.image_root={tmp_path}")]


def test_memory_time_and_recipes_at_80_columns(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [*few, "--what-if=stages.stage_b.batch_size=8"]
    assert main(["plan", str(demo_config_path()), "--runs", str(tmp_path), *changes]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = "\n".join(lines)
    assert lines[0].startswith("base  float32 on cpu")
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    for part in ("weights", "adapter", "optimizer", "activations", "allocator slack", "peak", "fits in"):
        assert part in said
    assert [line.split()[0] for line in lines if line.startswith("  stage_")] == ["stage_a", "stage_b"]
    assert sum("as configured" in line for line in lines) == 1
    assert " → " in lines[-1] and "GB" not in said.replace("GiB", "")


def test_json_has_bytes_and_seconds_and_what_it_is_without_the_change(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offers = 64 / 1024
    arguments = ["plan", str(demo_config_path()), "--runs", str(tmp_path), "--json"]
    assert main([*arguments, "--memory", str(offers), "--stage", "stage_b", *few]) == 1
    told = json.loads(capsys.readouterr().out)
    memory = told["memory"]
    assert memory["limit_bytes"] == offers * GIB and memory["fits"] is False
    assert sum(memory["parts"].values()) == memory["peak_bytes"] == max(memory["phases"].values())
    assert set(told["stages"]) == {"stage_b"}
    assert told["seconds"] == pytest.approx(told["stages"]["stage_b"]["seconds"])
    assert told["as_it_is"]["seconds"] > 3 * told["seconds"]  # the configuration's own patients are more
    assert {one["fits"] for one in told["recipes"]} <= {True, False}
    assert all(one["why"] for one in told["recipes"] if not one["fits"])
    own = next(one for one in told["recipes"] if one["chosen"])
    assert own["peak_bytes"] == memory["peak_bytes"]


@pytest.mark.parametrize(
    ("device", "memory", "least", "most", "words"),
    [
        ("mps", ["--memory", "384"], 50, 100, ["fits in 384.0 GiB", "of an Apple M3 Ultra"]),
        ("cuda", [], 17, 24, ["--memory GIB says it", "`cxr-cockpit check --device", "measures it"]),
    ],
)
def test_the_real_model_is_planned_before_it_is_fetched(
    device: str,
    memory: list[str],
    least: int,
    most: int,
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = (
        tmp_path / f"llava_med_{device}.yaml"
    )  # its paths lead beside it: neither model nor data is there
    config.write_text((CONFIGS / config.name).read_text())
    assert main(["plan", str(config), "--runs", str(tmp_path), *memory]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert lines[0].startswith(f"{MODEL}  ") and f" on {device} (not on this machine)" in lines[0]
    assert "the model is not there yet; its shapes are known" in lines[1]
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    peak = next(line for line in lines if line.startswith("  peak")).split()
    assert peak[2] == "GiB" and least < float(peak[1]) < most
    assert all(one in said for one in words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--what-if", "lora.rnak=8"], "--what-if lora.rnak=8: unknown key lora.rnak; did you mean rank?"),
        (["--what-if", "lora.rank=0"], "--what-if lora.rank=0: lora.rank: must be at least 1"),
        (["--what-if", "lora={rank: 0}"], "--what-if lora={rank: 0}: lora.rank: must be at least 1"),
        (["--what-if", "nonsense"], "--what-if nonsense: say section.key=value"),
        (["--what-if", "model.base=/nowhere"], "/nowhere/config.json: not there"),
        (["--memory", "-3"], "out of range: say 0.001 to 1,000,000"),
        (["--memory", "0"], "out of range: say 0.001 to 1,000,000"),
        (["--memory", "nan"], "out of range: say 0.001 to 1,000,000"),
        (["--memory", "much"], "'much' is not a number"),
        (["--stage", "stage_c"], "did you mean stage_b?"),
    ],
)
def test_what_cannot_be_is_one_line(options: list[str], words: str, wrong: Callable[..., str]) -> None:
    assert words in wrong("plan", demo_config_path(), *options)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "not valid JSON"),
        ('{"model_type": "llama"}', "expected 'llava_mistral'"),
        ('{"model_type": "llava"}', "lacks text_config"),
        (
            '{"model_type": "llava", "text_config": {"hidden_size": "x"}, "vision_config": {}}',
            "hidden_size is 'x'",
        ),
        (
            '{"model_type": "llava", "text_config": {"rms_norm_eps": "x"}, "vision_config": {}}',
            "cannot be used",
        ),
    ],
)
def test_a_base_that_is_none_is_one_line(
    config: str, words: str, tmp_path: Path, wrong: Callable[..., str]
) -> None:
    (tmp_path / "config.json").write_text(config)
    told = wrong("plan", demo_config_path(), "--what-if", f"model.base={tmp_path}")
    assert words in told and str(tmp_path / "config.json") in told


def test_a_curriculum_that_is_broken_is_one_line(tmp_path: Path, wrong: Callable[..., str]) -> None:
    (tmp_path / "c.jsonl").write_text("{")
    told = wrong("plan", demo_config_path(), "--what-if", f"data.curriculum={tmp_path / 'c.jsonl'}")
    assert "c.jsonl:1: broken JSON" in told
