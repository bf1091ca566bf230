"""For commands that have an engine as their child: one that runs in this process, and a run it can read."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config import demo_config_path, freeze, load_config
from engine.runs.checkpoints import CheckpointMeta
from engine.runs.layout import RunPaths, create_run
from engine.runs.store.opening import open_writer

ENGINE = [sys.executable, "-P", "-m", "engine"]


@pytest.fixture
def engine_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m engine VERB` as a call: a process of its own would load torch anew each time."""
    real_run, real_popen = subprocess.run, subprocess.Popen

    def run(command: list[str], **options: Any) -> Any:
        if command[:4] != ENGINE:
            return real_run(command, **options)
        said = io.StringIO()
        captured = contextlib.redirect_stdout(said) if options.get("stdout") == subprocess.PIPE else None
        with captured or contextlib.nullcontext():
            code = _engine(command[4:], monkeypatch)
        return subprocess.CompletedProcess(command, code, said.getvalue())

    class Child:
        """As much of Popen as is used where a child is read line by line."""

        def __init__(self, command: list[str], **_options: Any) -> None:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                self.returncode = _engine(command[4:], monkeypatch)
            self.stdout = io.StringIO(said.getvalue())

        def __enter__(self) -> "Child":
            return self

        def __exit__(self, *_: object) -> None: ...

    class Popen(real_popen):  # type: ignore[type-arg]
        def __new__(cls, command: list[str], **options: Any) -> Any:
            return Child(command) if command[:4] == ENGINE else super().__new__(cls)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(subprocess, "Popen", Popen)


def _engine(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    from engine.__main__ import main

    before, term, mask = dict(os.environ), signal.getsignal(signal.SIGTERM), os.umask(0o077)
    try:
        with warnings.catch_warnings(), monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["engine", *arguments])
            return main()
    finally:
        os.umask(mask)
        signal.signal(signal.SIGTERM, term)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of runs with `night`: the bundled base and an adapter that has learned something."""
    directory = tmp_path_factory.mktemp("model") / "runs"
    _train(create_run(directory, "night"), directory.parent)
    yield directory


def _train(paths: RunPaths, home: Path) -> None:
    import torch

    from engine.model.loading import load_base
    from engine.model.lora import add_adapter
    from engine.training.checkpoint import write_checkpoint

    settings = {
        "data.curriculum": str(home / "none.jsonl"),
        "lora.rank": 2,
        "evaluation.max_new_tokens": 12,
        "model.device": "cpu",
    }
    config = load_config(
        demo_config_path(), [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    )
    freeze(config, paths.config)
    base = load_base(config.base_directory, torch.float32)
    base.model.requires_grad_(False)
    model = add_adapter(base.model, config.lora, str(config.base_directory), seed=1)
    torch.manual_seed(2)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn_like(parameter) * 0.05
    with open_writer(paths) as writer:
        writer.open_attempt()
        writer.begin_attempt("stage_a", 0, {})
        writer.state("training")
        optimizer = torch.optim.AdamW(one for one in model.parameters() if one.requires_grad)
        standing = CheckpointMeta("stage_b", 9, 9, "finished")
        write_checkpoint(paths.checkpoints, "stage_b-000009", model, optimizer, standing)
        writer.checkpoint("stage_b-000009", "stage_b", 9, 1, True)
        writer.state("finished")


@pytest.fixture
def wrong(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give a command that cannot be; the one line that says why."""

    def give(*arguments: object) -> str:
        from cockpit.cli import main

        try:
            code = main([str(one) for one in arguments])
        except SystemExit as ended:
            code = int(str(ended.code))
        printed = capsys.readouterr()
        assert code == 2, (code, printed)
        assert printed.out == "" and printed.err.count("\n") == 1, printed
        assert printed.err.startswith("cxr-cockpit: ")
        return printed.err

    return give
