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
    if not scored:
        return ()
    points = np.array([row.objectives for row in scored], dtype=np.float64)
    names = []
    for row, point in zip(scored, points, strict=True):
        is_beaten = (points >= point).all(axis=1) & (points > point).any(axis=1)
        if not is_beaten.any():
            names.append(row.name)
    return tuple(names)
