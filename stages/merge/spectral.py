"""Singular values of a task matrix: all made equal."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def isotropic(matrix: Tensor) -> Tensor:
    """Return the matrix with each singular value replaced by their mean.

    Singular values that float32 cannot tell from 0 have no directions of their own: they count in
    the mean and stay 0. A zero matrix stays as it is, and so does one with an infinity or NaN.
    """
    if not bool(matrix.any()) or not bool(torch.isfinite(matrix).all()):
        return matrix
    with _one_thread():
        u, values, v = torch.linalg.svd(matrix, full_matrices=False)
        least = float(values[0]) * max(matrix.shape) * torch.finfo(matrix.dtype).eps
        rank = int((values > least).sum())
        mean = float(values.double().mean())
        found: Tensor = (u[:, :rank] @ v[:rank]).mul_(mean)
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run with one thread: how LAPACK divides its work among more would show in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
