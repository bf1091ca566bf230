"""A named pipe in the place of a file: whoever opened it would wait for ever for somebody to write."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cockpit.actions.keymap import read_keymap
from cockpit.alerts.alert_file import FILE as ALERTS
from cockpit.alerts.alert_file import AlertBook
from cockpit.screens.data.token_counts import encoder_of
from cockpit.screens.runs.changes import differences
from engine.config import BUNDLED_BASE, demo_config, load_config
from engine.data.curriculum import read_curriculum
from engine.data.images import open_image
from engine.data.importing.fields import read_mapping
from engine.data.importing.formats import read_records
from engine.data.mimic.tree import table
from engine.download.model_download import read_download, take_lock, workplace
from engine.errors import UserError
from engine.model.inspect import inspect_model
from engine.model.lora import load_adapter
from engine.model.tokenizer import load_tokenizer
from engine.runs.checkpoints import flaw, read_meta
from engine.runs.device_rates import FILE as RATES
from engine.runs.device_rates import read_device_rates
from engine.runs.layout import RunPaths
from engine.setup_check.probe.target import statement
from engine.setup_check.rules.knowledge import read_knowledge
from engine.setup_check.rules.model_files import weight_bytes
from engine.setup_check.rules.project import model_findings
from engine.training.prepare import prepare_curriculum
from engine.training.reporting import read_ehr

SECONDS = 20.0


def answer(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, or the words of its `UserError`; fails where it does not answer."""
    answers: list[Any] = []

    def asked() -> None:
        try:
            answers.append(ask())
        except UserError as error:
            answers.append(str(error))
        except BaseException as error:  # shown by the test, in place of a thread's death
            answers.append(error)

    thread = threading.Thread(target=asked, daemon=True)  # one that waits must not keep the tests waiting
    thread.start()
    thread.join(SECONDS)
    assert answers, "waits at the pipe"
    if isinstance(answers[0], BaseException):
        raise answers[0]
    return answers[0]


def pipe(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


REFUSED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "configuration": ("run.yaml", load_config),
    "curriculum": ("curriculum.jsonl", read_curriculum),
    "film": ("film.png", lambda path: open_image(path.parent, path.name)),
    "import, JSON": ("records.json", lambda path: list(read_records(path))),
    "import, CSV": ("records.csv", lambda path: list(read_records(path))),
    "import, packed": ("records.jsonl.gz", lambda path: list(read_records(path))),
    "mapping": ("mapping.yaml", read_mapping),
    "record": ("ehr.json", read_ehr),
    "knowledge": ("knowledge.yaml", read_knowledge),
    "keys": ("keys.yaml", lambda path: read_keymap(path, {}, [])),
    "configuration that Runs compares": (
        "config.yaml",
        lambda path: differences(RunPaths(path.parent), RunPaths(path.parent)),
    ),
    "adapter": ("adapter_model.safetensors", lambda path: load_adapter(None, path.parent)),
    "lock of a download": (".fetch/lock", lambda path: take_lock(path.parent.parent)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    name, ask = REFUSED[what]
    said = answer(lambda: ask(pipe(tmp_path / name)))
    assert isinstance(said, str) and "plain file" in said and "\n" not in said
    assert name in said or ".fetch" in name


def test_a_table_of_mimic_s_is_not_there(tmp_path: Path) -> None:
    pipe(tmp_path / "admissions.csv.gz")
    assert "has neither admissions.csv.gz" in answer(lambda: table(tmp_path, "admissions"))


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "special_tokens_map.json", "model.safetensors"]
)
def test_a_model_s_directory(tmp_path: Path, name: str) -> None:
    directory = Path(shutil.copytree(BUNDLED_BASE, tmp_path / "base"))
    odd = pipe(directory / name)
    assert str(odd) in answer(lambda: load_tokenizer(directory))
    assert str(directory) in str(answer(lambda: inspect_model(directory)))
    (finding,) = answer(lambda: list(model_findings(directory)))
    assert finding.status == ("fail" if name == "config.json" else finding.status)
    answer(lambda: weight_bytes(directory, 4))
    if name == "config.json":
        assert "cannot be read as a model" in answer(lambda: encoder_of(directory))


def test_what_nobody_has_to_have_counts_as_absent(tmp_path: Path) -> None:
    pipe(tmp_path / RATES)
    assert answer(lambda: read_device_rates(tmp_path)) is None
    pipe(workplace(tmp_path) / "state.json")
    assert answer(lambda: read_download(tmp_path)) is None
    assert answer(lambda: statement([str(pipe(tmp_path / "a.py")), 1, "f"])) is None


def test_a_run_s_own_files(tmp_path: Path) -> None:
    checkpoint = tmp_path / "stage_a-000001"
    pipe(checkpoint / "manifest.json")
    pipe(checkpoint / "progress.json")
    assert "named pipe" in answer(lambda: flaw(checkpoint))
    assert answer(lambda: read_meta(checkpoint)) is None
    (checkpoint / "manifest.json").unlink()
    (checkpoint / "manifest.json").write_text('{"weights": {"bytes": 0, "blake2b": ""}}')
    pipe(checkpoint / "weights")
    assert "named pipe" in answer(lambda: flaw(checkpoint))
    pipe(tmp_path / ALERTS)
    assert answer(lambda: AlertBook(tmp_path).alerts(())) == ()
    book = AlertBook(tmp_path)
    answer(lambda: book.acknowledge(["a"], 1.0))


def test_the_lock_beside_phantoms(tmp_path: Path) -> None:
    config = demo_config(0, tmp_path)
    lock = pipe(tmp_path / ".phantom-0.lock")
    with pytest.raises(OSError, match="named pipe") as caught:
        answer(lambda: prepare_curriculum(config, lambda line: None, lambda: None))
    assert caught.value.filename == str(lock)
