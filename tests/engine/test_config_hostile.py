"""Whatever is in a configuration file, it is read or refused in one line with the file's name."""

import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import RunConfig, demo_config_path, load_config
from engine.errors import UserError
from engine.files.yaml_file import MAX_BYTES

DEMO = demo_config_path().read_text(encoding="utf-8")


def said(path: Path, text: str | bytes) -> str:
    """What is told of it; empty if it is read."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        assert isinstance(load_config(path), RunConfig)
    except UserError as error:
        assert "\n" not in str(error) and str(error).startswith(str(path)) and len(str(error)) < 1000
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("  rank: 32", "  rnak: 32", "unknown key lora.rnak; did you mean rank?"),
        ("  rank: 32", "  rank: many", "lora.rank: must be a whole number (it is 'many')"),
        ("  rank: 32", "  rank: 1.5", "lora.rank: must be a whole number (it is 1.5)"),
        ("  rank: 32", "  rank: yes", "lora.rank: true is not a value for it"),
        ("  rank: 32", "  rank: 0", "lora.rank: must be at least 1 (it is 0)"),
        ("  rank: 32", "  rank: {deep: 1}", "lora.rank: must be a whole number"),
        ("  rank: 32", "  rank: 32\n  rank: 16", "the key 'rank' appears twice"),
        ("  alpha: 32", "  alpha: .inf", "lora.alpha: must be a finite number (it is inf)"),
        ("  alpha: 32", "  alpha: .nan", "lora.alpha: must be a finite number"),
        ("  alpha: 32", "  targets: '('", "lora.targets: not a regular expression"),
        ("  dropout: 0.0", "  dropout: 1.5", "lora.dropout: must be at most 1 (it is 1.5)"),
        ("  train_projector: true", "  train_projector: often", "must be true or false (it is 'often')"),
        ("  precision: float32", "  precision: float8", "must be 'float32' or 'bfloat16' (it is 'float8')"),
        ("  length_multiple: 32", "  length_multiple: 1024", "1024 is more than data.max_length, 512"),
        ("  replay: 0.3", "  replay: -1", "stages.stage_b.replay: must be at least 0 (it is -1)"),
        ("    target_val_loss: 2.0", "    replay: 0.5", "stage A is the first, there is nothing to replay"),
        ("  checkpoint: 40 steps", "  checkpoint: often", 'say "200 steps", "10 minutes" or "stage end"'),
        ("seed: 0 ", "seed: 2026-13-45 ", "not valid YAML"),
        ("seed: 0 ", "seed: !!python/object/apply:os.system [true] ", "not valid YAML"),
    ],
)
def test_file_line_and_reason(tmp_path: Path, line: str, instead: str, told: str) -> None:
    assert DEMO.count(line) >= 1
    text = DEMO.replace(line, instead, 1)
    complaint = said(tmp_path / "c.yaml", text)
    assert told in complaint
    if "2026-13" not in instead:
        number = text[: text.index(instead) + len(instead)].count("\n") + 1
        assert complaint.startswith(f"{tmp_path / 'c.yaml'}:{number}: ")


def test_what_would_grow_without_end_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    assert "more than 1,000,000 bytes" in said(path, b"# " + b"x" * MAX_BYTES)
    assert "not valid YAML" in said(path, "seed: " + "[" * 5000)
    laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert "c.yaml:5: not valid YAML: more than 20,000 values, counting what aliases" in said(
        path, laughs + DEMO
    )
    deep = "&z0 [lol]"
    for n in range(1, 25):
        deep = f"&z{n} [{deep}, *z{n - 1}]"
    assert "not valid YAML: " in said(path, DEMO.replace("  rank: 32 ", f"  rank: {deep} "))


def test_a_directory_and_a_pipe_s_end_are_no_configurations(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match="cannot be read"):
        load_config(tmp_path / "loop")


@pytest.mark.parametrize(
    "key",
    [
        "seed",
        "model.threads",
        "data.phantom.patients",
        "data.max_length",
        "lora.rank",
        "stages.stage_a.epochs",
        "stages.stage_b.batch_size",
        "stages.stage_b.accumulation",
        "stages.stage_a.learning_rate",
        "evaluation.cases",
        "evaluation.max_new_tokens",
        "cadence.checkpoint",
    ],
)
@pytest.mark.parametrize("words", ["9" * 30, "9" * 5000, "1e300", ".nan", "-.inf", f'"{"9" * 400} steps"'])
def test_a_number_beyond_reason_is_refused_with_its_key(tmp_path: Path, key: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(DEMO)
    with pytest.raises(UserError) as refused:
        load_config(path, [f"{key}={words}"])
    assert str(refused.value).startswith(f"--set {key}=")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(place=st.data(), value=VALUES)
def test_any_value_in_any_place(
    tmp_path_factory: pytest.TempPathFactory, place: st.DataObject, value: object
) -> None:
    raw = yaml.safe_load(DEMO)
    section = raw
    while True:
        key = place.draw(st.sampled_from(sorted(section)) | st.text(max_size=8))
        if not isinstance(section.get(key), dict) or place.draw(st.booleans()):
            section[key] = value
            break
        section = section[key]
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    said(path, yaml.safe_dump(raw, allow_unicode=True))


def test_any_damage_to_the_text(tmp_path: Path) -> None:
    chance = random.Random(5)
    content = DEMO.encode()
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 8)] = chance.choice(
                [
                    b"",
                    b"\x00",
                    b": ",
                    b"- ",
                    b"\n",
                    b"\xff",
                    b"*a",
                    b"&a ",
                    b"{",
                    b"'",
                    b"\t",
                    chance.randbytes(3),
                ]
            )
        said(tmp_path / "c.yaml", bytes(damaged))
