"""One order of a generation's results, and numbers that keep to it."""

import math
from collections.abc import Sequence

from stages.select.strategies.pareto import Point, ranked


def order_of(points: Sequence[Point], rungs: Sequence[int]) -> list[int]:
    """Return the indices of the results, best first.

    Whoever went further in the race comes first; then the higher fitness, or with several
    objectives the front and who is less crowded on it; then the index.
    """
    order: list[int] = []
    for rung in sorted(set(rungs), reverse=True):
        indices = [i for i, reached in enumerate(rungs) if reached == rung]
        order += [indices[i] for i in _by_value([points[i] for i in indices])]
    return order


def levelled(values: Sequence[float], rungs: Sequence[int]) -> list[float]:
    """Return ``values``, each lowered by no more than their order by (rung, value) asks for.

    For optimisers that read numbers and not ranks. Results of one rung and value stay equal, and
    any others differ. Without a race the values are returned as they are.
    """
    levels = list(values)
    previous: int | None = None
    for index in order_of([(value,) for value in values], rungs):
        if previous is not None:
            ceiling = levels[previous]
            if (rungs[index], values[index]) != (rungs[previous], values[previous]):
                ceiling = math.nextafter(ceiling, -math.inf)
            levels[index] = min(values[index], ceiling)
        previous = index
    return levels


def _by_value(points: Sequence[Point]) -> list[int]:
    if points and len(points[0]) > 1:
        return ranked(points)
    return sorted(range(len(points)), key=lambda i: -points[i][0])
