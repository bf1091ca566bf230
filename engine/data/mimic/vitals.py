"""The complaint and the newest vital signs of the emergency stay that a film belongs to."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.ehr_context import VITALS, Measurement, VitalSign, vital
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, find_table
from engine.words.printable import clean_line


def read_vitals(roots: MimicRoots, tables: Tables, inputs: Inputs, missing: list[str]) -> None:
    """Makes the tables `vital` and `complaint`; what lacks its file is empty and named in `missing`."""
    signs = ", ".join(f"as_number({sign.column}) AS {sign.column}" for sign in VITALS)
    columns = {"stay_id": Kind.ID, **{sign.column: Kind.TEXT for sign in VITALS}}
    types = ", ".join(f"{sign.column} DOUBLE" for sign in VITALS)
    tables.run(
        f"CREATE OR REPLACE TABLE vital (n INT, source VARCHAR, stay BIGINT, charted TIMESTAMP, {types})"
    )
    tables.run("CREATE OR REPLACE TABLE complaint (n INT, text VARCHAR)")
    if roots.ed is None:
        missing.append("MIMIC-IV-ED (complaints, vital signs, codes of emergency stays)")
        return
    triage, charted = find_table(roots.ed, "triage"), find_table(roots.ed, "vitalsign")
    if triage is None:
        missing.append("ed/triage (complaints, first vital signs)")
    else:
        inputs.check("triage", triage)
        tables.view("triage", triage, {**columns, "chiefcomplaint": Kind.TEXT})
        tables.run(
            f"""
            INSERT INTO vital
            SELECT s.n, 'triage', s.stay_id, e.intime, {signs}
            FROM triage t JOIN span s USING (stay_id) JOIN edstay e USING (stay_id)
            WHERE e.intime BETWEEN s.opens AND s.closes
            """,
            "triage",
        )
        tables.run(
            """
            INSERT INTO complaint SELECT s.n, min(t.chiefcomplaint)
            FROM triage t JOIN span s USING (stay_id) JOIN edstay e USING (stay_id)
            WHERE e.intime <= s.closes AND t.chiefcomplaint IS NOT NULL GROUP BY s.n
            """,
            "triage",
        )
    if charted is None:
        missing.append("ed/vitalsign (later vital signs)")
    else:
        inputs.check("vitalsign", charted)
        tables.view("vitalsign", charted, {**columns, "charttime": Kind.TIME})
        tables.run(
            f"""
            INSERT INTO vital
            SELECT s.n, 'vitalsign', s.stay_id, v.charttime, {signs}
            FROM vitalsign v JOIN span s USING (stay_id) WHERE v.charttime BETWEEN s.opens AND s.closes
            """,
            "vitalsign",
        )


def vital_values(tables: Tables, rows: Counter[str]) -> Iterator[tuple[int, tuple[VitalSign, Measurement]]]:
    """Each sign's values by film number, the newest last. rows: counts what no patient can have."""
    names = ", ".join(sign.column for sign in VITALS)
    for n, source, stay, charted, *values in tables.rows(
        f"SELECT n, source, stay, charted, {names} FROM vital ORDER BY n, charted, source, {names}"
    ):
        for sign, value in zip(VITALS, values, strict=True):
            measurement = vital(sign, value, _source(source, stay, charted))
            if measurement is not None:
                rows["vital signs known at the film"] += 1
                yield n, (sign, measurement)
            elif value is not None:
                rows["vital signs not possible in a patient"] += 1


def complaints(tables: Tables) -> Iterator[tuple[int, str]]:
    for n, text in tables.rows("SELECT n, text FROM complaint ORDER BY n"):
        yield n, clean_line(text)


def _source(table: str, stay: int, charted: datetime) -> str:
    return f"{table}, stay_id {stay}" + (f", {charted}" if table == "vitalsign" else "")
