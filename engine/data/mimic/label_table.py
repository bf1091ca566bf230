"""The CheXpert labels of each study; columns are matched by name, their order differs between files."""

from collections import Counter
from collections.abc import Iterator

from engine.data.labels import LABELS
from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, table
from engine.errors import UserError

TABLE = "mimic-cxr-2.0.0-chexpert"
#: Other names for labels in MIMIC-CXR-JPG's files.
_OTHER_NAMES = {"Lung Opacity": "Airspace Opacity"}


def read_labels(roots: MimicRoots, tables: Tables, inputs: Inputs) -> None:
    """Makes `label`: film number and 14 values; films with two rows that differ are in `label_conflict` instead."""
    path = table(roots.jpg, TABLE)
    inputs.check("chexpert", path)
    names = [*LABELS, *_OTHER_NAMES.values()]
    columns = {"study_id": Kind.ID, **dict.fromkeys(names, Kind.LABEL)}
    present = tables.view("chexpert", path, columns, optional=names)
    if missing := [name for name in LABELS if not {name, _OTHER_NAMES.get(name)} & present]:
        raise UserError(f"{path}: has no column {', '.join(missing)}")
    values = ", ".join(
        f'coalesce("{name}", "{_OTHER_NAMES[name]}") AS l{number}'
        if name in _OTHER_NAMES
        else f'"{name}" AS l{number}'
        for number, name in enumerate(LABELS)
    )
    tables.run(
        f"CREATE OR REPLACE TABLE labelled AS SELECT DISTINCT f.n, {values} "
        "FROM chexpert c JOIN film f USING (study_id)",
        "chexpert",
    )
    tables.run(
        "CREATE OR REPLACE TABLE label_conflict AS SELECT n FROM labelled GROUP BY n HAVING count(*) > 1"
    )
    tables.run("CREATE OR REPLACE TABLE label AS SELECT * FROM labelled ANTI JOIN label_conflict USING (n)")


def count_labels(tables: Tables, films: int, counts: Counter[str]) -> None:
    (rows,) = tables.one("SELECT count(*) FROM label")
    (conflicts,) = tables.one("SELECT count(*) FROM label_conflict")
    counts["matched"] = rows
    counts["two rows that differ"] = conflicts
    counts["not in the table"] = films - rows - conflicts


def labels_of(tables: Tables) -> Iterator[tuple[int, dict[str, int | None]]]:
    """The 14 labels by film number."""
    for n, *values in tables.rows("SELECT * FROM label ORDER BY n"):
        yield n, dict(zip(LABELS, values, strict=True))
