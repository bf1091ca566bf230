"""Whatever is in a curriculum, its lines are read or refused with file, number and reason, and no report is told."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import curriculum
from engine.data.curriculum import FIELDS, Sample, read_curriculum, sample_to_json
from engine.data.labels import LABELS
from engine.errors import UserError

RECORD: dict[str, Any] = {
    "id": "s1-a", "subject_id": "p1", "study_id": "s1", "stage": "stage_a", "image": "files/p1/s1.jpg",
    "prompt": "Describe.", "target": "SECRET words of a report.\nCheXpert: Edema", "labels": {"Edema": 1},
    "ehr": None, "icd": ["10:I509"], "split": "train",
}  # fmt: skip


def said(path: Path, content: bytes) -> str:
    """What is told of it; empty if it is read, and then it reads back as itself."""
    path.write_bytes(content)
    try:
        samples = read_curriculum(path)
    except UserError as error:
        assert str(error).startswith(str(path)) and len(str(error)) < 600
        assert "SECRET" not in str(error)
        return str(error)
    assert all(isinstance(sample, Sample) for sample in samples)
    path.write_text("".join(sample_to_json(sample) + "\n" for sample in samples), encoding="utf-8")
    assert read_curriculum(path) == samples
    return ""


def line(**changes: Any) -> bytes:
    return json.dumps(RECORD | changes).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "broken JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "not UTF-8"),
        (b"null", "not a JSON object"),
        (
            json.dumps({key: RECORD[key] for key in FIELDS if key != "target"}).encode(),
            "lacks the field target",
        ),
        (line(more="x" * 10_000), "unknown field"),
        (line(id="x" * 300), "field id has 300 characters"),
        (line(image="../../etc/passwd"), "leaves the image root"),
        (line(image="/etc/passwd"), "is absolute"),
        (line(image="C:/x.jpg"), "is absolute"),
        (line(image="a\\b.jpg"), "backslashes"),
        (line(image="a\0.jpg"), "NUL"),
        (line(image="x" * 300), "longer than a path can be"),
        (line(image="a/" * 3000 + "b"), "longer than a path can be"),
        (line(stage="x" * 10_000), "unknown stage"),
        (line(labels={"Oedema": 1}), "unknown label 'Oedema'"),
        (line(labels={"Edema": 10**30}), "must be 1, 0, -1 or null"),
        (line(labels={"Edema": True}), "must be 1, 0, -1 or null"),
        (line(icd=["SECRET " * 100]).replace(b"SECRET", b"I50"), "must look like"),
        (line(target="half \ud83d"), "surrogates not allowed"),
        (line() + line(), "stands already on line 1"),
        (b'{"id": ' + b"9" * 5000 + b"}", "limit"),
        (line(labels={"Edema": float("nan")}), "not JSON"),
    ],
)
def test_file_line_and_reason(tmp_path: Path, content: bytes, told: str) -> None:
    complaint = said(tmp_path / "c.jsonl", content)
    assert told in complaint and f"c.jsonl:{2 if content == line() + line() else 1}: " in complaint


def test_a_line_without_an_end_is_not_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curriculum, "MAX_LINE_BYTES", 1000)
    assert "c.jsonl:2: the line has more than 1,000 bytes" in said(
        tmp_path / "c.jsonl", line() + b'{"id": "' + b"x" * 2000
    )


@pytest.mark.parametrize("text", ["\x1b[2J[red]x[/]", "NUL \0 in it", "\u202egnirts\u202c", "<image> </s>"])
def test_strange_text_is_text(tmp_path: Path, text: str) -> None:
    assert said(tmp_path / "c.jsonl", line(target=text, prompt=text)) == ""


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(field=st.sampled_from(FIELDS), value=ANY)
def test_any_value_in_any_field(tmp_path_factory: pytest.TempPathFactory, field: str, value: Any) -> None:
    said(tmp_path_factory.getbasetemp() / "any.jsonl", line(**{field: value}))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(LABELS), st.sampled_from([1, 0, -1, None]) | ANY))
def test_any_labels(tmp_path_factory: pytest.TempPathFactory, labels: dict[str, Any]) -> None:
    said(tmp_path_factory.getbasetemp() / "labels.jsonl", line(labels=labels))


def test_any_damage_to_the_bytes(tmp_path: Path) -> None:
    chance = random.Random(3)
    whole = b"".join(line(id=f"s{number}-a") for number in range(3)).replace(b"SECRET", b"Plain")
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 6)] = chance.choice(
                [b"", b"\x00", b'"', b"\\", b"\\ud800", b"{", b"]", b"\n", b"\xff", chance.randbytes(2)]
            )
        said(tmp_path / "c.jsonl", bytes(damaged))
