"""ARCHITECTURE.md and docs/ name files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAPERS = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
#: In backquotes: a folder of the tree, a path in it, or a path's end such as `store/schema.py`.
NAMED = re.compile(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|ya?ml|md|tcss))?)`")


def missing(text: str) -> list[str]:
    """Paths that `text` names and the tree lacks."""
    return [
        name
        for name in NAMED.findall(text)
        if not (ROOT / name).exists()
        and not any(any(ROOT.glob(f"{top}/**/{name}")) for top in ("cockpit", "engine"))
    ]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_what_is_named_is_there(paper: Path) -> None:
    assert missing(paper.read_text(encoding="utf-8")) == []


def test_a_name_of_nothing_is_noticed() -> None:
    assert missing("see `engine/nowhere.py`, `store/schema.py`, `engine/data/` and `engine/gone/`") == [
        "engine/nowhere.py",
        "engine/gone/",
    ]
    assert NAMED.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
