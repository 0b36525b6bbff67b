"""Several objectives at once: who is beaten by nobody, and an order of all others.

Every point holds one number for each objective, and more is better in all of them.
Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC
6(2), sections III A (non-dominated sorting) and III B (crowding distance).
"""

import math
from collections.abc import Sequence

Point = Sequence[float]


def dominates(first: Point, second: Point) -> bool:
    """Return whether ``first`` is nowhere worse than ``second`` and somewhere better."""
    pairs = list(zip(first, second, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def fronts(points: Sequence[Point]) -> list[list[int]]:
    """Return the places of the points front by front; the first front is beaten by nobody.

    Each later front is beaten by earlier ones alone. Places within a front rise.
    """
    left = list(range(len(points)))
    found = []
    while left:
        front = [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
        found.append(front)
        left = [i for i in left if i not in set(front)]
    return found


def crowding(points: Sequence[Point]) -> list[float]:
    """Return how far each point's neighbours are, summed over objectives in units of their range.

    The best and the worst in an objective have infinity: they hold the ends of the front.
    """
    found = [0.0] * len(points)
    for objective in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][objective], i))
        low, high = points[order[0]][objective], points[order[-1]][objective]
        found[order[0]] = found[order[-1]] = math.inf
        if high > low:
            for before, here, after in zip(order, order[1:], order[2:], strict=False):
                gap = points[after][objective] - points[before][objective]
                found[here] += gap / (high - low)
    return found


def ranked(points: Sequence[Point]) -> list[int]:
    """Return the places of the points, best first: by front, then the less crowded, then place."""
    order = []
    for front in fronts(points):
        distance = crowding([points[i] for i in front])
        order += [front[i] for i in sorted(range(len(front)), key=lambda i: (-distance[i], i))]
    return order
