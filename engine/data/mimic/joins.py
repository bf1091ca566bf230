"""How many films each table had something for, and why it had nothing for the rest."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from engine.data.mimic.encounters import COMING, EMERGENCY, INSIDE, WAITING
from engine.data.mimic.tables import Tables

MATCHED = "matched"
_NO_STAY = "no stay that the film belongs to"


@dataclass
class Joins:
    """films: by join, films by "matched" or the reason. rows: what became of the tables' rows. notes: what was
    concluded, converted or found by another way. missing: tables that are not there. unreadable: codes, and why."""

    films: dict[str, Counter[str]] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def of(self, join: str) -> Counter[str]:
        return self.films.setdefault(join, Counter())

    def to_json(self) -> dict[str, object]:
        return {
            "joins": {name: _sorted(counts) for name, counts in self.films.items()},
            "rows": _sorted(self.rows),
            "notes": _sorted(self.notes),
            "missing_tables": list(self.missing),
            "unreadable_codes": dict(self.unreadable),
        }

    def lines(self) -> list[str]:
        """For people: what there was for how many films, and what was not, most first."""
        found = []
        for name, counts in self.films.items():
            ways = [] if MATCHED in counts else [way for way in _WAYS if counts[way]]
            matched = counts[MATCHED] + sum(counts[way] for way in ways)
            rest = [(why, n) for why, n in counts.most_common() if n and why != MATCHED and why not in ways]
            line = f"{name}: {matched:,} of {counts.total():,} films"
            line += f" ({'; '.join(f'{counts[way]:,} {way}' for way in ways)})" if ways else ""
            found.append(line + (f"; not {'; '.join(f'{n:,} {why}' for why, n in rest)}" if rest else ""))
        found += [f"{number:>9,} {what}" for what, number in _sorted({**self.rows, **self.notes}).items()]
        found += [f"table not there: {name}" for name in self.missing]
        found += [f"code {code}: {why}" for code, why in self.unreadable.items()]
        return found


_WAYS = (INSIDE, WAITING, EMERGENCY, COMING)


def count_codes(tables: Tables, films: int, counts: Counter[str]) -> None:
    """Films by whether their stay has a listed code."""
    stays = (
        "SELECT n, 'hosp' AS part, hadm_id AS stay FROM chosen WHERE hadm_id IS NOT NULL "
        "UNION ALL SELECT n, 'ed', stay_id FROM chosen WHERE hadm_id IS NULL"
    )
    with_stay, with_rows, with_codes = tables.one(
        f"""
        WITH c AS ({stays})
        SELECT (SELECT count(*) FROM c),
               (SELECT count(*) FROM c SEMI JOIN diagnosis USING (part, stay)),
               (SELECT count(*) FROM c SEMI JOIN coded USING (part, stay))
        """
    )
    counts[MATCHED] = with_codes
    counts["the stay has no diagnosis in the table"] = with_stay - with_rows
    counts["no code of the stay is in the list"] = with_rows - with_codes
    counts[_NO_STAY] = films - with_stay


def count_labs(tables: Tables, films: int, counts: Counter[str]) -> None:
    """Films by whether a laboratory value was known."""
    with_stay, with_span, matched, with_rows = tables.one(
        "SELECT (SELECT count(*) FROM chosen), (SELECT count(*) FROM span), "
        "(SELECT count(DISTINCT n) FROM lab), (SELECT count(DISTINCT n) FROM lab_row)"
    )
    counts[MATCHED] = matched
    counts[_NO_STAY] = films - with_stay
    counts["taken before the arrival"] = with_stay - with_span
    counts["no key value charted in the stay's 48 hours before the film"] = with_span - with_rows
    for wrong, number in tables.rows(
        "SELECT wrong, count(*) FROM (SELECT n, mode(wrong ORDER BY wrong) AS wrong FROM lab_row "
        "ANTI JOIN lab USING (n) GROUP BY n) GROUP BY 1 ORDER BY 1"
    ):
        counts[f"only values {wrong}"] = number


def count_emergency(tables: Tables, films: int, matched: int, what: str, counts: Counter[str]) -> None:
    """Films by whether the emergency stay told `what`; matched: for how many it did."""
    (with_emergency,) = tables.one("SELECT count(*) FROM span WHERE stay_id IS NOT NULL")
    counts[MATCHED] = matched
    counts["no emergency stay, or taken before the arrival"] = films - with_emergency
    counts[f"no {what} in the emergency stay before the film"] = with_emergency - matched


def count_history(tables: Tables, films: int, matched: int, lag: timedelta, counts: Counter[str]) -> None:
    """Films by whether diagnoses of earlier stays were known."""
    old, recent = tables.one(
        f"""
        SELECT count(*) FILTER (old), count(*) FILTER (NOT old) FROM (
            SELECT f.n, bool_or(a.dischtime <= f.taken - INTERVAL {lag.days} DAY) AS old
            FROM film f JOIN admission a USING (subject_id) WHERE a.dischtime <= f.taken GROUP BY f.n)
        """
    )
    counts[MATCHED] = matched
    counts["no earlier stay"] = films - old - recent
    counts[f"only stays that ended less than {lag.days} days before: not coded yet"] = recent
    counts["earlier stays without a titled code of the list"] = old - matched


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in sorted(counts.items()) if number}
