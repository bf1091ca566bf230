"""The comparison of two runs: it says what differs, and can fail."""

import pytest

from engine.runs.exactness import counted, differences, evidence
from engine.runs.layout import RunPaths, create_run
from engine.runs.store.opening import open_writer
from engine.runs.store.rows import GeneratedSample


def record(
    paths: RunPaths, loss: float = 1.5, steps: int = 3, weights: bytes = b"w", text: str = "clear"
) -> None:
    with open_writer(paths) as writer:
        writer.begin_attempt("stage_a", 0, {})
        for step in range(1, steps + 1):
            writer.scalars("stage_a", step, {"train/loss": loss / step, "memory/process": step + loss})
        texts = dict.fromkeys(("prompt", "image", "reference"), "-")
        nothing = dict.fromkeys(("checkpoint", "labels", "labels_reference", "icd", "icd_reference"))
        where = {"stage": "stage_a", "step": 3, "split": "val", "purpose": "case", "case": "s1"}
        writer.sample(GeneratedSample(**where, **texts, **nothing, generated=text, scores={}))
    place = paths.checkpoints / "stage_a-000003"
    place.mkdir()
    (place / "adapter_model.safetensors").write_bytes(weights)


def test_runs_that_agree_have_no_difference(paths: RunPaths) -> None:
    twin = create_run(paths.root.parent, "twin")
    record(paths)
    record(twin)
    assert differences(evidence(paths), evidence(twin)) == []
    assert counted(evidence(paths)) == "3 scalars, 1 generated samples and 1 files of checkpoints"
    assert evidence(paths, ("stage_b",)).scalars == {}


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"loss": 1.5000000000000002}, "scalar train/loss stage_a 1 differs (1.5 and 1.5000000000000002)"),
        ({"steps": 4}, "scalar train/loss stage_a 4: only in the second"),
        ({"steps": 2}, "scalar train/loss stage_a 3: only in the first"),
        ({"weights": b"v"}, "file stage_a-000003 adapter_model.safetensors differs"),
        ({"text": "Clear"}, "sample case stage_a 3 None val s1 differs"),
    ],
)
def test_every_difference_is_told(paths: RunPaths, changed: dict[str, object], line: str) -> None:
    twin = create_run(paths.root.parent, "twin")
    record(paths)
    record(twin, **changed)  # type: ignore[arg-type]
    assert line in differences(evidence(paths), evidence(twin))
