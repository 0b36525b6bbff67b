"""Inner products of all pairs of vectors, in float64: all that geometry on a few vectors needs.

A mean on the sphere, an arc or a centre of several vectors is a weighted sum of them, and its
weights follow from their inner products alone. So a tensor is read once for these, and once more
for the weighted sum, in any ranges.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.method import BLOCK, Sources

Reader = Callable[[int, int, int], Tensor]  # (parent, start, stop) to a range of its vector
Gram = NDArray[np.float64]  # rows x k x k
_PART = 1 << 17  # entries summed at a time


def vectors_of(sources: Sources) -> Reader:
    """Return the reader of the task vectors where there is a base, else of the parents."""
    return sources.task_vector if sources.has_base else sources.parent


def gram(read: Reader, count: int, *, size: int, length: int | None = None) -> Gram:
    """Return the inner products of ``count`` vectors, of each row of ``length`` by itself.

    Summed in float64, in blocks of fixed size and order, by NumPy on one thread.
    """
    length = length or size
    num_rows = size // length if length else 1
    if num_rows > 1:
        return _row_grams(read, count, num_rows, length)
    found = np.zeros((1, count, count))
    scratch = np.empty(min(_PART, size))
    for start in range(0, size, BLOCK):
        found[0] += _block(read, count, start, min(start + BLOCK, size), scratch)
    return _mirrored(found)


def _block(
    read: Reader, count: int, start: int, stop: int, scratch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the inner products of a range, in parts that fit into a core's cache.

    Parts are halved and added as NumPy adds up a long sum, so the bits are those of one sum.
    """
    size = stop - start
    if size > _PART:
        half = size // 2
        middle = start + half - half % 8
        first = _block(read, count, start, middle, scratch)
        return first + _block(read, count, middle, stop, scratch)
    part = [_float64(read(i, start, stop)) for i in range(count)]
    found = np.zeros((count, count))
    with np.errstate(invalid="ignore"):
        for i in range(count):
            for j in range(i + 1):
                products = np.multiply(part[i], part[j], out=scratch[:size])
                found[i, j] = np.add.reduce(products)
    return found


def _row_grams(read: Reader, count: int, num_rows: int, length: int) -> Gram:
    found = np.zeros((num_rows, count, count))
    step = max(1, BLOCK // length)
    for first in range(0, num_rows, step):
        last = min(first + step, num_rows)
        block = [
            _float64(read(i, first * length, last * length)).reshape(-1, length)
            for i in range(count)
        ]
        for i in range(count):
            for j in range(i + 1):
                found[first:last, i, j] = _product(block[i], block[j])
    return _mirrored(found)


def column_grams(read: Reader, count: int, *, size: int, length: int) -> Gram:
    """Return the inner products of each column, across rows of ``length``, by itself."""
    found = np.zeros((length, count, count))
    step = max(1, BLOCK // length) * length
    for start in range(0, size, step):
        stop = min(start + step, size)
        block = [_float64(read(i, start, stop)).reshape(-1, length) for i in range(count)]
        for i in range(count):
            for j in range(i + 1):
                found[:, i, j] += _product(block[i].T, block[j].T)
    return _mirrored(found)


def cosines(products: NDArray[np.float64]) -> tuple[list[float], list[list[float]]]:
    """Return the norms of the vectors of one k x k Gram matrix, and the cosines of their angles.

    The cosines of a zero vector are 0, with itself too; all lie in [-1, 1]. A vector with an
    infinity or NaN, which shows in any sum with it, counts as zero.
    """
    squares = np.diag(products).tolist()
    norms = [math.sqrt(value) if math.isfinite(value) else 0.0 for value in squares]
    found = []
    for i, a in enumerate(norms):
        row = [
            float(products[i, j]) / (a * b) if a > 0 and b > 0 else 0.0
            for j, b in enumerate(norms)
        ]
        found.append([min(max(value, -1.0), 1.0) for value in row])
    return norms, found


def _float64(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.numpy().astype(np.float64)


def _product(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inner products along the last axis; NaN where infinity meets 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(first * second, axis=-1))


def _mirrored(lower: Gram) -> Gram:
    upper = np.swapaxes(np.tril(lower, -1), 1, 2)
    return np.tril(lower) + upper
