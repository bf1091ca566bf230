"""What a cell of a table means: numbers, ids and times as PhysioNet writes them, and as pandas, Excel and R do.

A cell is read right or refused; what marks a missing value is missing. All of it is SQL, for tables larger than memory.
"""

import re
from collections.abc import Iterable
from enum import Enum

#: Cells that hold nothing, in lower case: as pandas, R, SQL and Excel write them, and as MIMIC hides what it removed.
BLANKS = (
    *("", "nan", "none", "null", "<na>", "n/a", "#n/a", "na", "nat", "(null)", "\\n", "-", "--", "."),
    *("___", "<nan>", "undefined"),
)
_WHITE = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"

_BLANK = "|".join(re.escape(word) for word in BLANKS)

MACROS = (
    # Not `IN`: DuckDB makes a join of a long one, for every cell and whatever stands around it.
    f"CREATE MACRO blank(x) AS (CASE WHEN regexp_full_match(lower(trim(x, {_WHITE})), '{_BLANK}') "
    f"THEN NULL ELSE trim(x, {_WHITE}) END)",
    # 10000032, 10000032.0, p10000032, "10,000,032"; 1.0000032E7, but not 1.00E+07, which has lost its last digits.
    """CREATE MACRO as_id(x) AS (CASE
        WHEN regexp_full_match(x, '[0-9]{1,18}') THEN TRY_CAST(x AS BIGINT)
        WHEN regexp_full_match(x, '[psPS]?[0-9]{1,18}([.]0*)?')
            THEN TRY_CAST(regexp_extract(x, '[0-9]+') AS BIGINT)
        WHEN regexp_full_match(x, '[0-9]{1,3}(,[0-9]{3})+([.]0*)?')
            THEN TRY_CAST(replace(regexp_extract(x, '[0-9,]+'), ',', '') AS BIGINT)
        WHEN regexp_full_match(x, '[1-9]([.][0-9]+)?[eE][+]?[0-9]{1,2}')
            AND length(regexp_extract(x, '[.]([0-9]+)', 1))
                >= TRY_CAST(regexp_extract(x, '[eE][+]?([0-9]+)', 1) AS INT)
            THEN TRY_CAST(TRY_CAST(x AS DOUBLE) AS BIGINT)
        END)""",
    "CREATE MACRO as_number(x) AS (CASE WHEN isfinite(TRY_CAST(x AS DOUBLE)) THEN TRY_CAST(x AS DOUBLE) END)",
    "CREATE MACRO as_label(x) AS (CASE WHEN TRY_CAST(x AS DOUBLE) IN (-1, 0, 1) "
    "THEN CAST(TRY_CAST(x AS DOUBLE) AS INT) END)",
)

_TIMES = "'%d-%b-%Y %H:%M:%S', '%d-%b-%Y %H:%M', '%d-%b-%Y', '%d%b%Y:%H:%M:%S', '%Y%m%d %H%M%S', '%Y%m%d'"
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_NUMERIC_DATE = re.compile(r"\s*(\d{1,2})([/.-])(\d{1,2})\2(\d{4})\b")


class Kind(Enum):
    """What a column holds. TEXT may be anything; every other kind is refused where it cannot be read."""

    TEXT = "text"
    ID = "an id"
    TIME = "a time"
    LABEL = "1, 0, -1 or blank"


def as_published(kind: Kind, cell: str) -> tuple[str, str]:
    """SQL of whether a cell is written as PhysioNet writes it, and of what it then means.

    Nearly all are; every other way to write it costs ten times as much to look for.
    """
    match kind:
        case Kind.ID:
            return f"regexp_full_match({cell}, '[0-9]{{1,18}}')", f"TRY_CAST({cell} AS BIGINT)"
        case Kind.TIME:
            usual = f"length({cell}) = 19 AND TRY_CAST({cell} AS TIMESTAMP) IS NOT NULL"
            return usual, f"CAST({cell} AS TIMESTAMP)"
        case Kind.LABEL:
            return f"{cell} IN ('1.0', '0.0', '-1.0')", f"CAST(CAST({cell} AS DOUBLE) AS INT)"
        case Kind.TEXT:
            return "false", cell


def parsed(kind: Kind, cell: str, day_first: bool | None) -> str:
    """SQL of the meaning of a non-blank `cell`, NULL where it cannot be read.

    day_first: for dates of numbers alone, whether the day stands before the month; None where neither is known.
    """
    match kind:
        case Kind.TEXT:
            return cell
        case Kind.ID:
            return f"as_id({cell})"
        case Kind.LABEL:
            return f"as_label({cell})"
        case Kind.TIME:
            iso = (
                f"CASE WHEN regexp_matches({cell}, '^[0-9]{{4}}[-/]') THEN TRY_CAST({cell} AS TIMESTAMP) END"
            )
            ways = [iso, f"try_strptime({cell}, [{_TIMES}])"]
            if day_first is not None:
                date = "%d/%m/%Y" if day_first else "%m/%d/%Y"
                formats = ", ".join(f"'{date} {clock}'" for clock in _CLOCKS)
                slashed = f"regexp_replace({cell}, '^([0-9]+)[./-]([0-9]+)[./-]', '\\1/\\2/')"
                ways.append(f"try_strptime({slashed}, [{formats}, '{date}'])")
            return f"coalesce({', '.join(ways)})"


def numeric_dates(cells: Iterable[str]) -> bool:
    """Whether one of the cells is a date of numbers with the year last."""
    return any(_NUMERIC_DATE.match(cell) for cell in cells)


def day_goes_first(first: int, second: int, dots: bool) -> bool | None:
    """From the largest first and second numbers of a column's dates; None where both orders would do.

    dots: whether points stand between them, which nobody does who writes the month first.
    """
    if dots or first > 12:
        return True if second <= 12 else None
    return False if second > 12 else None
