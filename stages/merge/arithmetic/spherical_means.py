"""Arcs and means of directions: the weights that vectors get, from their inner products.

Weights are found in float64 from a few numbers, one set for each row that stands by itself.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.inner_products import Reader
from stages.merge.arithmetic.weighted_sums import weighted_sum

MIN_SINE = 1e-8  # nearer to parallel than this, an arc is its chord
MIN_COSINE = -0.9995  # nearer to opposite than this, no arc is the shortest
MIN_LENGTH = 1e-6  # a mean of unit vectors shorter than this is rounding: it has no direction

Angles = Sequence[Sequence[float]]


def mixture(
    read: Reader, factors: Sequence[Sequence[float]], length: int, *, by_column: bool = False
) -> Callable[[int, int], Tensor]:
    """Return the function that gives a range of the sum of factor x vector.

    ``factors`` holds one number per vector for each row of ``length`` entries, or for each column
    of such rows; or those of one row or column, for all entries.
    """
    count = len(factors[0])
    table = torch.tensor(factors, dtype=torch.float64).to(torch.float32)

    def total(start: int, stop: int) -> Tensor:
        vectors = [read(i, start, stop) for i in range(count)]
        if len(factors) == 1:
            return weighted_sum(vectors, factors[0])
        entries = np.arange(start, stop)
        places = torch.from_numpy(entries % length if by_column else entries // length)
        found = vectors[0] * table[places, 0]
        for i, vector in enumerate(vectors[1:], 1):
            found += vector * table[places, i]
        return found

    return total


def arc_factors(t: float, norms: Sequence[float], angles: Angles) -> tuple[float, float]:
    """Return the factors of two vectors at ``t`` of the arc from the first to the second.

    The chord's, where a vector is zero or they are parallel or opposite.
    """
    cosine = angles[0][1]
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    if min(norms) == 0.0 or sine < MIN_SINE or cosine < MIN_COSINE:
        return 1.0 - t, t
    angle = math.acos(cosine)
    return math.sin((1.0 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


def mean_factors(
    weights: Sequence[float], norms: Sequence[float], angles: Angles, *, eps: float = 0.0
) -> list[float]:
    """Return the factors of the vector along the mean of the directions, of mean length.

    Where the mean of the directions is no longer than ``eps``, those of the plain mean.
    """
    place = _unit(weights, angles, eps)
    return list(weights) if place is None else _stretched(place, weights, norms)


def karcher_factors(
    weights: Sequence[float],
    norms: Sequence[float],
    angles: Angles,
    *,
    max_iter: int,
    tol: float,
) -> list[float]:
    """Return the factors of the vector along the Karcher mean of the directions, of mean length.

    It has the least sum of weight x squared angle to the directions. Found by steps along the mean
    of their tangents, from the mean of the directions, until a step is shorter than ``tol``. Where
    that start has no direction, those of the plain mean.
    """
    matrix = np.asarray(angles)
    shares = np.where(np.diag(matrix) > 0, weights, 0.0)  # a zero vector has no direction
    place = _unit(shares.tolist(), angles, 0.0)
    if place is None:
        return list(weights)
    shares = shares / math.fsum(shares.tolist())
    for _ in range(max_iter):
        step = _tangent(place, shares, matrix)
        length = _length(step, matrix)
        if length <= tol:
            break
        place = math.cos(length) * place + math.sin(length) / length * step
        place = place / _length(place, matrix)
    return _stretched(place, weights, norms)


def _tangent(
    place: NDArray[np.float64], shares: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean of the directions' logarithms at a point of the sphere.

    A direction at the point has the logarithm 0, and one opposite to it, which has none, too.
    """
    cosines = np.clip(_product(matrix, place), -1.0, 1.0)
    sines = np.sqrt(1.0 - cosines**2)
    is_far = sines >= MIN_SINE
    ratios = np.where(is_far, np.arccos(cosines) / np.where(is_far, sines, 1.0), 0.0)
    pulls = shares * ratios
    found: NDArray[np.float64] = pulls - math.fsum((pulls * cosines).tolist()) * place
    return found


def _unit(weights: Sequence[float], angles: Angles, eps: float) -> NDArray[np.float64] | None:
    """Return the mean of the directions over its length; None where it has no direction."""
    matrix, place = np.asarray(angles), np.asarray(weights)
    length = _length(place, matrix)
    least = max(eps, MIN_LENGTH * math.fsum(abs(weight) for weight in weights))
    return place / length if length > least else None


def _length(place: NDArray[np.float64], matrix: NDArray[np.float64]) -> float:
    return math.sqrt(max(math.fsum((place * _product(matrix, place)).tolist()), 0.0))


def _product(matrix: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return matrix x vector, each sum rounded once: no BLAS, whose order may vary."""
    return np.array([math.fsum(row) for row in (matrix * place).tolist()])


def _stretched(
    place: NDArray[np.float64], weights: Sequence[float], norms: Sequence[float]
) -> list[float]:
    """Return the factors of vectors whose directions have the factors ``place``."""
    mean = math.fsum(weight * norm for weight, norm in zip(weights, norms, strict=True))
    return [
        float(part) * mean / norm if norm > 0 else 0.0
        for part, norm in zip(place, norms, strict=True)
    ]
