"""Several objectives at once: who is beaten by nobody, and an order of all others.

Every point holds one number for each objective, and more is better in all of them.
Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC
6(2), sections III A (non-dominated sorting) and III B (crowding distance).
"""

import math
from collections import Counter
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
    sorted_fronts = []
    while left:
        front = [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
        sorted_fronts.append(front)
        left = [i for i in left if i not in set(front)]
    return sorted_fronts


def crowding(points: Sequence[Point]) -> list[float]:
    """Return how far each point's neighbours are, summed over objectives in units of their range.

    The best and the worst in an objective have infinity: they hold the ends of the front. Equal
    points count once, and have the same distance.
    """
    distinct = list(dict.fromkeys(map(tuple, points)))
    distance = dict.fromkeys(distinct, 0.0)
    for objective in range(len(distinct[0]) if distinct else 0):
        order = sorted(distinct, key=lambda point: point[objective])
        low, high = order[0][objective], order[-1][objective]
        distance[order[0]] = distance[order[-1]] = math.inf
        if high > low:
            for before, here, after in zip(order, order[1:], order[2:], strict=False):
                distance[here] += (after[objective] - before[objective]) / (high - low)
    return [distance[tuple(point)] for point in points]


def ranked(points: Sequence[Point]) -> list[int]:
    """Return the indices of the points, best first: by front, then the less crowded, then index.

    Copies of a point come after all distinct points of its front.
    """
    order = []
    for front in fronts(points):
        distance = dict(zip(front, crowding([points[i] for i in front]), strict=True))
        num_seen: Counter[tuple[float, ...]] = Counter()
        copies = {}
        for i in front:
            copies[i] = num_seen[tuple(points[i])]
            num_seen[tuple(points[i])] += 1
        order += sorted(front, key=lambda i: (copies[i], -distance[i], i))
    return order
