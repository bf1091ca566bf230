"""No module needs, by any way round, one that needs it; imports within functions and for types count."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imports(root: Path) -> dict[str, set[str]]:
    """{module: the modules that it imports, wherever in its text}, of `cockpit` and `engine`."""
    files: dict[str, Path] = {}
    for package in ("cockpit", "engine"):
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        here = module if path.name == "__init__.py" else module.rpartition(".")[0]
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[module] |= {alias.name for alias in node.names} & set(files)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = ".".join(here.split(".")[: len(here.split(".")) - node.level + 1])
                    base = f"{above}.{base}".strip(".")
                for alias in node.names:
                    name = f"{base}.{alias.name}"
                    found[module] |= {name if name in files else base} & set(files)
    return found


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules in which each needs each: Tarjan's strongly connected components of more than one."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in graph[module]:
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1 or module in graph[module]:
                found.append(sorted(group))

    for module in graph:
        if module not in number:
            visit(module)
    return found


def test_no_module_is_in_a_circle() -> None:
    graph = imports(ROOT)
    assert len(graph) > 300 and any(graph.values())
    assert circles(graph) == []


@pytest.mark.parametrize(
    "text",
    [
        "from cockpit.two import thing",
        "from cockpit import two",
        "import cockpit.two",
        "from .two import thing",
        "from . import two",
        "def late():\n    from cockpit.two import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cockpit.two import Thing",
    ],
)
def test_a_circle_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    package = tmp_path / "cockpit"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text(text)
    (package / "two.py").write_text("def late():\n    import cockpit.three\n")
    (package / "three.py").write_text("from cockpit import one\n")
    assert circles(imports(tmp_path)) == [["cockpit.one", "cockpit.three", "cockpit.two"]]
    (package / "three.py").write_text("import json\n")
    assert circles(imports(tmp_path)) == []
