"""A metric that nobody knows but the list is stored by a real run, and shown wherever metrics are."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cockpit.cli import main
from cockpit.commands import evaluate
from cockpit.screens.flight.source import RunSource
from cockpit.screens.runs.source import RunsSource
from cockpit.screens.samples.choice import ORDERS, Choice, listed
from cockpit.screens.samples.source import SamplesSource
from engine.config import RunConfig
from engine.metrics import registry
from engine.metrics.registry import METRICS, Metric, OwnScore
from engine.model.exporting.card import Checked, model_card
from engine.model.exporting.card_facts import read_facts
from engine.runs.layout import RunPaths
from engine.runs.store.rows import GeneratedSample
from engine.training.scoring import evaluate_run

from .living import live, prepare


def length(sample: GeneratedSample) -> float:
    return float(len(sample.generated))


LENGTH = Metric(
    "shape.length",
    lambda samples: sum(map(length, samples)) / len(samples),
    title="length",
    rule="in characters",
    card="mean length",
    short="len",
    tag="val/length",
    own=OwnScore("length", "long", length),
    better="low",
)


@pytest.fixture(scope="module")
def everywhere() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "METRICS", (*METRICS, LENGTH))
        yield


@pytest.fixture(scope="module")
def scored(
    everywhere: None, tmp_path_factory: pytest.TempPathFactory, short: RunConfig
) -> tuple[RunPaths, dict[str, Any]]:
    """A run that was trained and evaluated, and what `evaluate` found."""
    paths = prepare(tmp_path_factory.mktemp("runs") / "measured", short)
    assert live(paths) == 0
    return paths, evaluate_run(paths, None, "val", 2)


def test_evaluate_tells_it(
    scored: tuple[RunPaths, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths, found = scored
    answer = SimpleNamespace(returncode=0, stdout=json.dumps(found))
    monkeypatch.setattr(evaluate.subprocess, "run", lambda *_, **__: answer)  # what its child would say
    assert main(["evaluate", str(paths.root), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    for stages in (said["stages"], *said["baselines"].values()):
        assert [scores["shape"]["length"] >= 0 for scores in stages.values()] == [True, True]
    assert main(["evaluate", str(paths.root)]) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[1].split()[-2:] == ["length", "n"] and "length: in characters" in table


def test_samples_and_scalars_have_it(
    scored: tuple[RunPaths, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    paths, _ = scored
    assert main(["samples", str(paths.root)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows and all(row["scores"]["length"] == len(row["generated"]) for row in rows)
    assert main(["scalars", str(paths.root), "--tag", "val/length", "--format", "jsonl"]) == 0
    points = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [point["stage"] for point in points] == ["stage_a", "stage_b"]
    for point in points:
        own = [
            len(row["generated"])
            for row in rows
            if (row["stage"], row["step"], row["purpose"]) == (point["stage"], point["step"], "evaluation")
        ]
        assert own and point["value"] >= min(own)


def test_the_model_card_has_it(scored: tuple[RunPaths, dict[str, Any]], short: RunConfig) -> None:
    paths, found = scored
    checkpoint = paths.checkpoints / found["checkpoint"]
    card = model_card(read_facts(paths, short, checkpoint), Checked(True, 0.3, 1e-6, 1e-4))
    heading = next(line for line in card.splitlines() if "BLEU-4 |" in line)
    assert heading.endswith("| mean length |")
    rows = [line for line in card.splitlines() if line.startswith("| this model | stage_")]
    assert len(rows) == 2 and all(float(row.split("|")[-2]) >= 0 for row in rows)


def test_the_screens_show_it(scored: tuple[RunPaths, dict[str, Any]]) -> None:
    paths, _ = scored
    (row,) = RunsSource(paths.root.parent, paths).read().rows
    assert len(row.scores) == 3 and row.scores[-1] is not None
    book = SamplesSource(paths, pictures=False).read()
    ranked = listed(book, Choice(order=ORDERS[0]))
    lengths = [one.written.scores[0].value for one in ranked]
    assert [one.written.scores[0].title for one in ranked] == ["long"] * len(ranked)
    assert lengths == sorted(lengths, reverse=True)  # the longest are the worst
    stages = RunSource(paths, pictures=False).read().stages
    assert [stage.score is not None and stage.score[0] for stage in stages] == ["F1", "ICD F1"]
