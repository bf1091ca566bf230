"""The user's own keys: what the file may say, and one clear line for what it may not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.actions.action import keys_that_work
from cockpit.actions.key_table import key_table, with_table
from cockpit.actions.keymap import keymap_path, read_keymap
from cockpit.actions.keys import key_named, key_word, move_keys
from cockpit.screens.table import action_groups, ways_to
from engine.errors import UserError

GROUPS = action_groups()
GO = ways_to()
ACTIONS = {action.id: action for group in (*GROUPS.values(), GO.values()) for action in group}


def keymap(path: Path) -> dict[str, str]:
    return read_keymap(path, GROUPS, list(GO.values()))


README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
def write(tmp_path: Path) -> Iterator[object]:
    def one(text: str) -> Path:
        path = tmp_path / "keys.yaml"
        path.write_text(text)
        return path

    yield one
    move_keys({})


def test_no_file_moves_nothing(tmp_path: Path) -> None:
    assert keymap(tmp_path / "keys.yaml") == {}


def test_an_empty_file_moves_nothing(write) -> None:
    assert keymap(write("# nothing yet\n")) == {}


def test_keys_are_written_as_they_are_read(write) -> None:
    path = write(
        "park: P\nstop: f8\nsave: y\ndata.search: [/, ctrl+f]\nsmoother: '='\nnext_case: space bar\n"
    )
    with pytest.raises(UserError, match="space bar"):
        keymap(path)
    assert keymap(write(path.read_text().replace("space bar", "tab"))) == {
        "park": "P",
        "stop": "f8",
        "save": "y",
        "data.search": "slash,ctrl+f",
        "smoother": "equals_sign",
        "next_case": "tab",
    }


def test_two_keys_may_change_places(write) -> None:
    assert keymap(write("park: x\nstop: p\n")) == {"park": "x", "stop": "p"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("parc: P", 1, "no action 'parc': did you mean park?"),
        ("\nxyzzy: P", 2, "no action 'xyzzy': the README's key table"),
        ("park: hyper+q", 1, "'hyper+q' is no key"),
        ("park: ''", 1, "'' is no key"),
        ("park:\n  deep: P", 1, "write a key, or a list of keys"),
        ("park: []", 1, "write a key, or a list of keys"),
        ("park: P\npark: Q", 2, "park has its keys from line 1 already"),
        ("back: b", 1, "esc always backs out"),
        ("park: esc", 1, "'esc' cannot be moved: it always backs out"),
        ("park: ctrl+c", 1, "'ctrl+c' cannot be moved"),
        ("save: c\npark: x", 2, "park: 'x' is stop (stop) on flight already"),
        ("data.read: '2'", 1, "data.read: '2' is go.samples (Samples) on data already"),
        ("go.log: z", 1, "go.log: 'z' is zoom (zoom) on flight already"),
        ("park: [P, P]", 1, "park: 'P' is park"),
        ("a: b: c", 1, "not YAML"),
        ("- park", None, "write a line for each action"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(write, text: str, line: int | None, words: str) -> None:
    path = write(text)
    with pytest.raises(UserError) as refused:
        keymap(path)
    told = str(refused.value)
    assert told.startswith(f"{path}:{line}: " if line else f"{path}: ") and words in told
    assert "\n" not in told


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        keymap(path)


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keymap_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/cxr-cockpit/keys.yaml")
    monkeypatch.setenv("HOME", "/home/someone")
    assert keymap_path({}) == Path("/home/someone/.config/cxr-cockpit/keys.yaml")


def test_the_keys_that_actions_have_by_themselves_do_not_clash(write) -> None:
    """Moving any one action to a key that nothing has is always possible."""
    for id in ACTIONS:
        if id != "back":
            assert keymap(write(f"{id}: f12\n")) == {id: "f12"}


def test_footer_and_reasons_name_the_moved_key() -> None:
    move_keys({"log.next_error": "e", "log.previous_error": "E"})
    assert ACTIONS["log.next_error"].key_name == "e E"
    move_keys({"hold": "f2", "resume": "R"})
    assert ACTIONS["hold"].binding().key == "f2"
    start = keys_that_work(GROUPS["start"], None)
    assert start[0][0] == "d"


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("?", "question_mark"),
        ("G", "G"),
        (" ", "space"),
        ("Esc", "escape"),
        ("PgUp", "pageup"),
        ("ctrl+s", "ctrl+s"),
        ("shift+f3", "shift+f3"),
        (",", "comma"),
        ("ä", "ä"),
    ],
)
def test_names_of_keys(word: str, key: str) -> None:
    assert key_named(word) == key
    if len(word) == 1 and word != " ":
        assert key_word(key) == word


@pytest.mark.parametrize("key", ["escape", "delete", "tab", "backspace", "enter", "home", "ctrl+p"])
def test_a_key_without_a_character_is_called_by_its_name(key: str) -> None:
    assert key_word(key).isprintable()
    assert key_named(key_word(key)) == key


def test_the_readme_has_the_keys_of_the_registry() -> None:
    readme = README.read_text()
    assert with_table(readme, key_table(GROUPS, GO.values())) == readme, "run scripts/key_table.py"


def test_the_table_names_every_action_with_its_own_keys() -> None:
    move_keys({"park": "P"})
    table = key_table(GROUPS, GO.values())
    move_keys({})
    assert table == key_table(GROUPS, GO.values())
    for action in (*GO.values(), *(action for group in GROUPS.values() for action in group)):
        assert f"| `{action.id}` |" in table


def test_a_readme_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no lines"):
        with_table("# nothing", "")
