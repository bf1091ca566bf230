"""What a resumed run goes over again no longer counts."""

import sqlite3

from engine.runs.store import series

_MOVE = """
INSERT OR REPLACE INTO scalar_superseded (stage, tag, step, attempt, wall_time, value)
SELECT stage, tag, step, attempt, wall_time, value FROM scalar WHERE stage = ? AND tag = ? AND step > ?"""


def supersede(connection: sqlite3.Connection, stage: int, step: int) -> None:
    """Set aside all rows beyond `step` of `stage`: later steps of it, and every later stage.

    Call it in a transaction, before the new attempt writes.
    """
    later = [
        row[0]
        for row in connection.execute(
            "SELECT id FROM stage WHERE position > (SELECT position FROM stage WHERE id = ?)", (stage,)
        )
    ]
    tags = [row[0] for row in connection.execute("SELECT id FROM tag")]
    for cut_stage, cut_step in [(stage, step), *((other, -1) for other in later)]:
        for tag in tags:
            connection.execute(_MOVE, (cut_stage, tag, cut_step))
            connection.execute(
                "DELETE FROM scalar WHERE stage = ? AND tag = ? AND step > ?", (cut_stage, tag, cut_step)
            )
        series.cut_after(connection, cut_stage, cut_step)
        connection.execute(
            "UPDATE sample SET counts = 0 WHERE weights_stage = ? AND weights_step > ?", (cut_stage, cut_step)
        )
        connection.execute(
            "UPDATE event SET counts = 0 WHERE stage = ? AND step > ? AND kind IN "
            "('checkpoint', 'validation', 'sample')",
            (cut_stage, cut_step),
        )
