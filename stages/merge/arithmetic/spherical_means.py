"""Arcs and means of directions: the factors of the vectors, from their inner products.

The factors are computed in float64 from a few numbers, one set for each row, column or tensor.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.inner_products import Reader
from stages.merge.arithmetic.weighted_sums import weighted_sum

MIN_SINE = 1e-8  # of the angle: below it the arc is taken as its chord
MIN_COSINE = -0.9995  # below it the vectors are opposite, and no arc is the shortest
MIN_LENGTH = 1e-6  # of a mean of unit vectors: a shorter one is rounding, without a direction

Angles = Sequence[Sequence[float]]


def mixture(
    read: Reader, factors: Sequence[Sequence[float]], length: int, *, by_column: bool = False
) -> Callable[[int, int], Tensor]:
    """Return the function that gives a range of the sum of factor x vector.

    ``factors`` holds one number per vector, for each row of ``length`` entries or for each column
    of such rows; a single set holds for all entries.
    """
    count = len(factors[0])
    table = torch.tensor(factors, dtype=torch.float64).to(torch.float32)

    def total(start: int, stop: int) -> Tensor:
        vectors = [read(i, start, stop) for i in range(count)]
        if len(factors) == 1:
            return weighted_sum(vectors, factors[0])
        entries = np.arange(start, stop)
        rows = torch.from_numpy(entries % length if by_column else entries // length)
        mixed = vectors[0] * table[rows, 0]
        for i, vector in enumerate(vectors[1:], 1):
            mixed += vector * table[rows, i]
        return mixed

    return total


def arc_factors(
    t: float, norms: Sequence[float], angles: Angles, *, zero_is_across: bool = False
) -> tuple[float, float]:
    """Return the factors of two vectors at ``t`` of the arc from the first to the second.

    They are the chord's if a vector is zero, or if both are parallel or opposite. With
    ``zero_is_across`` a zero vector is at right angles to the other, whose factor is a sine.
    """
    cosine = angles[0][1]
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    has_no_angle = min(norms) == 0.0 and not zero_is_across
    if has_no_angle or sine < MIN_SINE or cosine < MIN_COSINE:
        return 1.0 - t, t
    angle = math.acos(cosine)
    return math.sin((1.0 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


def mean_factors(
    weights: Sequence[float], norms: Sequence[float], angles: Angles, *, eps: float = 0.0
) -> list[float]:
    """Return the factors of the vector along the mean of the directions, of mean length.

    They are the plain mean's if the mean of the directions is at most ``eps`` long.
    """
    direction = _unit(weights, angles, eps)
    return list(weights) if direction is None else _stretched(direction, weights, norms)


def karcher_factors(
    weights: Sequence[float],
    norms: Sequence[float],
    angles: Angles,
    *,
    max_iter: int,
    tol: float,
) -> list[float]:
    """Return the factors of the vector along the Karcher mean of the directions, of mean length.

    The Karcher mean has the least sum of weight x squared angle to the directions. Steps along
    the mean tangent lead to it from the mean of the directions, until a step is at most ``tol``
    long. The factors are the plain mean's if that start has no direction.
    """
    matrix = np.asarray(angles)
    shares = np.where(np.diag(matrix) > 0, weights, 0.0)  # a zero vector has no direction
    point = _unit(shares.tolist(), angles, 0.0)
    if point is None:
        return list(weights)
    shares = shares / math.fsum(shares.tolist())
    for _ in range(max_iter):
        step = _tangent(point, shares, matrix)
        length = _length(step, matrix)
        if length <= tol:
            break
        point = math.cos(length) * point + math.sin(length) / length * step
        point = point / _length(point, matrix)
    return _stretched(point, weights, norms)


def _tangent(
    point: NDArray[np.float64], shares: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean of the directions' logarithms at a point of the sphere.

    The logarithm of a direction at the point is 0; so is that of the opposite, which has none.
    """
    cosines = np.clip(_product(matrix, point), -1.0, 1.0)
    sines = np.sqrt(1.0 - cosines**2)
    is_far = sines >= MIN_SINE
    ratios = np.where(is_far, np.arccos(cosines) / np.where(is_far, sines, 1.0), 0.0)
    pulls = shares * ratios
    tangent: NDArray[np.float64] = pulls - math.fsum((pulls * cosines).tolist()) * point
    return tangent


def _unit(weights: Sequence[float], angles: Angles, eps: float) -> NDArray[np.float64] | None:
    """Return the mean of the directions over its length, or None if it has no direction."""
    matrix, direction = np.asarray(angles), np.asarray(weights)
    length = _length(direction, matrix)
    least = max(eps, MIN_LENGTH * math.fsum(abs(weight) for weight in weights))
    return direction / length if length > least else None


def _length(vector: NDArray[np.float64], matrix: NDArray[np.float64]) -> float:
    return math.sqrt(max(math.fsum((vector * _product(matrix, vector)).tolist()), 0.0))


def _product(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return matrix x vector, each sum rounded once; the order of sums in BLAS may vary."""
    return np.array([math.fsum(row) for row in (matrix * vector).tolist()])


def _stretched(
    direction: NDArray[np.float64], weights: Sequence[float], norms: Sequence[float]
) -> list[float]:
    """Return the factors of vectors whose unit vectors have the factors ``direction``."""
    mean = math.fsum(weight * norm for weight, norm in zip(weights, norms, strict=True))
    return [
        float(part) * mean / norm if norm > 0 else 0.0
        for part, norm in zip(direction, norms, strict=True)
    ]
