"""Texts out of the files that people have."""

import gzip
import json
from pathlib import Path

import pytest

from engine.data.labeler.texts import Text, read_texts
from engine.data.sections.reading import WINDOWS
from engine.errors import UserError

ROWS = 'id,findings,impression\n1,"Edema,\nmild.",Clear.\n2,,nan\n3,None,Effusion.\n'


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_table_its_quoted_lines_and_its_missing_values(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, ROWS)
    assert read_texts(path, ["impression"])[0] == [Text(1, "Clear."), Text(2, ""), Text(3, "Effusion.")]
    assert read_texts(path, ["findings", "impression"])[0] == [
        Text(1, "Edema,\nmild.\n\nClear."),
        Text(2, ""),
        Text(3, "Effusion."),
    ]


def test_tabs_json_lines_and_plain_lines(tmp_path: Path) -> None:
    expected = [Text(1, "Edema."), Text(2, ""), Text(3, "Clear.")]
    assert read_texts(write(tmp_path / "a.tsv", "id\tt\n1\tEdema.\n2\t\n3\tClear.\n"), ["t"])[0] == expected
    lines = "\n".join(json.dumps({"t": text}) for text in ("Edema.", None, "Clear."))
    assert read_texts(write(tmp_path / "a.jsonl", lines), ["t"])[0] == expected
    assert read_texts(write(tmp_path / "a.txt.gz", "Edema.\n\nClear.\n"), [])[0] == expected


def test_the_only_column_needs_no_name(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path / "a.csv", "\ufefftext\nEdema.\n"), [])[0] == [Text(1, "Edema.")]


def test_another_encoding_is_read_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text\npatient’s edema\n", "cp1252")
    assert read_texts(path, []) == ([Text(1, "patient’s edema")], (WINDOWS,))


@pytest.mark.parametrize(
    ("name", "content", "columns", "complaint"),
    [
        ("a.csv", ROWS, [], "which column holds the text? --text-column, one of: id, findings, impression"),
        ("a.csv", ROWS, ["report"], "has no column report; it has: id, findings, impression"),
        ("a.csv", "a,b\n1,2,3\n", ["a"], "row 1: more cells than the head has"),
        ("a.jsonl", '{"t": "x"}\n{"t":', ["t"], "a.jsonl:2: broken JSON"),
        ("a.jsonl", "[1]", ["t"], "a.jsonl:1: is not a JSON object"),
        ("a.txt", "Edema.", ["t"], "leave --text-column out"),
        ("a.xlsx", "", [], "is neither .csv"),
    ],
)
def test_trouble_is_one_clear_line(
    tmp_path: Path, name: str, content: str, columns: list[str], complaint: str
) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as caught:
        read_texts(write(tmp_path / name, content), columns)
    assert complaint in str(caught.value)


def test_a_file_cut_short_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode() * 50)[:-20])
    for missing in (path, tmp_path / "none.csv"):
        with pytest.raises(UserError, match="cannot read the file"):
            read_texts(missing, ["impression"])
