"""Inner products of all pairs of vectors, in float64: all that geometry on a few vectors needs.

A mean on the sphere, an arc or a centre of several vectors is a weighted sum of them whose weights
follow from the inner products. So a tensor is read once for the inner products, and once for the
weighted sum, in any ranges.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.method import BLOCK, Sources

Reader = Callable[[int, int, int], Tensor]  # (parent, start, stop) to a range of its vector
Gram = NDArray[np.float64]  # rows x k x k
_PART = 1 << 17  # elements per product: 1 MiB of float64, which fits the L2 cache


def vectors_of(sources: Sources) -> Reader:
    """Return the reader of the task vectors where there is a base, else of the parents."""
    return sources.task_vector if sources.has_base else sources.parent


def gram(read: Reader, count: int, *, size: int, length: int | None = None) -> Gram:
    """Return the inner products of ``count`` vectors, for each row of ``length`` elements.

    Summed in float64, in blocks of fixed size and order, by NumPy on one thread.
    """
    length = length or size
    num_rows = size // length if length else 1
    if num_rows > 1:
        return _row_grams(read, count, num_rows, length)
    products = np.zeros((1, count, count))
    scratch = np.empty(min(_PART, size))
    for start in range(0, size, BLOCK):
        products[0] += _block(read, count, start, min(start + BLOCK, size), scratch)
    return _mirrored(products)


def _block(
    read: Reader, count: int, start: int, stop: int, scratch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the inner products of a range, in parts that fit into the cache of a core.

    Ranges are halved as NumPy's pairwise summation does, so the bits are those of one long sum.
    """
    size = stop - start
    if size > _PART:
        half = size // 2
        middle = start + half - half % 8
        first = _block(read, count, start, middle, scratch)
        return first + _block(read, count, middle, stop, scratch)
    part = [_float64(read(i, start, stop)) for i in range(count)]
    products = np.zeros((count, count))
    with np.errstate(invalid="ignore"):
        for i in range(count):
            for j in range(i + 1):
                product = np.multiply(part[i], part[j], out=scratch[:size])
                products[i, j] = np.add.reduce(product)
    return products


def _row_grams(read: Reader, count: int, num_rows: int, length: int) -> Gram:
    products = np.zeros((num_rows, count, count))
    step = max(1, BLOCK // length)
    for first in range(0, num_rows, step):
        last = min(first + step, num_rows)
        block = [
            _float64(read(i, first * length, last * length)).reshape(-1, length)
            for i in range(count)
        ]
        for i in range(count):
            for j in range(i + 1):
                products[first:last, i, j] = _product(block[i], block[j])
    return _mirrored(products)


def column_grams(read: Reader, count: int, *, size: int, length: int) -> Gram:
    """Return the inner products for each column of rows of ``length`` elements."""
    products = np.zeros((length, count, count))
    step = max(1, BLOCK // length) * length
    for start in range(0, size, step):
        stop = min(start + step, size)
        block = [_float64(read(i, start, stop)).reshape(-1, length) for i in range(count)]
        for i in range(count):
            for j in range(i + 1):
                products[:, i, j] += _product(block[i].T, block[j].T)
    return _mirrored(products)


def cosines(products: NDArray[np.float64]) -> tuple[list[float], list[list[float]]]:
    """Return the norms of the vectors of one k x k Gram matrix, and the cosines of their angles.

    All lie in [-1, 1]; those of a zero vector are 0, also with itself. A vector with an infinity
    or NaN counts as zero: it shows in any sum anyway.
    """
    squares = np.diag(products).tolist()
    norms = [math.sqrt(value) if math.isfinite(value) else 0.0 for value in squares]
    clamped = []
    for i, a in enumerate(norms):
        row = [
            float(products[i, j]) / (a * b) if a > 0 and b > 0 else 0.0
            for j, b in enumerate(norms)
        ]
        clamped.append([min(max(value, -1.0), 1.0) for value in row])
    return norms, clamped


def _float64(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.numpy().astype(np.float64)


def _product(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inner products along the last axis; NaN where infinity meets 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(first * second, axis=-1))


def _mirrored(lower: Gram) -> Gram:
    upper = np.swapaxes(np.tril(lower, -1), 1, 2)
    return np.tril(lower) + upper
