"""What `cockpit.textual_internals` reaches for in Textual is as it takes it, and no other file reaches for more."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import textual
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual._styles_cache import StylesCache
from textual.app import App
from textual.binding import BindingsMap
from textual.color import Color
from textual.command import CommandPalette
from textual.drivers import linux_driver
from textual.keys import _character_to_key
from textual.message_pump import MessagePump
from textual.screen import Screen

import cockpit
from cockpit import textual_internals

HERE = Path(cockpit.__file__).parent
INTERNALS = HERE / "textual_internals.py"
TEXTUAL = Path(textual.__file__).parent


def parameters(what: object) -> list[str]:
    return list(inspect.signature(what).parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("owner", "name", "takes"),
    [
        (App, "_display", ["self", "screen", "renderable"]),
        (App, "_fatal_error", ["self"]),
        (App, "_close_messages_no_wait", ["self"]),
        (Screen, "_screen_resized", ["self", "size"]),
        (CommandPalette, "_watch__list_visible", ["self"]),
        (CommandPalette, "_watch__show_busy", ["self"]),
        (CommandPalette, "_action_command_list", ["self", "action"]),
    ],
)
def test_what_is_overridden_or_called_takes_what_it_took(owner: type, name: str, takes: list[str]) -> None:
    assert parameters(getattr(owner, name)) == takes


def test_bindings_are_checked_by_key_alone() -> None:
    assert inspect.iscoroutinefunction(App._check_bindings)
    first, key, *rest = inspect.signature(App._check_bindings).parameters.values()
    assert (first.name, key.name) == ("self", "key")
    assert all(one.default is not inspect.Parameter.empty for one in rest)
    assert inspect.iscoroutinefunction(CommandPalette._watch__show_busy)


async def test_an_app_and_its_screen_keep_what_is_reached_for() -> None:
    app: App[None] = App()
    async with app.run_test():
        assert isinstance(app._exit_renderables, list)
        assert isinstance(app._clipboard, str)
        assert list(app._notifications) == []
        assert app._driver is not None and callable(app._driver.write)
        assert isinstance(app.screen._bindings, BindingsMap)
        assert isinstance(app.screen._bindings.key_to_bindings, dict)
        assert all(isinstance(bindings, BindingsMap) for _, bindings in app.screen._modal_binding_chain)
        app.notify("one")
        while not len(app._notifications):
            await asyncio.sleep(0)
        assert [one.message for one in app._notifications] == ["one"]


def test_an_update_of_the_screen_holds_what_is_read_of_it() -> None:
    assert {"spans", "chop_ends", "chops"} <= set(parameters(ChopsUpdate.__init__))
    partial = ChopsUpdate([{}], [(0, 0, 1)], [[1]])
    assert (partial.chops, list(partial.spans), partial.chop_ends) == ([{}], [(0, 0, 1)], [[1]])
    assert {"strips", "region"} <= set(parameters(LayoutUpdate.__init__))
    assert parameters(ChopsUpdate.render_segments) == ["self", "console"]


def test_colours_of_a_line_depend_on_two_colours_alone() -> None:
    """The original: an app that was made before this test has put another in its place."""
    original = textual_internals._colours
    assert original.args == (StylesCache,)
    assert parameters(inspect.unwrap(original.func))[-2:] == ["base_background", "background"]
    assert len(original(Color.parse("red"), Color.parse("blue"))) == 2


def test_the_driver_decodes_by_the_name_that_is_replaced() -> None:
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(inspect.getsource(linux_driver)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert "getincrementaldecoder" in calls


def test_characters_have_the_names_of_keys() -> None:
    assert (_character_to_key("/"), _character_to_key("a")) == ("slash", "a")


# --- nobody else reaches for more -----------------------------------------------------------------------------


def private_names_of_textual() -> set[str]:
    """Names with an underscore of what apps, screens and widgets have."""
    found: set[str] = set()
    for name in ("app", "screen", "widget", "dom", "message_pump", "command", "driver"):
        found |= own_names((TEXTUAL / f"{name}.py").read_text(encoding="utf-8"))
    return found


def own_names(source: str) -> set[str]:
    """Private methods and attributes that this text defines."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def reached_for(source: str, private: set[str]) -> Iterator[str]:
    """What this text takes of Textual that bears an underscore, or of its drivers."""
    own = {*own_names(source), "_exit"}  # that of `os`
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            if "drivers" in names or any(name.startswith("_") for name in names):
                yield str(node.module)
        elif isinstance(node, ast.Attribute) and node.attr in private - own:
            yield node.attr


def test_no_other_file_reaches_for_textuals_own() -> None:
    private = private_names_of_textual()
    assert {"_bindings", "_driver", "_notifications"} <= private
    found = {
        path.relative_to(HERE).as_posix(): names
        for path in HERE.rglob("*.py")
        if path != INTERNALS and (names := set(reached_for(path.read_text(encoding="utf-8"), private)))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("app._driver.write('x')", "_driver"),
        ("from textual._compositor import ChopsUpdate", "textual._compositor"),
        ("from textual.keys import _character_to_key", "textual.keys"),
        ("from textual.drivers import linux_driver", "textual.drivers"),
    ],
)
def test_such_a_reach_is_found(text: str, name: str) -> None:
    assert list(reached_for(text, private_names_of_textual())) == [name]


def test_no_other_class_overrides_textuals_own_by_chance() -> None:
    """A method of ours that bears the name of a private one of Textual would take its place without a word."""
    found = []
    for module in pkgutil.walk_packages([str(HERE)], "cockpit."):
        for one in vars(importlib.import_module(module.name)).values():
            if not (isinstance(one, type) and issubclass(one, MessagePump) and one.__module__ == module.name):
                continue
            theirs = [base for base in one.__mro__ if base.__module__.startswith("textual.")]
            for name, value in vars(one).items():
                private = name.startswith("_") and not name.startswith("__") and inspect.isfunction(value)
                if private and any(name in vars(base) for base in theirs):
                    found.append((module.name, name))
    assert found and {module for module, _ in found} == {"cockpit.textual_internals"}
