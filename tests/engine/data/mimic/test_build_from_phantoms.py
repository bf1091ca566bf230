from collections.abc import Callable
from pathlib import Path

import pytest

from engine.data.answers import read_answer
from engine.data.curriculum import read_curriculum
from engine.data.images import open_image
from engine.data.mimic.build import build_curriculum
from engine.phantom.dataset import write_dataset


def test_phantoms_become_a_curriculum(tmp_path: Path) -> None:
    write_dataset(tmp_path / "phantom", patients=40, seed=5, size=64, workers=1)
    report = build_curriculum(tmp_path / "phantom", tmp_path / "out")
    samples = read_curriculum(tmp_path / "out" / "curriculum.jsonl")
    stage_a = [sample for sample in samples if sample.stage == "stage_a"]
    stage_b = [sample for sample in samples if sample.stage == "stage_b"]
    assert abs(len(stage_a) / len(samples) - 0.35) < 0.02
    assert report.dropped == {}
    assert report.to_json()["patient_overlap"] == 0
    for sample in stage_a:
        labels = read_answer(sample.target, "labels").labels
        assert labels is not None
        if any(value == 1 for value in sample.labels.values()):
            assert {n for n, v in labels.items() if v} == {n for n, v in sample.labels.items() if v == 1}
    for sample in stage_b:
        assert sample.ehr is not None
        assert tuple(read_answer(sample.target, "icd", sample.icd).icd or ()) == sample.icd
        assert not any(code.split(":")[1] in sample.prompt for code in sample.icd)
    assert open_image(report.roots.jpg, samples[0].image).mode == "L"


#: Where a build is killed: while rows of the tables lie in scratch, and while the curriculum is written.
INSTANTS = {
    "scratch": (
        "from engine.data.mimic.tree import Tables; query = Tables.query\n"
        "def spills(tables, sql, **files):\n"
        "    (temporary,), = tables._connection.execute(\"SELECT current_setting('temp_directory')\").fetchall()\n"
        "    Path(temporary).mkdir(exist_ok=True); (Path(temporary) / 'spilled').write_text('Mrs X'); here()\n"
        "Tables.query = spills\n"
    ),
    "curriculum": "import os; os.fsync = here\n",
}


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("next_start", ["build", "read"])
def test_what_a_killed_build_left_is_gone_after_the_next_start(
    killed: Callable[..., None], tmp_path: Path, instant: str, next_start: str
) -> None:
    phantom, out = tmp_path / "phantom", tmp_path / "out"
    write_dataset(phantom, patients=8, seed=5, size=64, workers=1)
    build_curriculum(phantom, out)
    script = "from pathlib import Path; from engine.data.mimic.build import build_curriculum\n"
    killed(
        script + INSTANTS[instant] + "build_curriculum(Path(sys.argv[1]), Path(sys.argv[2]))", phantom, out
    )
    assert len(list(out.iterdir())) == 3
    if next_start == "build":
        build_curriculum(phantom, out)
    else:
        read_curriculum(out / "curriculum.jsonl")
    assert sorted(path.name for path in out.iterdir()) == ["build.json", "curriculum.jsonl"]
