"""A few lines of YAML can stand for gigabytes, or for hours: they are refused before anything is made of them."""

import time
from pathlib import Path

import pytest
import yaml

from cockpit.screens.runs.changes import differences
from cockpit.views.films import image_root_of
from engine.config import load_config
from engine.data.importing.fields import read_mapping
from engine.errors import UserError
from engine.files.json_file import read_json
from engine.files.yaml_file import FAST_LOADER, MAX_BYTES, MAX_DEPTH, MAX_SCALAR, load, read_yaml
from engine.runs.layout import RunPaths
from engine.setup_check.rules.knowledge import read_knowledge

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
MERGED = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
HOSTILE: dict[str, tuple[str | bytes, str, str]] = {
    "aliases of aliases": (LAUGHS, ":13: ", "more than 20,000 values"),
    "merged again and again": (MERGED, ":12: ", "more than 20,000 values"),
    "an alias in itself": ("a: 1\nb: &b [*b]\n", ":2: ", "stands inside what it stands for"),
    "an alias in its own key": ("b: &b {c: {d: *b}}\n", ":1: ", "stands inside what it stands for"),
    "brackets": ("[" * 400_000, ":1: ", "nested more than 50 deep"),
    "dashes": ("- " * 400_000, ":1: ", "nested more than 50 deep"),
    "keys": ("{a: " * 200_000, ":1: ", "nested more than 50 deep"),
    "many values": ("- 1\n" * 100_000, ":20000: ", "more than 20,000 values"),
    "a number of base sixty": ("a: 1" + ":1" * 300_000, ":1: ", "a value of more than 3,000 characters"),
    "one value": (f"a: 1\nb: {'x' * 500_000}\n", ":2: ", "a value of more than 3,000 characters"),
    "too long": ("# " + "x" * MAX_BYTES, ": ", "more than 1,000,000 bytes"),
    "a date that is none": ("a: 2026-13-45\n", ": ", "month must be in 1..12"),
    "a number too large": (f"a: 1{':59' * 900}.5\n", ": ", "too large"),
    "a tag that does not fit": ("a: !!bool maybe\n", ": ", "maybe"),
    "not UTF-8": (b"a: \xff\n", ": ", "utf-8"),
    "two documents": ("a: 1\n--- \nb: 1\n", ":2: ", "but found another document"),
}  # fmt: skip


@pytest.mark.parametrize("loader", [FAST_LOADER, yaml.SafeLoader])
@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_refused_at_once_in_one_line(tmp_path: Path, what: str, loader: type) -> None:
    text, line, reason = HOSTILE[what]
    path = tmp_path / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    begun = time.process_time()
    with pytest.raises(UserError) as caught:
        read_yaml(path, loader)
    said = str(caught.value)
    assert said.startswith(f"{path}{line}not valid YAML: ") and reason in said and "\n" not in said
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("what", ["aliases of aliases", "a number of base sixty", "brackets", "not UTF-8"])
def test_whoever_reads_yaml(tmp_path: Path, what: str) -> None:
    text = HOSTILE[what][0]
    run = RunPaths(tmp_path)
    run.config.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (load_config, read_mapping, read_knowledge):
        with pytest.raises(UserError) as caught:
            read(run.config)
        assert str(run.config) in str(caught.value) and "\n" not in str(caught.value)
    for ask in (image_root_of, lambda run: differences(run, run)):
        with pytest.raises(UserError) as caught:
            ask(run)
        assert str(run.config) in str(caught.value) and "\n" not in str(caught.value)


def test_within_the_bounds_it_means_what_it_always_meant() -> None:
    text = "a: &a {b: 1, c: [x, 2026-01-02]}\nd: {<<: *a, b: 2}\ne: [*a, *a]\n"
    assert load(text)[0] == yaml.safe_load(text)
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert load(deep)[0] == yaml.safe_load(deep)
    assert str(load("0x" + "f" * (MAX_SCALAR - 2))[0])  # the longest number can still be written
    assert load("") == (None, None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[" * 1_000_000, "nested too deeply"),
        (b"9" * 10_000, "Exceeds the limit"),
        (b'"\xff"', "utf-8"),
        (b"[1,", "Expecting value"),
        (b" " * 2_000 + b"1", "more than 2,000 bytes"),
    ],
)
def test_json(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    most = 2_000 if told.startswith("more") else 20_000_000
    with pytest.raises(ValueError, match=told):
        read_json(path, most)
