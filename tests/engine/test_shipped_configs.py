"""The configurations that people copy: each loads, and says of every key what it is, in what unit, and its default."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic_core import PydanticUndefined

from engine.config import RunConfig, Section, load_config

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(CONFIGS.glob("*.yaml"))
#: The one that has every key there is.
COMPLETE = CONFIGS / "llava_med_mps.yaml"


def schema(section: type[Section] = RunConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, default) of every value a configuration may set; phantoms, which real data has none of, apart."""
    for name, field in section.model_fields.items():
        below = [one for one in (field.annotation, *get_args(field.annotation)) if isinstance(one, type)]
        deeper = next((one for one in below if issubclass(one, Section)), None)
        if deeper:
            yield from schema(deeper, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.get_default(call_default_factory=True)


DEFAULTS = dict(schema())


def keys_with_comments(path: Path) -> dict[str, tuple[bool, str]]:
    """By dotted key: whether it holds a value rather than a section, and the comment on its line or the one above."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found: dict[str, tuple[bool, str]] = {}

    def walk(node: yaml.Node, prefix: str) -> None:
        assert isinstance(node, yaml.MappingNode)
        for key, value in node.value:
            line = key.start_mark.line
            same = re.search(r"\s# (.+)$", lines[line])
            above = re.match(r"\s*# (.+)$", lines[line - 1])
            comment = same[1] if same else above[1] if above else ""
            is_value = isinstance(value, yaml.ScalarNode)
            found[prefix + key.value] = (is_value, comment)
            if not is_value:
                walk(value, f"{prefix}{key.value}.")

    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None
    walk(node, "")
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_loads_and_each_key_has_its_meaning(path: Path) -> None:
    load_config(path)
    for key, (_, comment) in keys_with_comments(path).items():
        assert len(comment) >= 7, f"{path.name}: {key} has no comment"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_value_has_its_unit_and_its_true_default(path: Path) -> None:
    for key, (is_value, comment) in keys_with_comments(path).items():
        if not is_value or key == "data.phantom":
            continue
        match = re.search(r"\((.+); (.+)\)$", comment)
        assert match, f"{path.name}: {key} lacks (unit; default)"
        assert says(match[2], DEFAULTS[key]), (
            f"{path.name}: {key} has the default {DEFAULTS[key]!r}, not {match[2]}"
        )


def says(words: str, default: Any) -> bool:
    if default is PydanticUndefined:
        return words == "required"
    if isinstance(default, str) and "(" in default:  # a pattern, told in words
        return "proj" in default and "language model" in words
    if isinstance(default, float):
        return float(words) == default
    return words == ("null" if default is None else str(default).lower())


def test_one_has_every_key() -> None:
    there = keys_with_comments(COMPLETE)
    missing = [key for key in DEFAULTS if key not in there and not key.startswith("data.phantom.")]
    assert not missing, f"{COMPLETE.name} lacks {', '.join(missing)}"
    demo = keys_with_comments(CONFIGS / "demo.yaml")
    assert all(key in demo for key in DEFAULTS if key.startswith("data.phantom."))


def test_the_users_run_has_their_numbers() -> None:
    config = load_config(COMPLETE)
    assert config.data.expected.model_dump() == {"images": 10003, "train": 10142, "validation": 1125}
    assert (config.model.precision, config.model.device) == ("float32", "mps")
    for stage in (config.stages.stage_a, config.stages.stage_b):
        assert stage.epochs == 3 and stage.samples_per_step == 8
    assert (config.stages.stage_a.target_val_loss, config.stages.stage_b.target_val_loss) == (2.0, 1.5)
