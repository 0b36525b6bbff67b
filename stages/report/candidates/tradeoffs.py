"""Which candidates no other beats in every task: plain data."""

from collections.abc import Sequence

import numpy as np

from stages.lineage.rows import Row


def unbeaten(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the names of the rows that no row equals in all tasks and beats in one.

    Rows that score alike in all tasks are unbeaten together. ``rows`` have answered the same items
    of the same tasks; those without scores take no part.

    Source: Kung, Luccio and Preparata 1975, doi:10.1145/321906.321910 (maxima of vectors).
    """
    scored = [row for row in rows if row.fitness is not None and row.objectives]
    # From the best down, only what came before can beat a row, and then one of the front does.
    ordered = sorted(scored, key=lambda row: row.objectives, reverse=True)
    front = np.empty((0, len(ordered[0].objectives) if ordered else 0))
    names = set()
    for row in ordered:
        point = np.array(row.objectives, dtype=np.float64)
        is_beaten = (front >= point).all(axis=1) & (front > point).any(axis=1)
        if not is_beaten.any():
            front = np.vstack([front, point])
            names.add(row.name)
    return tuple(row.name for row in scored if row.name in names)
