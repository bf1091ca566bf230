"""`model inspect`, `model convert`: a directory judged and rewritten, or refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from cockpit.cli import main
from engine.config import BUNDLED_BASE

pytestmark = pytest.mark.usefixtures("engine_here")
FIXTURE = Path(__file__).parents[2] / "fixtures" / "llava_mistral_tiny"


@pytest.fixture(params=["original", "converted"])
def directory(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The same model in either format, to be spoilt."""
    if request.param == "original":
        shutil.copytree(FIXTURE, tmp_path / "model")
    else:
        assert main(["model", "convert", str(FIXTURE), "--to", str(tmp_path / "model")]) == 0
        assert capsys.readouterr().out == f"wrote {tmp_path / 'model'}\n"
    shutil.copy(BUNDLED_BASE / "tokenizer.json", tmp_path / "model")
    return tmp_path / "model"


def test_a_whole_one_would_load(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "inspect", str(directory)]) == 0
    said = capsys.readouterr().out
    assert "✔ complete: it would load" in said and "56 px, patch 14, 16 tokens" in said
    assert "3 layers of 64" in said and "BF16" in said
    assert main(["model", "inspect", str(directory), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and told["vocabulary"] == 320 and not told["missing"] + told["unexpected"]
    assert told["text"]["rms_norm_eps"] == 1e-5 and told["text"]["rope_theta"] == 1e6


@pytest.mark.parametrize(
    ("content", "words"), [(None, "neither tokenizer.json nor"), ("", "not a tokenizer file")]
)
def test_without_a_tokenizer_only_the_weights_are_whole(
    directory: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    file = directory / "tokenizer.json"
    file.unlink() if content is None else file.write_text(content)
    assert main(["model", "inspect", str(directory)]) == 0
    said = capsys.readouterr().out
    assert "⚠ " in said and words in said and "training would be refused" in said
    assert "✔ the weights are whole" in said and "it would load" not in said


def test_an_empty_sentencepiece_file_is_no_tokenizer(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer.model").touch()
    assert main(["model", "inspect", str(directory)]) == 0
    said = capsys.readouterr().out
    assert "the tokenizer has no words" in said and "it would load" not in said


def spoil(directory: Path, ending: str, change: str) -> None:
    for shard in directory.glob("*.safetensors"):
        tensors = load_file(shard)
        for name in [name for name in tensors if name.endswith(ending)]:
            tensor = tensors.pop(name)
            if change == "renamed":
                tensors[name + "\x1b[2J"] = tensor
            elif change == "reshaped":
                tensors[name] = tensor[:-1].contiguous()
        save_file(tensors, shard, metadata={"format": "pt"})


@pytest.mark.parametrize("change", ["missing", "renamed", "reshaped"])
def test_a_tensor_that_does_not_fit_is_listed(
    directory: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(directory, "layers.1.mlp.up_proj.weight", change)
    assert main(["model", "inspect", str(directory)]) == 1
    said = capsys.readouterr().out
    assert "✖ it would be refused" in said and "\x1b" not in said
    word = {"renamed": "unexpected"}.get(change, change)
    assert any(
        line.startswith(f"  ✖ {word}") and "layers.1.mlp.up_proj" in line for line in said.splitlines()
    )


def test_what_is_no_model_is_one_line(directory: Path, tmp_path: Path, wrong: Callable[..., str]) -> None:
    for command in (("inspect",), ("convert", "--to", tmp_path / "out")):
        verb, *rest = command
        assert "no config.json" in wrong("model", verb, tmp_path / "none", *rest)
        assert "Not a directory" in wrong("model", verb, FIXTURE / "config.json", *rest)
    next(directory.glob("*.safetensors")).unlink()
    assert "fetch them" in wrong("model", "inspect", directory)


def test_a_place_that_cannot_be_is_one_line(tmp_path: Path, wrong: Callable[..., str]) -> None:
    (tmp_path / "file").write_text("")
    assert "exists already" in wrong("model", "convert", FIXTURE, "--to", tmp_path)
    assert "Not a directory" in wrong("model", "convert", FIXTURE, "--to", tmp_path / "file" / "below")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
