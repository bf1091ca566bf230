"""The newest value of each key laboratory item that was known when a film was taken."""

from collections import Counter
from collections.abc import Iterator

from engine.data.mimic.cells import Kind
from engine.data.mimic.checksums import Inputs
from engine.data.mimic.ehr_context import Measurement, judged
from engine.data.mimic.lab_items import lab_items
from engine.data.mimic.tables import Tables
from engine.data.mimic.tree import MimicRoots, table

_NUMBER = r"[0-9]*[.]?[0-9]+"
_LIMIT = r"^(<|>|≤|≥|less than|greater than)"
#: Why a row that was charted in time does not count.
LATE, UNSTORED, ELSEWHERE = "stored after the film", "without a time of storing", "of another admission"
NO_NUMBER, NO_UNIT, NOT_POSSIBLE = (
    "not a number",
    "in a unit that cannot be converted",
    "not possible in a patient",
)


def read_labs(
    roots: MimicRoots, tables: Tables, inputs: Inputs, rows: Counter[str], notes: Counter[str]
) -> None:
    """Makes the table `lab`, a row a film and item, and `lab_row`, all rows in the films' windows with what is wrong.

    rows: counts what became of the rows. The table `span` says in which time a value may stand.
    """
    path = table(roots.hosp, "labevents")
    inputs.check("labevents", path)
    ids = ("labevent_id", "subject_id", "hadm_id", "itemid")
    texts = ("value", "valuenum", "valueuom", "ref_range_lower", "ref_range_upper", "flag", "comments")
    columns = {**dict.fromkeys(ids, Kind.ID), "charttime": Kind.TIME, "storetime": Kind.TIME}
    optional = ("value", "valueuom", "flag", "comments")
    tables.view("labevents", path, {**columns, **dict.fromkeys(texts, Kind.TEXT)}, optional)
    items = lab_items()
    factors = [
        (item.item, unit, factor) for item in items.values() for unit, factor in item.factors().items()
    ]
    tables.load("unit", {"itemid": "INT", "spelt": "VARCHAR", "factor": "DOUBLE"}, factors)
    possible = [(item.item, *map(float, item.possible)) for item in items.values()]
    tables.load("item", {"itemid": "INT", "least": "DOUBLE", "most": "DOUBLE"}, possible)
    # A bound ("<0.01", "LESS THAN 0.01", now and then only in the comment) is a value like any other.
    tables.run(
        f"""
        CREATE OR REPLACE TABLE lab_row AS
        WITH near AS (
            SELECT s.n, s.hadm_id AS own, s.closes, l.*,
                   lower(replace(coalesce(l.value, CASE WHEN l.valuenum IS NULL
                       AND regexp_matches(lower(l.comments), '{_LIMIT}') THEN l.comments END, ''), ',', '')) AS told
            FROM labevents l JOIN span s ON l.subject_id = s.subject_id
                AND l.charttime BETWEEN s.opens AND s.closes
            WHERE l.itemid IN ({", ".join(map(str, items))})
        ), number AS (
            SELECT *, CASE WHEN regexp_matches(told, '^(<|≤|less than)') THEN '<'
                           WHEN regexp_matches(told, '^(>|≥|greater than)') THEN '>' ELSE '' END AS bound,
                   CASE WHEN regexp_matches(told, '{_LIMIT}')
                       THEN as_number(regexp_extract(told, '{_LIMIT}[ =]*({_NUMBER})', 2))
                       ELSE coalesce(as_number(valuenum), as_number(told)) END AS raw
            FROM near
        ), scaled AS (
            SELECT x.*, CASE WHEN x.valueuom IS NULL THEN 1.0 ELSE u.factor END AS factor, i.least, i.most
            FROM number x JOIN item i USING (itemid)
            LEFT JOIN unit u ON u.itemid = x.itemid
                AND u.spelt = replace(replace(replace(lower(x.valueuom), ' ', ''), 'µ', 'u'), 'μ', 'u')
        )
        SELECT n, itemid, labevent_id, charttime, storetime, bound, raw * factor AS number,
               as_number(ref_range_lower) * factor AS low, as_number(ref_range_upper) * factor AS high,
               flag, valueuom, factor,
               CASE WHEN storetime IS NULL THEN '{UNSTORED}'
                    WHEN storetime > closes THEN '{LATE}'
                    WHEN hadm_id IS NOT NULL AND hadm_id IS DISTINCT FROM own THEN '{ELSEWHERE}'
                    WHEN raw IS NULL THEN '{NO_NUMBER}'
                    WHEN factor IS NULL THEN '{NO_UNIT}'
                    WHEN raw * factor NOT BETWEEN least AND most AND bound = '' THEN '{NOT_POSSIBLE}' END AS wrong
        FROM scaled
        """,
        "labevents",
    )
    tables.run(
        """
        CREATE OR REPLACE TABLE lab AS SELECT * EXCLUDE (wrong) FROM lab_row WHERE wrong IS NULL
        QUALIFY row_number() OVER (
            PARTITION BY n, itemid ORDER BY charttime DESC, storetime DESC, labevent_id DESC) = 1
        """
    )
    for wrong, number in tables.rows("SELECT wrong, count(*) FROM lab_row GROUP BY 1 ORDER BY 1 NULLS FIRST"):
        rows[f"laboratory rows {wrong}" if wrong else "laboratory rows known at the film"] = number
    for spelt, number in tables.rows(
        f"SELECT lower(valueuom), count(*) FROM lab_row WHERE wrong = '{NO_UNIT}' "
        "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
    ):
        notes[f"laboratory rows left out for their unit: {spelt[:40]}"] = number
    bare, converted, bounds, unjudged = tables.one(
        """
        SELECT count(*) FILTER (valueuom IS NULL), count(*) FILTER (factor <> 1), count(*) FILTER (bound <> ''),
               count(*) FILTER (low IS NULL AND high IS NULL AND flag IS NULL)
        FROM lab
        """
    )
    notes["laboratory values without a unit, taken to be in the usual one"] = bare
    notes["laboratory values converted to the usual unit"] = converted
    notes["laboratory values known as a bound only"] = bounds
    notes["laboratory values that nobody judged (no range, no flag)"] = unjudged


def lab_values(tables: Tables) -> Iterator[tuple[int, tuple[int, Measurement]]]:
    """Item and value by film number."""
    items = lab_items()
    for n, item, labevent, bound, number, low, high, flag, unit in tables.rows(
        "SELECT n, itemid, labevent_id, bound, number, low, high, flag, valueuom FROM lab ORDER BY n, itemid"
    ):
        told = items[item].unit if unit is not None and items[item].told else ""
        yield (
            n,
            (
                item,
                Measurement(
                    number, told, judged(number, low, high, bound, flag), bound, f"labevents {labevent}"
                ),
            ),
        )
